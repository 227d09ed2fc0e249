import { type Hash64, hash64, uniformOf } from './score-hash.js';

/** By the server's address; one that is not there weighs 1. Those of servers that are not in the list mean nothing. */
export type Weights = ReadonlyMap<string, number>;

/**
 * Highest random weight: every agent gives every server a score, from nothing but the two and the server's weight, and
 * prefers the highest. A server that leaves changes nobody's order of the others, and those that led with it go to what
 * each has next: to all others, by their weights.
 */
export function rendezvous(hostId: number, servers: readonly string[], weights: Weights): readonly string[] {
  return byScore(agentHash(hostId), contendersOf(servers, weights)).map(({ address }) => address);
}

/** An agent's list: the server that it keeps, when that is still one, then the others as it scores them. */
export function listFor(
  hostId: number,
  preferred: string | undefined,
  servers: readonly string[],
  weights: Weights,
): readonly string[] {
  const order = rendezvous(hostId, servers, weights);
  if (preferred === undefined || !order.includes(preferred)) return order;
  return [preferred, ...order.filter(address => address !== preferred)];
}

/** A server, as far as scores need it. */
export interface Contender {
  readonly address: string;
  readonly weight: number;
  readonly hash: Hash64;
}

/** Ascending by address, so that neither a result nor a tie depends on the order in which they are configured. */
export function contendersOf(servers: readonly string[], weights: Weights): readonly Contender[] {
  return servers
    .map(address => ({ address, weight: weights.get(address) ?? 1, hash: hash64(address) }))
    .sort((one, other) => (one.address < other.address ? -1 : 1));
}

/** The id's digits: what a host has of its own that no restart, certificate or address changes. */
export function agentHash(hostId: number): Hash64 {
  return hash64(String(hostId));
}

/**
 * What the agent gives the server. −ln u / w is how long one waits for something that happens w times in a unit of time on
 * average; the first to happen wins, which each does as often as its weight says. The score is the inverse of that wait.
 */
export function scoreOf(agent: Hash64, server: Contender): number {
  return -server.weight / Math.log(uniformOf(agent, server.hash));
}

/** The highest first, and by address where two are equal. */
export function byScore(agent: Hash64, contenders: readonly Contender[]): readonly Contender[] {
  const scored = contenders.map(contender => ({ contender, score: scoreOf(agent, contender) }));
  // A stable sort of what is ascending by address.
  return scored.sort((one, other) => other.score - one.score).map(({ contender }) => contender);
}
