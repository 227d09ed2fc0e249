import type { Clock, Timer } from '../lib/clock.js';

/** Spaces the pings that are sent out of turn, and keeps one that is wanted while there is no Ready link. */
export class OutOfBandPings {
  readonly #clock: Clock;
  readonly #send: () => boolean;
  #lastAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #isWaiting = false;
  #isStopped = false;

  /** @param send returns false when there is no Ready link */
  constructor(clock: Clock, send: () => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  /** One is wanted now, but no sooner than `gapMs` after the last one. */
  want(gapMs: number): void {
    const now = this.#clock.now();
    const dueAt = Math.max(now, this.#lastAt + gapMs);
    if (this.#isStopped || this.#isWaiting || this.#dueAt <= dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = this.#clock.after(dueAt - now, () => this.#fire());
  }

  /** There is a Ready link. */
  ready(): void {
    if (this.#isWaiting) this.#fire();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #fire(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#isWaiting = !this.#send();
    if (!this.#isWaiting) this.#lastAt = this.#clock.now();
  }
}
