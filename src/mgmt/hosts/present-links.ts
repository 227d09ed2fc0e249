import type { Clock } from '../../lib/clock.js';
import { type Interruptible, runInTurns, workCounter } from '../../lib/interruptible.js';
import type { HostRow, Store } from '../store/store.js';
import { type LinkStatus, unpackLinkStatus } from './link-status.js';

export interface PresentLinksParts {
  readonly clock: Pick<Clock, 'turn'>;
  readonly store: Pick<Store, 'linkStatus'>;
  /** Of this server. */
  readonly msid: number;
  /** The Ready link of a host at this server, as it is now. */
  ownLink(hostId: number): LinkStatus | undefined;
}

/** What is known of a link, and how old that is. */
export interface AgedLinkStatus {
  readonly link: LinkStatus;
  readonly ageSeconds: number;
}

/** What is known of a host's present link; undefined when its server has written nothing since it became Ready. */
export type LinkOfHost = (
  host: Pick<HostRow, 'id' | 'status' | 'msid'> & Partial<Pick<HostRow, 'lastPing'>>,
) => AgedLinkStatus | undefined;

/** What one server has written, parsed. */
interface ParsedRow {
  readonly updated: number;
  readonly byHost: ReadonlyMap<number, LinkStatus>;
}

/**
 * What the servers know of their agents' links: this server's as they are now, the others' as they wrote them last. What
 * another server has written is read and parsed once, however often it is asked for.
 */
export class PresentLinks {
  readonly #parts: PresentLinksParts;
  #parsed: ReadonlyMap<number, ParsedRow> = new Map();

  constructor(parts: PresentLinksParts) {
    this.#parts = parts;
  }

  /** @throws StoreError */
  async read(): Promise<LinkOfHost> {
    const { clock, store, msid, ownLink } = this.#parts;
    const former = this.#parsed;
    const parsed = new Map<number, ParsedRow>();
    const ages = new Map<number, number>();
    const known = [...former].map(([server, { updated }]) => ({ msid: server, updated }));
    for (const row of await store.linkStatus(known)) {
      const byHost =
        row.packed === undefined ? former.get(row.msid)?.byHost : await runInTurns(linksByHost(row.packed), clock);
      if (byHost !== undefined) parsed.set(row.msid, { updated: row.updated, byHost });
      ages.set(row.msid, Math.round(row.ageMs / 1000));
    }
    this.#parsed = parsed;
    return host => {
      if (host.status !== 'Up' || host.msid === null) return undefined;
      const isOwn = host.msid === msid;
      const link = isOwn ? ownLink(host.id) : parsed.get(host.msid)?.byHost.get(host.id);
      // The status of an earlier link stays in the store until their server writes again, which a dead one does not.
      if (link === undefined || link.since < readyAt(host) - SAME_MS) return undefined;
      return { link, ageSeconds: isOwn ? 0 : (ages.get(host.msid) ?? 0) };
    };
  }

  /** What this server knows without the store. */
  own(): LinkOfHost {
    const { msid, ownLink } = this.#parts;
    return host => {
      const link = host.msid === msid ? ownLink(host.id) : undefined;
      return link && { link, ageSeconds: 0 };
    };
  }
}

/** The links of one server's row. */
function* linksByHost(row: Uint8Array): Interruptible<ReadonlyMap<number, LinkStatus>> {
  const isStepFull = workCounter(LINKS_PER_STEP);
  const byHost = new Map<number, LinkStatus>();
  for (const link of yield* unpackLinkStatus(row)) {
    byHost.set(link.hostId, link);
    if (isStepFull(1)) yield;
  }
  return byHost;
}

const LINKS_PER_STEP = 1_000;

/** The row and the status are of one moment, and differ by a little. */
const SAME_MS = 1_000;

/** When the link became Ready. `lastPing` of a row is written then; later pings are not. */
function readyAt({ lastPing }: Partial<Pick<HostRow, 'lastPing'>>): number {
  return lastPing ?? 0;
}
