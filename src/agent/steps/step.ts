import type { BackoffOptions } from '../../lib/backoff.js';
import type { Effect } from '../agent-events.js';
import type { AgentState } from '../agent-state.js';

/** Settings of agent.properties that decisions depend on. */
export interface AgentRules {
  /** The first attempt after a loss comes after a random time up to this. File: `failover.spread.ms`. */
  readonly failoverSpreadMs: number;
  /** The wait after a cycle in which every host has failed. File: `backoff.seconds`; at most 60 s. */
  readonly backoff: BackoffOptions;
  /** Between checks of the preferred host; 0 is off. Beats the server's. File: `host.lb.check.interval` (seconds). */
  readonly checkIntervalMs: number | undefined;
}

/** What a step is given beside the state and the event: the rules, the time, chance, and whether the agent is busy. */
export interface StepInput {
  readonly rules: AgentRules;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The resource is still working on commands of the connected server. */
  readonly busy: boolean;
}

/** The next state, and the effects to perform, in order. */
export type Step = readonly [AgentState, ...Effect[]];

/** The same step, with the effects `first` performed before its own. */
export function prependEffects([state, ...effects]: Step, ...first: readonly Effect[]): Step {
  return [state, ...first, ...effects];
}

export function log(
  level: 'error' | 'warn' | 'info',
  message: string,
  fields?: Readonly<Record<string, string | number>>,
): Effect {
  return { kind: 'log', level, message, ...(fields && { fields }) };
}
