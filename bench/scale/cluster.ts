import { assignAll } from '#dist/mgmt/lists/assign.js';
import { listFor } from '#dist/mgmt/lists/rendezvous.js';

/** A change of a cluster's servers. */
export interface ServerChange {
  readonly name: string;
  /** The servers after it. */
  readonly servers: readonly string[];
}

export interface ChangeFigures {
  readonly name: string;
  /** Agents whose preferred server changes. */
  readonly moved: number;
  /** As many as even shares need: the share of the servers that are new, or the agents of those that are gone. */
  readonly even: number;
  /** Agents of the smallest and of the largest server, in parts of an even share. */
  readonly evenness: readonly [number, number];
  readonly cpuMs: number;
}

const NO_WEIGHTS = new Map<string, number>();

/** @returns names of so many servers */
export function serversOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
}

/** What changes of the servers do to agents that `rendezvous` has assigned. The first figures are those of the first assignment. */
export function* changesOf(
  agents: number,
  servers: readonly string[],
  changes: readonly ServerChange[],
): Generator<ChangeFigures> {
  const hosts = Array.from({ length: agents }, (_, index) => ({ hostId: index + 1 }));
  const first = timed(() => assignAll(hosts, servers, NO_WEIGHTS));
  const assigned = hosts.map(({ hostId }, index) => ({ hostId, preferred: first.result.preferred[index] }));
  yield {
    name: 'all are new',
    moved: first.result.changes.length,
    even: agents,
    evenness: evennessOf(first.result.preferred, servers),
    cpuMs: first.cpuMs,
  };
  for (const { name, servers: after } of changes) {
    const { result, cpuMs } = timed(() => assignAll(assigned, after, NO_WEIGHTS));
    const gone = assigned.filter(({ preferred = '' }) => !after.includes(preferred)).length;
    const added = after.filter(server => !servers.includes(server)).length;
    const even = gone + Math.round((agents * added) / after.length);
    yield { name, moved: result.changes.length, even, evenness: evennessOf(result.preferred, after), cpuMs };
  }
}

/**
 * Servers die and stay in the lists: each of their agents goes to the next of its list that lives.
 * @returns agents that go, and how many come to the server that gets fewest and to the one that gets most, in parts of an
 * even share
 */
export function failoverOf(agents: number, servers: readonly string[], dead: readonly string[]) {
  const hosts = Array.from({ length: agents }, (_, index) => ({ hostId: index + 1 }));
  const { preferred } = assignAll(hosts, servers, NO_WEIGHTS);
  const living = servers.filter(server => !dead.includes(server));
  const { result: came, cpuMs } = timed(() =>
    hosts.flatMap(({ hostId }, index) => {
      if (!dead.includes(preferred[index] ?? '')) return [];
      return listFor(hostId, preferred[index], servers, NO_WEIGHTS).find(server => !dead.includes(server));
    }),
  );
  return { moved: came.length, evenness: evennessOf(came, living), cpuMs };
}

function evennessOf(places: readonly (string | undefined)[], servers: readonly string[]): readonly [number, number] {
  const counts = new Map(servers.map(server => [server, 0]));
  for (const server of places) if (server !== undefined) counts.set(server, (counts.get(server) ?? 0) + 1);
  const share = places.length / servers.length;
  return [Math.min(...counts.values()) / share, Math.max(...counts.values()) / share];
}

function timed<T>(work: () => T): { readonly result: T; readonly cpuMs: number } {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { result, cpuMs: (user + system) / 1_000 };
}
