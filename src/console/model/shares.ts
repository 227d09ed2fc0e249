import { type Fleet, NOWHERE, whereNow } from './tracks.js';
import { type ServerNow, takesAgents } from './verdict.js';

/** What one server has, beside what it should have. */
export interface Share {
  readonly server: ServerNow;
  /** Its number in the fleet; 0: no host of the fleet was ever on it. */
  readonly number: number;
  readonly agents: number;
  /** Of them, those that prefer another server. */
  readonly guests: number;
  /** Agents that prefer it. */
  readonly preferring: number;
}

export interface Shares {
  readonly shares: readonly Share[];
  /** Agents of each server that takes agents, if all had the same. */
  readonly even: number;
  /** The end of the scale. */
  readonly most: number;
}

/** @param servers in the order in which they are shown */
export function sharesOf({ servers: numbered, tracks }: Fleet, servers: readonly ServerNow[]): Shares {
  const agents = new Map<number, number>();
  const guests = new Map<number, number>();
  const preferring = new Map<number, number>();
  const count = (counts: Map<number, number>, number: number) => counts.set(number, (counts.get(number) ?? 0) + 1);
  for (const track of tracks) {
    const where = whereNow(track);
    if (track.preferred !== NOWHERE) count(preferring, track.preferred);
    if (where <= NOWHERE) continue;
    count(agents, where);
    if (track.preferred !== NOWHERE && where !== track.preferred) count(guests, where);
  }
  const shares = servers.map(server => {
    const number = numbered.findIndex(({ address }) => address === server.address) + 1;
    const of = (counts: ReadonlyMap<number, number>) => counts.get(number) ?? 0;
    return { server, number, agents: of(agents), guests: of(guests), preferring: of(preferring) };
  });
  const all = tracks.length;
  const taking = servers.filter(takesAgents).length;
  const even = taking === 0 ? 0 : all / taking;
  const loads = servers.map(({ survivorLoad }) => survivorLoad ?? 0);
  return { shares, even, most: Math.max(1, ...loads, ...shares.map(share => share.agents)) };
}
