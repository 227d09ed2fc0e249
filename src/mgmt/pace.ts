/** When agents may go to each target, so that none gets more than it can take. Moments: monotonic milliseconds. */
export class Pace {
  readonly #free = new Map<string, number>();

  /**
   * Takes the next free moment of a target.
   * @param rate agents a second
   * @returns how long to wait for it
   */
  take(target: string, rate: number, now: number): number {
    const at = Math.max(now, this.#free.get(target) ?? 0);
    this.#free.set(target, at + 1_000 / rate);
    return at - now;
  }
}
