import type { Kysely, RawBuilder, SelectQueryBuilder } from 'kysely';
import { fullJitter } from '../../../lib/backoff.js';
import { type Clock, delay } from '../../../lib/clock.js';
import type { Random } from '../../../lib/random.js';
import type { Semaphore } from '../../../lib/semaphore.js';
import { StoreError, type StoreErrorCode } from '../store-error.js';
import type { Schema } from './schema.js';

/**
 * A dialect, opened. Read-only transactions see one moment; of those that write, SQLite lets one run at a time, and
 * others may lose to each other, which `judge` then calls `again`.
 */
export interface SqlDatabase {
  readonly kysely: Kysely<Schema>;
  /**
   * The queue of calls that write, if the database lets one write at a time. Only the first in line tries: a
   * thousand callers that each block for a moment to learn that it is busy would hold up the event loop for seconds.
   */
  readonly writers?: Semaphore;
  readonly schema: SchemaDialect;
  /** Behind a network: an answer may never come, so that a call has to be given up while its transaction waits. */
  readonly mayHang: boolean;
  /** How many rows a statement writes at most, where each row has its own values. */
  readonly rowsAStatement: number;
  /** The store's clock in a statement, as milliseconds since 1970: the same for all servers. */
  now(): RawBuilder<number>;
  /** The greater of two numbers, in a statement. */
  greatest(one: RawBuilder<number>, other: RawBuilder<number>): RawBuilder<number>;
  /** The same clock, read. */
  storeTime(db: Kysely<Schema>): Promise<number>;
  /** Rows that are read in order to be written stay as they are until then. */
  locked<DB, TB extends keyof DB, O>(query: SelectQueryBuilder<DB, TB, O>): SelectQueryBuilder<DB, TB, O>;
  judge(error: unknown): Verdict;
  close(): Promise<void>;
}

/** What a migration has to say to each database in its own words. */
export interface SchemaDialect {
  hasColumn(db: Kysely<Schema>, table: string, column: string): Promise<boolean>;
  hasIndex(db: Kysely<Schema>, table: string, index: string): Promise<boolean>;
  dropIndex(db: Kysely<Schema>, table: string, index: string): Promise<void>;
}

/** What an error means; `not-ours` for what did not come from the database. */
export type Verdict =
  | 'not-ours'
  | {
      readonly code: StoreErrorCode;
      /**
       * The whole transaction may be carried out anew: the database was busy, another server inserted the same key
       * first, or another node is there to ask.
       */
      readonly again: boolean;
    };

export const again = (code: StoreErrorCode): Verdict => ({ code, again: true });
export const final = (code: StoreErrorCode): Verdict => ({ code, again: false });

/** Time and chance for the waits between attempts. */
export interface AttemptParts {
  readonly clock: Clock;
  readonly random: Random;
}

/** No call to the store takes longer than this, however many attempts it needs. */
export const CALL_LIMIT_MS = 2_000;

/** The other server's commit takes a few milliseconds, unless many calls wait. */
const RETRY = { baseMs: 4, maxMs: 100 };

/**
 * Tries `work` until the database lets it, or `deadline` has come; asynchronously, since SQLite's own wait would hold up
 * the event loop.
 * @param onAgain told of each failure that is not the last one
 */
export async function attempt<T>(
  operation: string,
  judge: SqlDatabase['judge'],
  { clock, random }: AttemptParts,
  work: () => Promise<T>,
  deadline: number,
  onAgain?: (failure: StoreError) => void,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      const verdict = judge(error);
      if (verdict === 'not-ours') throw error;
      const failure = new StoreError(verdict.code, operation, { cause: error });
      const waitMs = fullJitter(failures, RETRY, random.uniform());
      if (!verdict.again || clock.now() + waitMs >= deadline) throw failure;
      onAgain?.(failure);
      await delay(clock, waitMs);
    }
  }
}
