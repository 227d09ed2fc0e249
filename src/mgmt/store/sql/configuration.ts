import type { Kysely } from 'kysely';
import type { ConfigurationStore } from '../configuration-store.js';
import { commitAssignments } from './assignments.js';
import type { Schema } from './schema.js';
import { lockedSequence, raiseSequence, sequenceValue, sequenceValues } from './sequence.js';
import type { Transactions } from './transactions.js';

export function configurationStore(transactions: Transactions): ConfigurationStore {
  const { clock } = transactions;
  return {
    configuration: () =>
      transactions.read('configuration', async db => {
        const last = await sequenceValues(db, ['configuration', 'assignment_committed', 'crl', 'authority']);
        return {
          version: last('configuration'),
          values: await valuesOf(db),
          assignmentGeneration: last('assignment_committed'),
          revocation: last('crl'),
          authorities: last('authority'),
        };
      }),

    initialiseConfiguration: values =>
      transactions.write('initialiseConfiguration', async db => {
        const standing = await valuesOf(db);
        const missing = new Map([...values].filter(([name]) => !standing.has(name)));
        await put(db, standing, missing, clock.wallTime());
        const differs = ([name, value]: [string, string]) => !missing.has(name) && standing.get(name) !== value;
        return new Map([...values].filter(differs).map(([name]) => [name, standing.get(name) ?? '']));
      }),

    updateConfiguration: (changes, expectedVersion, attempt) =>
      transactions.write('updateConfiguration', async db => {
        const version = await lockedSequence(transactions.database, db, 'configuration');
        if (expectedVersion !== version) return { done: false, version };
        if (attempt !== undefined && !(await commitAssignments(db, attempt))) return { done: false, version };
        const written = await put(db, await valuesOf(db), changes, clock.wallTime());
        const isToBeRead = attempt !== undefined && written === version;
        return { done: true, version: isToBeRead ? await raiseSequence(db, 'configuration') : written };
      }),
  };
}

async function valuesOf(db: Kysely<Schema>): Promise<ReadonlyMap<string, string>> {
  const rows = await db.selectFrom('configuration').select(['name', 'value']).orderBy('name').execute();
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** Writes what differs, as one generation. @returns the generation that stands then */
async function put(
  db: Kysely<Schema>,
  standing: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, string>,
  updated: number,
): Promise<number> {
  const differing = [...values].filter(([name, value]) => standing.get(name) !== value);
  if (differing.length === 0) return sequenceValue(db, 'configuration');
  const version = await raiseSequence(db, 'configuration');
  for (const [name, value] of differing) {
    if (standing.has(name)) {
      await db.updateTable('configuration').set({ value, updated }).where('name', '=', name).execute();
    } else {
      await db.insertInto('configuration').values({ name, value, updated }).execute();
    }
  }
  return version;
}
