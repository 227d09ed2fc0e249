import type { StormFigures } from '../storm.js';
import type { CrowdEvent } from './crowd-agent.js';
import { monotonicMs } from './monotonic.js';

/** As of a simulated storm, but when the last was Ready as `monotonicMs` has it. */
export type CrowdFigures = Omit<StormFigures, 'lastReadyMs'> & { readonly lastReadyAt: number };

/** Counts what the agents of a crowd do in one storm. */
export class Tally {
  readonly #due: ReadonlySet<number>;
  readonly #back = new Set<number>();
  /** By agent. */
  readonly #dials = new Map<number, number>();
  readonly #dialsOfSecond = new Map<number, number>();
  readonly #hasGivenUp = new Set<number>();
  readonly #repeated = new Set<number>();
  #refused = 0;
  #closed = 0;
  #lastReadyAt = 0;
  #onAllBack = () => {};

  /** @param due the agents that are to become Ready */
  constructor(due: Iterable<number>) {
    this.#due = new Set(due);
  }

  get agents(): number {
    return this.#due.size;
  }

  note(agent: number, what: CrowdEvent): void {
    if (!this.#due.has(agent)) return;
    switch (what) {
      case 'dialled':
        increment(this.#dials, agent);
        increment(this.#dialsOfSecond, Math.floor(monotonicMs() / 1_000));
        if (this.#hasGivenUp.has(agent)) this.#repeated.add(agent);
        break;
      case 'refused':
        this.#refused++;
        break;
      case 'closed':
        this.#closed++;
        break;
      case 'gave-up':
        this.#hasGivenUp.add(agent);
        break;
      case 'ready':
        this.#back.add(agent);
        this.#lastReadyAt = monotonicMs();
        if (this.#back.size === this.#due.size) this.#onAllBack();
        break;
      case 'lost':
        this.#back.delete(agent);
        break;
    }
  }

  /** Resolves when all are Ready, or the time is over. */
  async end(withinMs: number): Promise<CrowdFigures> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, withinMs);
      this.#onAllBack = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#back.size === this.#due.size) this.#onAllBack();
    });
    const dials = [...this.#dials.values()];
    return {
      attempts: { mean: sumOf(dials) / this.#due.size, most: mostOf(dials) },
      peakDials: mostOf(this.#dialsOfSecond.values()),
      repeated: this.#repeated.size,
      refused: this.#refused,
      closed: this.#closed,
      notReady: this.#due.size - this.#back.size,
      lastReadyAt: this.#lastReadyAt,
    };
  }
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sumOf(numbers: Iterable<number>): number {
  let sum = 0;
  for (const one of numbers) sum += one;
  return sum;
}

function mostOf(numbers: Iterable<number>): number {
  let most = 0;
  for (const one of numbers) most = Math.max(most, one);
  return most;
}
