/** Limits how many tasks run at the same time. The others wait, in the order in which they came. */
export class Semaphore {
  readonly #waiting = new Set<() => void>();
  readonly #permits: number;
  #taken = 0;

  /** @param permits how many tasks run at the same time */
  constructor(permits = 1) {
    this.#permits = permits;
  }

  /**
   * Waits for a permit.
   * @param signal ends the wait @throws its reason
   * @returns a function that gives the permit back; a second call of it does nothing
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#taken < this.#permits) this.#taken++;
    else await this.#wait(signal);
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#release();
    };
  }

  /**
   * Does the work with a permit.
   * @param signal ends the wait for it @throws its reason
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(admit);
        reject(signal?.reason);
      };
      const admit = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      this.#waiting.add(admit);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Gives the permit to the first that waits: a task that comes now must not be earlier. */
  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
