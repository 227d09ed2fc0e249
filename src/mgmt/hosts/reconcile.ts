import type { KnownHost } from './known-hosts.js';

/** What this server has of a host. */
export interface OwnHost {
  /** Its link here: Ready, or on the way there. */
  readonly link: 'ready' | 'arriving' | 'none';
  /** A state of the host waits to be written, or is being written. */
  readonly isPending: boolean;
  /** The epoch under which this server took the host; undefined: it has none. */
  readonly epoch: number | undefined;
  /** The epoch of the row under which the agent has last answered over the link; undefined: it was not asked. */
  readonly answeredEpoch: number | undefined;
}

/** How another server looks from here: `silent`, it may live or not. */
export type ServerLife = 'up' | 'silent' | 'dead';

/** What the decision depends on, beside the row and the links. */
export interface CorrectionInput {
  readonly msid: number;
  lifeOf(msid: number): ServerLife;
  /** How long the row has been Connecting without any change, by this process's clock. */
  readonly connectingMs: number;
}

/** What has to be done so that row and links agree. */
export type Correction =
  | { readonly kind: 'none' }
  /** The row says that this server has the host, which has no link here: Disconnected, under the epoch of the row. */
  | { readonly kind: 'release'; readonly epoch: number }
  /** Another server has taken the host since, and lost it. The agent is asked whether it is still at this end of the link. */
  | { readonly kind: 'ask'; readonly epoch: number }
  /** The link here is Ready, and no living server has the host: it is written Up again. */
  | { readonly kind: 'take back' }
  /** The link here is Ready, and the row says that another living server has the host. */
  | { readonly kind: 'contested'; readonly epoch: number }
  /** The host has been Connecting for too long: Disconnected, if its row is still the same. */
  | { readonly kind: 'abandon'; readonly epoch: number; readonly changed: number };

/** Longer than any agent takes from Startup to Ready. */
export const CONNECTING_LIMIT_MS = 180_000;

const NONE: Correction = { kind: 'none' };

/** Compares a host's row with what this server has of the host. The same answer as often as it is asked. */
export function correctionOf(
  row: KnownHost,
  own: OwnHost,
  { msid, lifeOf, connectingMs }: CorrectionInput,
): Correction {
  // What is pending decides first; the next pass compares again.
  if (own.isPending) return NONE;
  if (own.link === 'ready') {
    // The row was read before this server wrote its own epoch.
    if (own.epoch === undefined || row.epoch < own.epoch) return NONE;
    if (row.msid === msid && row.epoch === own.epoch) return NONE;
    const owner = row.msid === null || row.msid === msid ? 'dead' : lifeOf(row.msid);
    if (owner === 'up') return { kind: 'contested', epoch: row.epoch };
    // Whether the owner still has the agent is not known: a good link is neither closed nor written over it.
    if (owner === 'silent') return NONE;
    const wasTaken = row.epoch > own.epoch && row.msid !== msid;
    return wasTaken && own.answeredEpoch !== row.epoch ? { kind: 'ask', epoch: row.epoch } : { kind: 'take back' };
  }
  // How the arriving link ends decides what is written.
  if (own.link === 'arriving') return NONE;
  if (row.msid === msid) return { kind: 'release', epoch: row.epoch };
  const isAbandoned = row.status === 'Connecting' && connectingMs >= CONNECTING_LIMIT_MS;
  if (isAbandoned && row.changed !== undefined) return { kind: 'abandon', epoch: row.epoch, changed: row.changed };
  return NONE;
}
