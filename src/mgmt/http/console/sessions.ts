import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../lib/clock.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import type { ApiKey, ApiKeys } from '../../security/api-keys.js';
import { isGoodToken, readSessionToken, type SessionClaim, sessionToken } from './session-token.js';

export interface SessionsParts {
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly keys: Pick<ApiKeys, 'all'>;
}

/** A session that is good now. */
export interface Session {
  readonly key: ApiKey;
  readonly claim: SessionClaim;
}

const ID_BYTES = 16;

/**
 * The sessions of the console. What a session is stands in its token, which the secret of its API key authenticates: every
 * server of the cluster knows it, also after a restart, and it ends with its key. This server remembers those that were
 * ended here.
 */
export class Sessions {
  readonly #parts: SessionsParts;
  /** Ids with the moment at which they would have ended by themselves; the one that was ended first comes first. */
  readonly #ended = new Map<string, number>();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  /** @returns the token of a new session */
  begin(key: ApiKey): { readonly token: string; readonly session: Session } {
    const ends = this.#parts.clock.wallTime() + MGMT_LIMITS.consoleSessionMs;
    const claim = { keyId: key.id, id: randomBytes(ID_BYTES).toString('base64url'), ends };
    return { token: sessionToken(claim, key.secretKey), session: { key, claim } };
  }

  /** The session of a token; undefined when there is none, or none any more. */
  find(token: string | undefined): Session | undefined {
    const unchecked = readSessionToken(token ?? '');
    if (unchecked === undefined) return undefined;
    const { claim } = unchecked;
    const key = this.#parts.keys.all.find(({ id }) => id === claim.keyId);
    if (key === undefined || !isGoodToken(unchecked, key.secretKey, this.#parts.clock.wallTime())) return undefined;
    return this.#ended.has(claim.id) ? undefined : { key, claim };
  }

  /** The session is good no more. */
  end({ claim }: Session): void {
    const now = this.#parts.clock.wallTime();
    for (const [id, ends] of this.#ended) if (ends <= now) this.#ended.delete(id);
    this.#ended.set(claim.id, claim.ends);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= MGMT_LIMITS.consoleSessionsEnded) break;
      this.#ended.delete(oldest);
    }
  }
}
