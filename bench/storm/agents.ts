import type { AgentEvent, Effect } from '#dist/agent/agent-events.js';
import { initialState, nextDue } from '#dist/agent/agent-state.js';
import { next } from '#dist/agent/agent-step.js';
import type { AgentRules } from '#dist/agent/steps/step.js';
import { fullJitter } from '#dist/lib/backoff.js';

/** An agent of a storm, whatever its program: what happens to it, and what it does, are in the words of Muster's. */
export interface StormAgent {
  /** When it acts by itself; undefined: never. */
  readonly dueAt: number | undefined;
  /** After so long it gives up a connection on which TLS is not done, milliseconds. */
  readonly handshakeLimitMs: number;
  on(event: AgentEvent, now: number): readonly Effect[];
}

/** How agents of one kind wait, in milliseconds. */
export interface Waits {
  readonly handshakeLimitMs: number;
  /** Before the first dial after a loss. */
  first(uniform: number): number;
  /** After a dial that has failed. @param failures 1 for the first */
  after(failures: number, uniform: number): number;
}

/** agent.properties has these where nothing else is said. */
const RULES: AgentRules = {
  failoverSpreadMs: 500,
  backoff: { baseMs: 5_000, maxMs: 60_000 },
  checkIntervalMs: undefined,
};
const MUSTER_HANDSHAKE_LIMIT_MS = 30_000;

/** CloudStack's agent: 5 s of sleep, and 5 s of backoff, always; NioClient gives TLS 15 s. Timers differ by some milliseconds. */
export const CONSTANT: Waits = {
  handshakeLimitMs: 15_000,
  first: uniform => 10_000 + 100 * uniform,
  after: (_, uniform) => 5_000 + 100 * uniform,
};

/** The same with the backoff that is advised everywhere. */
export const FULL_JITTER: Waits = {
  handshakeLimitMs: 15_000,
  first: uniform => fullJitter(1, RULES.backoff, uniform),
  after: (failures, uniform) => fullJitter(failures, RULES.backoff, uniform),
};

/** Dials the hosts of its list one after another, and waits after each. */
export class WaitingAgent implements StormAgent {
  readonly #waits: Waits;
  readonly #hosts: readonly string[];
  readonly #random: () => number;
  #next = 0;
  #failures = 0;
  #dials = 0;
  dueAt: number | undefined = 0;

  constructor(hosts: readonly string[], waits: Waits, random: () => number) {
    this.#hosts = hosts;
    this.#waits = waits;
    this.#random = random;
  }

  get handshakeLimitMs(): number {
    return this.#waits.handshakeLimitMs;
  }

  on(event: AgentEvent, now: number): readonly Effect[] {
    switch (event.kind) {
      case 'tick':
        this.dueAt = undefined;
        return [dial(++this.#dials, this.#hosts[this.#next++ % this.#hosts.length] ?? '')];
      case 'connected':
        return [{ kind: 'proceed', id: event.id }];
      case 'dial-failed':
        this.dueAt = now + this.#waits.after(++this.#failures, this.#random());
        return [];
      case 'ready':
        this.#failures = 0;
        return [];
      case 'lost':
        this.dueAt = now + this.#waits.first(this.#random());
        return [];
      default:
        return [];
    }
  }
}

function dial(id: number, host: string): Effect {
  return { kind: 'dial', id, host, transferred: false, unlike: undefined, leavesServer: false, isUrgent: true };
}

/** Muster's agent: its decisions are those of the program. */
export class MusterAgent implements StormAgent {
  readonly handshakeLimitMs = MUSTER_HANDSHAKE_LIMIT_MS;
  readonly #random: () => number;
  #state;

  constructor(hosts: readonly string[], algorithm: string, random: () => number) {
    this.#random = random;
    const list = { hosts, algorithm };
    this.#state = initialState({ list, lastCompleted: list, credentials: '', idle: undefined });
  }

  get dueAt(): number | undefined {
    return nextDue(this.#state);
  }

  on(event: AgentEvent, now: number): readonly Effect[] {
    const { state, effects } = next(this.#state, event, { rules: RULES, now, random: this.#random, busy: false });
    this.#state = state;
    return effects;
  }
}
