import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';

export interface SweepParts {
  readonly clock: Clock;
  readonly log: Log;
  /** What is deleted, for the log. */
  readonly what: string;
  /** Deletes what is too old, a batch a call. @returns how many @throws StoreError */
  deleteSome(): Promise<number>;
}

const EVERY_MS = 3_600_000;

/** Deletes what is too old once an hour, on each server: whichever is first has the work. */
export class Sweep {
  readonly #parts: SweepParts;
  #sweptAt: number;
  #isSweeping = false;
  #isStopped = false;

  constructor(parts: SweepParts) {
    this.#parts = parts;
    this.#sweptAt = parts.clock.now();
  }

  /** Sweeps if it is due. Never rejects: what has failed is tried again in an hour. */
  async look(): Promise<void> {
    const { clock, log, what } = this.#parts;
    if (this.#isSweeping || clock.now() - this.#sweptAt < EVERY_MS) return;
    this.#isSweeping = true;
    this.#sweptAt = clock.now();
    try {
      // Others get their turn between two batches.
      while (!this.#isStopped && (await this.#parts.deleteSome()) > 0) await clock.turn();
    } catch (error) {
      log.debug(`Old ${what} could not be deleted`, { reason: reasonOf(error) });
    } finally {
      this.#isSweeping = false;
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}
