import type { Clock } from '../../lib/clock.js';

export interface RareEventsParts {
  readonly clock: Pick<Clock, 'now'>;
  /** How long the same is not told again. */
  readonly everyMs: number;
  /** How many different ones are told within that time. */
  readonly most: number;
}

/** What strangers cause is told to operators once for each case, and for so many cases: nobody fills the events. */
export class RareEvents {
  readonly #parts: RareEventsParts;
  /** When each was told last, by the clock; oldest first. */
  readonly #toldAt = new Map<string, number>();

  constructor(parts: RareEventsParts) {
    this.#parts = parts;
  }

  /** @param key what makes it the same case @returns whether it is to be told; then it counts as told */
  isDue(key: string): boolean {
    const { clock, everyMs, most } = this.#parts;
    const now = clock.now();
    for (const [other, at] of this.#toldAt) {
      if (now - at < everyMs) break;
      this.#toldAt.delete(other);
    }
    if (this.#toldAt.has(key) || this.#toldAt.size >= most) return false;
    this.#toldAt.set(key, now);
    return true;
  }
}
