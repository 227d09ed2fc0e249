import type { Kysely } from 'kysely';
import type { ConfigurationStore } from '../configuration-store.js';
import type { Schema } from './schema.js';
import { raiseSequence, sequenceValue } from './sequence.js';
import type { Transactions } from './transactions.js';

export function configurationStore(transactions: Transactions): ConfigurationStore {
  const { clock } = transactions;
  return {
    configuration: () =>
      transactions.read('configuration', async db => ({
        version: await sequenceValue(db, 'configuration'),
        values: await valuesOf(db),
      })),

    initialiseConfiguration: values =>
      transactions.write('initialiseConfiguration', async db => {
        const standing = await valuesOf(db);
        const missing = new Map([...values].filter(([name]) => !standing.has(name)));
        await put(db, standing, missing, clock.wallTime());
        const differs = ([name, value]: [string, string]) => !missing.has(name) && standing.get(name) !== value;
        return new Map([...values].filter(differs).map(([name]) => [name, standing.get(name) ?? '']));
      }),

    setConfiguration: (name, value) =>
      transactions.write('setConfiguration', async db =>
        put(db, await valuesOf(db), new Map([[name, value]]), clock.wallTime()),
      ),

    updateConfiguration: (changes, expectedVersion) =>
      transactions.write('updateConfiguration', async db => {
        // Whoever changes the configuration holds its counter first, so that no other change comes in between.
        const counter = db.selectFrom('sequence').select('value').where('name', '=', 'configuration');
        const version = (await transactions.database.locked(counter).executeTakeFirst())?.value ?? 0;
        if (expectedVersion !== undefined && expectedVersion !== version) return { done: false, version };
        return { done: true, version: await put(db, await valuesOf(db), changes, clock.wallTime()) };
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
