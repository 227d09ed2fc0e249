import type { Kysely } from 'kysely';
import { fullJitter } from '../../lib/backoff.js';
import { type Clock, delay } from '../../lib/clock.js';
import type { Random } from '../../lib/random.js';
import type { Line } from './line.js';
import type { Schema } from './schema.js';
import { StoreError, type StoreErrorCode } from './store-error.js';

/**
 * A dialect, opened. Read-only transactions see one moment; of those that write, SQLite lets one run at a time, and
 * others may lose to each other, which `judge` then calls `again`.
 */
export interface SqlDatabase {
  readonly kysely: Kysely<Schema>;
  /**
   * Where calls that write stand in line, if the database lets one write at a time. Only the first in line tries: a
   * thousand callers that each block for a moment to learn that it is busy would hold up the event loop for seconds.
   */
  readonly writers?: Line;
  judge(error: unknown): Verdict;
  close(): Promise<void>;
}

/**
 * What an error means: `again` when the whole transaction may be carried out anew (the database was busy, or another
 * server inserted the same key first), `not-ours` for what did not come from the database.
 */
export type Verdict = StoreErrorCode | 'again' | 'not-ours';

/** Time and chance for the waits between attempts. */
export interface AttemptEnv {
  readonly clock: Clock;
  readonly random: Random;
}

/** No call to the store takes longer than this, however many attempts it needs. */
export const CALL_LIMIT_MS = 2_000;

/** The commit that is in our way is done in a few milliseconds, unless many stand in line. */
const RETRY = { baseMs: 4, maxMs: 100 };

/** Tries `work` until the database lets it, or `deadline` has come; asynchronously, since SQLite's own wait would hold up the event loop. */
export async function attempt<T>(
  operation: string,
  judge: SqlDatabase['judge'],
  { clock, random }: AttemptEnv,
  work: () => Promise<T>,
  deadline: number,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      const verdict = judge(error);
      if (verdict === 'not-ours') throw error;
      if (verdict !== 'again') throw new StoreError(verdict, operation, { cause: error });
      const waitMs = fullJitter(failures, RETRY, random.uniform());
      if (clock.now() + waitMs >= deadline) throw new StoreError('STORE_BUSY', operation, { cause: error });
      await delay(clock, waitMs);
    }
  }
}
