import { type Kysely, type RawBuilder, sql } from 'kysely';
import { HOSTS_A_BATCH } from '../host-store.js';
import { ROWS_A_PAGE } from '../page.js';
import type { Schema } from './schema.js';

/** Old rows that a call deletes at most: others get their turn between two calls. */
export const DELETED_A_CALL = 1_000;

/** @returns how many rows it has deleted */
export async function deleteById(
  db: Kysely<Schema>,
  table: 'alert' | 'async_job' | 'enrollment_token' | 'event',
  rows: readonly { readonly id: number }[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  const { numDeletedRows } = await db.deleteFrom(table).where('id', 'in', ids).executeTakeFirst();
  return Number(numDeletedRows);
}

/** A batch that is too large is a mistake of the caller's. */
export function bounded<T>(batch: readonly T[]): readonly T[] {
  if (batch.length > HOSTS_A_BATCH)
    throw new RangeError(`${batch.length} hosts at once; the limit is ${HOSTS_A_BATCH}`);
  return batch;
}

/** @throws RangeError for a page that is too large, by a mistake of the caller's */
export function checkPageSize(rows: number): void {
  if (rows > ROWS_A_PAGE) throw new RangeError(`${rows} rows on a page; the limit is ${ROWS_A_PAGE}`);
}

/**
 * Values for an `in (…)`. The last one is repeated until their number is a power of two: each number of values is
 * another statement that has to be prepared.
 */
export function repeatedToPowerOfTwo<T>(values: readonly T[]): readonly T[] {
  const last = values.at(-1);
  if (last === undefined) return values;
  const length = 2 ** Math.ceil(Math.log2(values.length));
  return [...values, ...new Array<T>(length - values.length).fill(last)];
}

/** A CASE is gone through for every row of its statement, so that its length counts twice. */
export const HOSTS_A_PIECE = 100;

/** Cuts a batch, in its order, into pieces for one statement, in which each host occurs once. */
export function* inPieces<T>(batch: readonly T[], keyOf: (entry: T) => string | number): Generator<readonly T[]> {
  let piece = new Map<string | number, T>();
  for (const entry of batch) {
    const key = keyOf(entry);
    if (piece.size === HOSTS_A_PIECE || piece.has(key)) {
      yield [...piece.values()];
      piece = new Map();
    }
    piece.set(key, entry);
  }
  if (piece.size > 0) yield [...piece.values()];
}

/** For each host its own value; one value for all is written as such. */
export function byId<T extends { readonly id: number }, V>(
  entries: readonly T[],
  valueFor: (entry: T) => V,
): RawBuilder<Exclude<V, object>> {
  const values = entries.map(valueFor);
  if (values.every(value => value === values[0])) return sql`${values[0]}`;
  const cases = entries.map(({ id }, i) => sql`when ${id} then ${values[i]}`);
  return sql`case id ${sql.join(cases, sql` `)} end`;
}
