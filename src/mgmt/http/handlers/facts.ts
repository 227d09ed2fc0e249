import { type LinkFact, unpackLinkFacts } from '../../hosts/link-facts.js';
import type { HostRow } from '../../store/store.js';
import type { Administration } from '../administration.js';

/** A fact, and how old it is. */
export interface AgedLinkFact {
  readonly fact: LinkFact;
  readonly ageSeconds: number;
}

/**
 * What the servers know of their agents' links: our own as it is now, the others' as they wrote it last.
 * @returns the fact of a host's present link; undefined when its server has not written one since it is Ready there
 */
export async function readFacts({
  store,
  msid,
  ownLinks,
}: Administration): Promise<(host: HostRow) => AgedLinkFact | undefined> {
  const facts = new Map<number, Map<number, AgedLinkFact>>();
  const put = (server: number, links: Iterable<LinkFact>, ageSeconds: number) => {
    facts.set(server, new Map([...links].map(fact => [fact.hostId, { fact, ageSeconds }])));
  };
  for (const row of await store.linkFacts()) {
    if (row.msid !== msid) put(row.msid, unpackLinkFacts(row.facts), Math.round(row.ageMs / 1000));
  }
  put(msid, ownLinks(), 0);
  return host => {
    if (host.status !== 'Up' || host.msid === null) return undefined;
    // A server that died, or that had the host before, goes on saying what it knew then.
    const aged = facts.get(host.msid)?.get(host.id);
    return aged !== undefined && aged.fact.since >= readyAt(host) - SAME_MS ? aged : undefined;
  };
}

/** The row and the fact are of one moment, a tick apart. */
const SAME_MS = 1_000;

/** When the host became Ready: pings are not written to its row. */
export function readyAt({ lastPing }: HostRow): number {
  return lastPing ?? 0;
}
