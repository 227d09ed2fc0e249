import type { Clock } from '../../lib/clock.js';
import { runInTurns } from '../../lib/interruptible.js';
import type { HostRow, Store } from '../store/store.js';
import { type LinkFact, unpackLinkFacts } from './link-facts.js';

export interface PresentLinksParts {
  readonly clock: Pick<Clock, 'turn'>;
  readonly store: Pick<Store, 'linkFacts'>;
  /** Of this server. */
  readonly msid: number;
  /** The Ready link of a host at this server, as it is now. */
  ownLink(hostId: number): LinkFact | undefined;
}

/** What is known of a link, and how old that is. */
export interface AgedLinkFact {
  readonly fact: LinkFact;
  readonly ageSeconds: number;
}

/** What is known of a host's present link; undefined when its server has written nothing since it became Ready. */
export type LinkOfHost = (host: HostRow) => AgedLinkFact | undefined;

/** What one server has written, parsed. */
interface ParsedFacts {
  readonly updated: number;
  readonly byHost: ReadonlyMap<number, LinkFact>;
}

/**
 * What the servers know of their agents' links: this server's as they are now, the others' as they wrote them last. What
 * another server has written is read and parsed once, however often it is asked for.
 */
export class PresentLinks {
  readonly #parts: PresentLinksParts;
  #parsed: ReadonlyMap<number, ParsedFacts> = new Map();

  constructor(parts: PresentLinksParts) {
    this.#parts = parts;
  }

  /** @throws StoreError */
  async read(): Promise<LinkOfHost> {
    const { store, msid, ownLink } = this.#parts;
    const former = this.#parsed;
    const parsed = new Map<number, ParsedFacts>();
    const ages = new Map<number, number>();
    const known = [...former].map(([server, { updated }]) => ({ msid: server, updated }));
    for (const row of await store.linkFacts(known)) {
      const byHost = row.facts === undefined ? former.get(row.msid)?.byHost : await this.#byHost(row.facts);
      if (byHost !== undefined) parsed.set(row.msid, { updated: row.updated, byHost });
      ages.set(row.msid, Math.round(row.ageMs / 1000));
    }
    this.#parsed = parsed;
    return host => {
      if (host.status !== 'Up' || host.msid === null) return undefined;
      const isOwn = host.msid === msid;
      const fact = isOwn ? ownLink(host.id) : parsed.get(host.msid)?.byHost.get(host.id);
      // Facts of an earlier link stay in the store until their server writes again, which a dead one does not.
      if (fact === undefined || fact.since < readyAt(host) - SAME_MS) return undefined;
      return { fact, ageSeconds: isOwn ? 0 : (ages.get(host.msid) ?? 0) };
    };
  }

  async #byHost(row: Uint8Array): Promise<ReadonlyMap<number, LinkFact>> {
    const facts = await runInTurns(unpackLinkFacts(row), this.#parts.clock);
    return new Map(facts.map(fact => [fact.hostId, fact]));
  }
}

/** The row and the fact are of one moment, and may differ by a little. */
const SAME_MS = 1_000;

/** When the link became Ready. `lastPing` of a row is written then; later pings are not. */
function readyAt({ lastPing }: HostRow): number {
  return lastPing ?? 0;
}
