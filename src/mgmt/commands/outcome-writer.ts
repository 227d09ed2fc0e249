import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { NewCommandOutcome, Store } from '../store/store.js';
import { retryWhileAway } from '../store/store-health.js';

export interface OutcomeWriterParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store, 'commandOutcomes'>;
  readonly uuid: string;
  /** This server. */
  readonly msid: number;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  /** They are in the store. */
  onWritten(outcomes: readonly NewCommandOutcome[]): void;
}

const BATCH_MS = 100;
const BATCH_ROWS = 100;
const BATCH_LENGTH = 4 * 2 ** 20;

/** Writes outcomes in batches: one transaction for each would cost more than the commands do. */
export class OutcomeWriter {
  readonly #parts: OutcomeWriterParts;
  #batch: NewCommandOutcome[] = [];
  #length = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(parts: OutcomeWriterParts) {
    this.#parts = parts;
  }

  add(outcome: NewCommandOutcome): void {
    this.#batch.push(outcome);
    this.#length += outcome.answers?.length ?? 0;
    if (this.#batch.length >= BATCH_ROWS || this.#length >= BATCH_LENGTH) this.flush();
    else this.#timer ??= this.#parts.clock.after(BATCH_MS, () => this.flush());
  }

  /** Until all are in the store. @throws StoreError: the store has refused some; the reason of `stopping` */
  async end(): Promise<void> {
    this.flush();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Writes those that wait for a batch. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#length = 0;
    this.#writing = this.#writing.then(() => this.#write(batch));
  }

  async #write(batch: readonly NewCommandOutcome[]): Promise<void> {
    const { clock, log, store, uuid, msid, stopping, onWritten } = this.#parts;
    try {
      await retryWhileAway({ clock, stopping }, () => store.commandOutcomes(uuid, batch, msid));
      onWritten(batch);
    } catch (error) {
      this.#failure ??= error;
      if (!stopping.aborted)
        log.error('Outcomes of commands could not be written', { job: uuid, reason: reasonOf(error) });
    }
  }
}
