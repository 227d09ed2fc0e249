import type { Clock } from '../../../lib/clock.js';
import type { Log } from '../../../lib/logger.js';
import type { ApiKeyPair, ApiKeys } from '../../security/api-keys.js';
import type { Api } from '../api.js';
import type { Handlers } from '../handlers/index.js';
import { Feed, type FeedParts } from './feed.js';
import { type Session, Sessions } from './sessions.js';

export interface ConsoleParts extends Pick<FeedParts, 'store' | 'canary'> {
  readonly clock: Clock;
  readonly log: Log;
  readonly keys: Pick<ApiKeys, 'all'>;
  readonly handlers: Handlers;
  readonly api: Api;
}

/** What the console needs beside the API: sessions, and to be told what changes. */
export class Console {
  readonly #parts: ConsoleParts;
  readonly sessions: Sessions;
  readonly feed: Feed;

  constructor(parts: ConsoleParts) {
    this.#parts = parts;
    this.sessions = new Sessions(parts);
    this.feed = new Feed(parts);
  }

  /** @returns the new session and its token @throws ApiError 401, 429 */
  async signIn(pair: ApiKeyPair, address: string): Promise<{ readonly token: string; readonly session: Session }> {
    const key = await this.#parts.api.keyOf(pair, address);
    this.#parts.log.info('Somebody has signed in to the console', { key: key.name, role: key.role, address });
    return this.sessions.begin(key);
  }
}
