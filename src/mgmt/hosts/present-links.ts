import type { HostRow, Store } from '../store/store.js';
import { type LinkFact, unpackLinkFacts } from './link-facts.js';

export interface PresentLinksParts {
  readonly store: Pick<Store, 'linkFacts'>;
  /** Of this server. */
  readonly msid: number;
  /** The links of this server's agents, as they are now. */
  ownLinks(): readonly LinkFact[];
}

/** What is known of a link, and how old that is. */
export interface AgedLinkFact {
  readonly fact: LinkFact;
  readonly ageSeconds: number;
}

/**
 * What the servers know of their agents' links: this server's as they are now, the others' as they wrote them last.
 * @returns what is known of a host's present link; undefined when its server has written nothing since it became Ready
 * @throws StoreError
 */
export async function presentLinks({
  store,
  msid,
  ownLinks,
}: PresentLinksParts): Promise<(host: HostRow) => AgedLinkFact | undefined> {
  const links = new Map<number, Map<number, AgedLinkFact>>();
  const put = (server: number, facts: Iterable<LinkFact>, ageSeconds: number) => {
    links.set(server, new Map([...facts].map(fact => [fact.hostId, { fact, ageSeconds }])));
  };
  for (const row of await store.linkFacts()) {
    if (row.msid !== msid) put(row.msid, unpackLinkFacts(row.facts), Math.round(row.ageMs / 1000));
  }
  put(msid, ownLinks(), 0);
  return host => {
    if (host.status !== 'Up' || host.msid === null) return undefined;
    // Facts of an earlier link stay in the store until their server writes again, which a dead one does not.
    const aged = links.get(host.msid)?.get(host.id);
    return aged !== undefined && aged.fact.since >= readyAt(host) - SAME_MS ? aged : undefined;
  };
}

/** The row and the fact are of one moment, and may differ by a little. */
const SAME_MS = 1_000;

/** When the link became Ready. `lastPing` of a row is written then; later pings are not. */
function readyAt({ lastPing }: HostRow): number {
  return lastPing ?? 0;
}
