/** Lets so many work at once; the others wait in the order of their arrival. */
export class Semaphore {
  readonly #waiting = new Set<() => void>();
  readonly #permits: number;
  #taken = 0;

  /** @param permits how many work at once; with 1 they take turns */
  constructor(permits = 1) {
    this.#permits = permits;
  }

  /**
   * Resolves when a permit is free.
   * @param signal leaves the queue @throws its reason
   * @returns gives the permit back; a second call does nothing
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

  async run<T>(work: () => Promise<T>): Promise<T> {
    const release = await this.acquire();
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

  /** Hands the permit to the first that waits, so that no newcomer overtakes it. */
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
