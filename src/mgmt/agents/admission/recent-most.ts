/** The greatest of what a number has been within the last while: of this window of time and the one before. */
export class RecentMost {
  readonly #windowMs: number;
  #window = 0;
  #most = 0;
  #mostBefore = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /**
   * @param value what it is now
   * @param now monotonic milliseconds
   * @returns the most that it has been for at least one window of time, and at most two
   */
  note(value: number, now: number): number {
    const window = Math.floor(now / this.#windowMs);
    if (window !== this.#window) {
      this.#mostBefore = window === this.#window + 1 ? this.#most : 0;
      this.#most = 0;
      this.#window = window;
    }
    this.#most = Math.max(this.#most, value);
    return Math.max(this.#most, this.#mostBefore);
  }
}
