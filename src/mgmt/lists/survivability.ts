import { type Interruptible, workCounter } from '../../lib/interruptible.js';

/** Where an agent is, and where it would go. */
export interface PlacedAgent {
  /** The address of the server that has it. */
  readonly server: string;
  /** Its list. */
  readonly hosts: readonly string[];
}

/** Agents a step: the list of each is computed for it. */
const AGENTS_PER_STEP = 100;

/**
 * How many agents the fullest server would have if that server died whose death is worst: its agents go to the next server
 * of their lists that takes agents. Pure.
 * @param takers the addresses of the servers that take agents
 * @returns Infinity when agents would have nowhere to go, or no server takes agents
 */
export function* fullestSurvivor(agents: Iterable<PlacedAgent>, takers: ReadonlySet<string>): Interruptible<number> {
  const isStepFull = workCounter(AGENTS_PER_STEP);
  const counts = new Map<string, number>();
  /** By the server that dies: how many of its agents each of the others would get. */
  const heirs = new Map([...takers].map(server => [server, new Map<string, number>()]));
  for (const { server, hosts } of agents) {
    addOne(counts, server);
    const ofServer = heirs.get(server);
    const next = hosts.find(host => host !== server && takers.has(host));
    if (ofServer !== undefined && next === undefined) return Number.POSITIVE_INFINITY;
    if (ofServer !== undefined && next !== undefined) addOne(ofServer, next);
    if (isStepFull(1)) yield;
  }
  let fullest = takers.size < 2 ? Number.POSITIVE_INFINITY : 0;
  for (const [dead, ofDead] of heirs) {
    for (const server of takers) {
      if (server !== dead) fullest = Math.max(fullest, (counts.get(server) ?? 0) + (ofDead.get(server) ?? 0));
    }
  }
  return fullest;
}

function addOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
