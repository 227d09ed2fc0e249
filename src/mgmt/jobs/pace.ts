/** When agents may go to each target, so that none gets more than it can take. Moments: monotonic milliseconds. */
export class Pace {
  readonly #free = new Map<string, number>();

  /** How long until the next free moment of a target. */
  waitMs(target: string, now: number): number {
    return Math.max(now, this.#free.get(target) ?? 0) - now;
  }

  /**
   * Takes the next free moment of a target.
   * @param rate agents a second
   * @returns how long to wait for it
   */
  take(target: string, rate: number, now: number): number {
    const waitMs = this.waitMs(target, now);
    this.#free.set(target, now + waitMs + 1_000 / rate);
    return waitMs;
  }
}
