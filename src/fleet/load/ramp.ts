/** The event loop of a process that has time comes to a timer no later. In ms. */
const LATE_MS = 25;
/** Agents that are due within this are started together. */
const STEP_MS = 10;

/** It stands still for long when it does for a second, and for a tenth of the time. */
const LONG = { ms: 1_000, part: 0.1 } as const;

/** What is to be done now. */
export interface RampStep {
  /** How many agents are to have started. */
  readonly due: number;
  /** After so many milliseconds the next step; undefined: all have started. */
  readonly waitMs: number | undefined;
}

/**
 * When agents start, at a rate: the first at once, the others evenly behind it. A process that is busy with the agents that it has
 * started comes late to the next ones. Then its time is what is measured, and not the servers': the ramp stands still
 * meanwhile, and does not make up for it, or ever more agents would be on their way, and none would arrive.
 */
export class Ramp {
  readonly #agents: number;
  readonly #perSecond: number | undefined;
  #elapsedMs = 0;
  #heldMs = 0;
  #lookedAt: number;
  #waitMs = 0;

  /**
   * @param perSecond undefined: all at once
   * @param now milliseconds of the clock by which the steps are done
   */
  constructor(agents: number, perSecond: number | undefined, now: number) {
    this.#agents = agents;
    this.#perSecond = perSecond;
    this.#lookedAt = now;
  }

  /** For how long it has stood still, in ms. */
  get heldMs(): number {
    return this.#heldMs;
  }

  /** Whether the agents start more slowly than at the rate. */
  get isHeldBack(): boolean {
    return this.#heldMs > Math.max(LONG.ms, LONG.part * (this.#elapsedMs + this.#heldMs));
  }

  step(now: number): RampStep {
    const passedMs = now - this.#lookedAt;
    const countedMs = Math.min(passedMs, this.#waitMs + LATE_MS);
    this.#lookedAt = now;
    this.#elapsedMs += countedMs;
    this.#heldMs += passedMs - countedMs;
    const due = startedBy(this.#elapsedMs, this.#perSecond, this.#agents);
    if (due >= this.#agents) return { due, waitMs: undefined };
    this.#waitMs = Math.max(STEP_MS, startsAtMs(due, this.#perSecond) - this.#elapsedMs);
    return { due, waitMs: this.#waitMs };
  }
}

/** @returns milliseconds after the start of the ramp. @param index from 0 @param perSecond undefined: all at once */
function startsAtMs(index: number, perSecond: number | undefined): number {
  return perSecond === undefined ? 0 : (1_000 * index) / perSecond;
}

/** How many agents are to have started so long after the start of the ramp. */
function startedBy(elapsedMs: number, perSecond: number | undefined, agents: number): number {
  if (perSecond === undefined) return agents;
  return Math.min(agents, Math.floor((elapsedMs * perSecond) / 1_000 + 1e-9) + 1);
}
