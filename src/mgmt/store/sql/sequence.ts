import type { Kysely } from 'kysely';
import { compiledForList, compiledOnce } from './compiled.js';
import type { SqlDatabase } from './database.js';
import type { Schema, SequenceTable } from './schema.js';

/**
 * Takes the next `by` values of a counter, in the transaction that uses them, so that no value is given twice.
 * @returns the last of them
 */
export async function raiseSequence(db: Kysely<Schema>, name: SequenceTable['name'], by = 1): Promise<number> {
  const { affected } = await addTo(db, { name, by });
  if (affected === 0) await db.insertInto('sequence').values({ name, value: by }).execute();
  return sequenceValue(db, name);
}

const addTo = compiledOnce((db, { name, by }: { readonly name: SequenceTable['name']; readonly by: number }) =>
  db
    .updateTable('sequence')
    .set(eb => ({ value: eb('value', '+', by) }))
    .where('name', '=', name),
);

/** Sets a counter to a value that was taken from another one. */
export async function setSequence(db: Kysely<Schema>, name: SequenceTable['name'], value: number): Promise<void> {
  const set = await db.updateTable('sequence').set({ value }).where('name', '=', name).executeTakeFirst();
  if (set.numUpdatedRows === 0n) await db.insertInto('sequence').values({ name, value }).execute();
}

/** The last value that was taken; 0 before the first. */
export async function sequenceValue(db: Kysely<Schema>, name: SequenceTable['name']): Promise<number> {
  const { rows } = await counter(db, { name });
  return rows[0]?.value ?? 0;
}

const counter = compiledOnce((db, { name }: { readonly name: SequenceTable['name'] }) =>
  db.selectFrom('sequence').select('value').where('name', '=', name),
);

/** The last values that were taken of several counters, by name; 0 before the first. */
export async function sequenceValues<N extends SequenceTable['name']>(
  db: Kysely<Schema>,
  names: readonly N[],
): Promise<(name: N) => number> {
  const rows = await counters(db, names);
  const values = new Map<string, number>(rows.map(({ name, value }) => [name, value]));
  return name => values.get(name) ?? 0;
}

const counters = compiledForList((db, names: readonly SequenceTable['name'][]) =>
  db.selectFrom('sequence').selectAll().where('name', 'in', names),
);

/** As `sequenceValue`, and nobody else changes it until the transaction has ended. */
export async function lockedSequence(
  database: SqlDatabase,
  db: Kysely<Schema>,
  name: SequenceTable['name'],
): Promise<number> {
  const counter = db.selectFrom('sequence').select('value').where('name', '=', name);
  const row = await database.locked(counter).executeTakeFirst();
  // A row that is not there cannot be locked: of two that insert it, one tries again.
  if (row === undefined) await db.insertInto('sequence').values({ name, value: 0 }).execute();
  return row?.value ?? 0;
}
