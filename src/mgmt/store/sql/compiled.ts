import type { Compilable, CompiledQuery, DialectAdapter, Kysely } from 'kysely';
import { repeatedToPowerOfTwo } from './batches.js';
import type { SqlDatabase } from './database.js';
import type { Schema } from './schema.js';

/** Carries a statement out with other values. */
type Compiled<Given, Row> = (db: Kysely<Schema>, given: Given) => Promise<CompiledResult<Row>>;

interface CompiledResult<Row> {
  readonly rows: readonly Row[];
  /** That it has written, or has found equal. */
  readonly affected: number;
}

/**
 * A statement that is carried out often: Kysely builds and compiles it once for each database, and it is kept with the places
 * of its values.
 * @param build must not look at the values: in their place it gets something that no column could hold. All calls give
 * values of the same names
 */
export function compiledOnce<Given extends object, Row = never>(
  build: (db: Kysely<Schema>, given: Given) => Compilable<Row>,
): Compiled<Given, Row> {
  // The databases of a process may differ in their dialects; the adapter belongs to one.
  const compiled = new WeakMap<DialectAdapter, CompiledQuery<Row>>();
  return async (db, given) => {
    const { adapter } = db.getExecutor();
    let query = compiled.get(adapter);
    if (query === undefined) {
      query = build(db, placesOf(given)).compile();
      compiled.set(adapter, query);
    }
    const parameters = query.parameters.map(value => (value instanceof Place ? value.of(given) : value));
    const bound: CompiledQuery<Row> = { ...query, parameters };
    const { rows, numAffectedRows = 0n } = await db.executeQuery(bound);
    return { rows, affected: Number(numAffectedRows) };
  };
}

/** The same for a statement with an `in (…)`: compiled for each power of two. @returns its rows; none for no values */
export function compiledForList<Value extends string | number, Row>(
  build: (db: Kysely<Schema>, values: readonly Value[]) => Compilable<Row>,
): (db: Kysely<Schema>, values: readonly Value[]) => Promise<readonly Row[]> {
  const byLength = new Map<number, Compiled<readonly Value[], Row>>();
  return async (db, values) => {
    if (values.length === 0) return [];
    const padded = repeatedToPowerOfTwo(values);
    let compiled = byLength.get(padded.length);
    if (compiled === undefined) {
      compiled = compiledOnce(build);
      byLength.set(padded.length, compiled);
    }
    return (await compiled(db, padded)).rows;
  };
}

/**
 * Writes rows, each with values of its own. Where a statement costs a round trip, many rows share one. Elsewhere each row has
 * its own, which is compiled once: a statement for many rows has another text for each number of them.
 */
export function rowWriter<Row extends object>(
  database: SqlDatabase,
  build: (db: Kysely<Schema>, rows: readonly Row[]) => Compilable<unknown>,
): (db: Kysely<Schema>, rows: readonly Row[]) => Promise<void> {
  const writeOne = compiledOnce<Row, unknown>((db, row) => build(db, [row]));
  return async (db, rows) => {
    if (database.rowsAStatement === 1) {
      for (const row of rows) await writeOne(db, row);
      return;
    }
    for (let from = 0; from < rows.length; from += database.rowsAStatement) {
      await db.executeQuery(build(db, rows.slice(from, from + database.rowsAStatement)).compile());
    }
  };
}

/** Stands for a value while a statement is built. */
class Place {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  of(given: object): unknown {
    return Reflect.get(given, this.#name);
  }
}

function placesOf<Given extends object>(given: Given): Given {
  const places = Object.entries(given).map(([name]) => [name, new Place(name)] as const);
  // Only Kysely gets them, which takes any object for a value.
  return (Array.isArray(given) ? places.map(([, place]) => place) : Object.fromEntries(places)) as Given;
}
