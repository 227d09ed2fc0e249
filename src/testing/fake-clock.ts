import { type Clock, systemClock, type Timer } from '../lib/clock.js';

/**
 * A clock that moves only when told to. `advance` runs what falls due, in order, and lets promises settle in between.
 * @example
 * const clock = new FakeClock();
 * clock.after(1_000, () => console.log('a second later'));
 * await clock.advance(1_000);
 */
export class FakeClock implements Clock {
  #now = 0;
  #setBy = 0;
  #serial = 0;
  readonly #wallStart: number;
  readonly #timers = new Map<number, { due: number; callback: () => void }>();

  constructor(wallStart = Date.UTC(2026, 0, 1)) {
    this.#wallStart = wallStart;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#wallStart + this.#now + this.#setBy;
  }

  after(delayMs: number, callback: () => void): Timer {
    const id = ++this.#serial;
    this.#timers.set(id, { due: this.#now + Math.max(0, delayMs), callback });
    return { cancel: () => void this.#timers.delete(id) };
  }

  turn(): Promise<void> {
    return systemClock.turn();
  }

  /** How many timers are set: a test that stops something expects 0. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Somebody sets the machine's clock: the wall time steps, and nothing else does. */
  setWallTime(byMs: number): void {
    this.#setBy += byMs;
  }

  /** So much time passes at once, as for a process that stands still: what falls due runs late, at the next `advance`. */
  stall(ms: number): void {
    this.#now += ms;
  }

  /** Moves on by `ms`; timers that callbacks set run too when they fall due within it. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      let next: [number, { due: number; callback: () => void }] | undefined;
      for (const entry of this.#timers) {
        if (entry[1].due <= end && (next === undefined || entry[1].due < next[1].due)) next = entry;
      }
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].due);
      next[1].callback();
    }
    this.#now = end;
    await settle();
  }
}

/**
 * Lets pending promises, and what in-memory streams do between turns of the event loop, come to rest.
 * @example
 * agent.ping();
 * await settle();
 */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await systemClock.turn();
}
