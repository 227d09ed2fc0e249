import type { Clock, Timer } from '../../lib/clock.js';

/** The clock of one agent, which can be made to stand still: what falls due meanwhile is called when it goes on. */
export class HaltingClock implements Clock {
  readonly #clock: Clock;
  #isHalted = false;
  /** What has fallen due while it stood still, and was not called yet. */
  #held: Set<HaltingTimer> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Time goes by, as for a process that is stopped. */
  now(): number {
    return this.#clock.now();
  }

  wallTime(): number {
    return this.#clock.wallTime();
  }

  after(delayMs: number, callback: () => void): Timer {
    return new HaltingTimer(this, this.#clock, delayMs, callback);
  }

  turn(): Promise<void> {
    return this.#clock.turn();
  }

  halt(): void {
    this.#isHalted = true;
  }

  goOn(): void {
    this.#isHalted = false;
    for (const timer of this.#held ?? []) {
      this.#held?.delete(timer);
      timer.call();
    }
    this.#held = undefined;
  }

  /** A timer has fallen due. */
  due(timer: HaltingTimer): void {
    if (!this.#isHalted) {
      timer.call();
      return;
    }
    this.#held ??= new Set();
    this.#held.add(timer);
  }

  cancelled(timer: HaltingTimer): void {
    this.#held?.delete(timer);
  }
}

class HaltingTimer implements Timer {
  readonly #owner: HaltingClock;
  readonly #timer: Timer;
  readonly #callback: () => void;

  constructor(owner: HaltingClock, clock: Clock, delayMs: number, callback: () => void) {
    this.#owner = owner;
    this.#callback = callback;
    this.#timer = clock.after(delayMs, () => owner.due(this));
  }

  call(): void {
    this.#callback();
  }

  cancel(): void {
    this.#timer.cancel();
    this.#owner.cancelled(this);
  }
}
