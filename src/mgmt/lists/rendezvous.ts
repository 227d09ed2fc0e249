import { type Hash64, hash64, uniformOf } from './score-hash.js';

/** Weights by the server's address. A server without one has weight 1. Other addresses are ignored. */
export type Weights = ReadonlyMap<string, number>;

/**
 * Highest random weight: each agent has a score for each server, which depends on the two and the server's weight alone,
 * and prefers the highest. When a server is removed, each agent's order of the others stays as it is. The agents that
 * preferred it go to the next server of their lists, which spreads them over all others by weight.
 */
export function rendezvous(hostId: number, servers: readonly string[], weights: Weights): readonly string[] {
  return byScore(agentHash(hostId), contendersOf(servers, weights)).map(({ address }) => address);
}

/** An agent's list: its assigned server, if that is still in the list, then the others by score. */
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

/** A server, with what scores need of it. */
export interface Contender {
  readonly address: string;
  readonly weight: number;
  readonly hash: Hash64;
}

/** Ascending by address, so that no result depends on the order in which the servers are configured. */
export function contendersOf(servers: readonly string[], weights: Weights): readonly Contender[] {
  return servers
    .map(address => ({ address, weight: weights.get(address) ?? 1, hash: hash64(address) }))
    .sort((one, other) => (one.address < other.address ? -1 : 1));
}

/** The hash of the host id, which no restart, certificate or address of the host changes. */
export function agentHash(hostId: number): Hash64 {
  return hash64(String(hostId));
}

/**
 * The agent's score of a server. −ln u / w is exponentially distributed with rate w, so the probability that a server has
 * the smallest value is in proportion to its weight. The score is the inverse of that value.
 */
export function scoreOf(agent: Hash64, server: Contender): number {
  return -server.weight / Math.log(uniformOf(agent, server.hash));
}

/** The highest first, and by address where two are equal. */
export function byScore(agent: Hash64, contenders: readonly Contender[]): readonly Contender[] {
  const scored = contenders.map(contender => ({ contender, score: scoreOf(agent, contender) }));
  // The sort is stable, and the input ascends by address.
  return scored.sort((one, other) => other.score - one.score).map(({ contender }) => contender);
}
