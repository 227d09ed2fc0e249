import { type Interruptible, workCounter } from '../../lib/interruptible.js';

/** Where an agent is, and where it would go. */
export interface PlacedAgent {
  /** The address of the server that has it. */
  readonly server: string;
  /** Its list. */
  readonly hosts: readonly string[];
}

/** What the death of another server would mean to one that takes agents. */
export interface Survivor {
  /** The agents that it would have if that server died whose death is worst for it; Infinity: there is no other. */
  readonly load: number;
  /** Its own agents that would have nowhere to go if it died itself. */
  readonly stranded: number;
}

/** Agents a step: the list of each is computed for it. */
const AGENTS_PER_STEP = 100;

/**
 * What each server would have after the death of another one: the agents of a dead one go to the next server of their lists
 * that takes agents. Pure.
 * @param takers the addresses of the servers that take agents
 * @returns by address
 */
export function* survivors(
  agents: Iterable<PlacedAgent>,
  takers: ReadonlySet<string>,
): Interruptible<ReadonlyMap<string, Survivor>> {
  const isStepFull = workCounter(AGENTS_PER_STEP);
  const counts = new Map<string, number>();
  const stranded = new Map<string, number>();
  /** By the server that dies: how many of its agents each of the others would get. */
  const heirs = new Map([...takers].map(server => [server, new Map<string, number>()]));
  for (const { server, hosts } of agents) {
    addOne(counts, server);
    const ofServer = heirs.get(server);
    const next = hosts.find(host => host !== server && takers.has(host));
    if (ofServer !== undefined) addOne(next === undefined ? stranded : ofServer, next ?? server);
    if (isStepFull(1)) yield;
  }
  const all = [...takers].map(server => {
    const gains = [...heirs].filter(([dead]) => dead !== server).map(([, ofDead]) => ofDead.get(server) ?? 0);
    const worst = gains.reduce((most, gain) => Math.max(most, gain), gains.length === 0 ? Number.POSITIVE_INFINITY : 0);
    return [server, { load: (counts.get(server) ?? 0) + worst, stranded: stranded.get(server) ?? 0 }] as const;
  });
  return new Map(all);
}

/**
 * How many agents the fullest server would have if that server died whose death is worst.
 * @returns Infinity when agents would have nowhere to go, or no server takes agents
 */
export function fullestSurvivor(all: ReadonlyMap<string, Survivor>): number {
  const loads = [...all.values()].map(({ load, stranded }) => (stranded > 0 ? Number.POSITIVE_INFINITY : load));
  return loads.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...loads);
}

function addOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
