import { LIMITS } from '../../../protocol/index.js';
import type { AlgorithmName } from '../../config/parameters.js';

/** With these, all agents of a server have the same next one. */
const ALL_TO_ONE: ReadonlySet<AlgorithmName> = new Set(['static', 'roundrobin']);

/** What the spread of a server's agents depends on. */
export interface SpreadInput {
  /** Agents that would have to go elsewhere at once. */
  readonly agents: number;
  /** Other servers that can take agents. With none, they come back to this one. */
  readonly others: number;
  readonly algorithm: AlgorithmName;
  /** Connections that one server brings to Ready in a second. */
  readonly rate: number;
}

/** A smaller difference is less than `failover.spread.ms`, which agents spread over in any case. */
const LEAST_DIFFERENCE_MS = 250;

/**
 * Whether an agent that was told one spread is to be told another: since it has come, agents have, or servers, or it has been measured
 * how many a server can serve.
 */
export function isOtherSpread(spreadMs: number, toldMs: number): boolean {
  return Math.abs(spreadMs - toldMs) > Math.max(LEAST_DIFFERENCE_MS, toldMs / 4);
}

/**
 * Over how many milliseconds the agents of a server spread their first dials when it is lost, so that the servers that are
 * left have as many connections at a time as they can serve, and no more.
 */
export function spreadMs({ agents, others, algorithm, rate }: SpreadInput): number {
  const targets = ALL_TO_ONE.has(algorithm) ? 1 : Math.max(1, others);
  return Math.min(LIMITS.spreadAtMostMs, Math.round((agents * 1_000) / (rate * targets)));
}
