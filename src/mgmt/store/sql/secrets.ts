import type { Kysely } from 'kysely';
import type { SecretStore } from '../store.js';
import type { Schema } from './schema.js';
import type { Transactions } from './transactions.js';

export function secretStore(transactions: Transactions): SecretStore {
  return {
    secret: name => transactions.read('secret', db => secretOf(db, name)),

    createSecret: (name, ciphertext) =>
      transactions.write('createSecret', async db => {
        const standing = await secretOf(db, name);
        if (standing !== undefined) return standing;
        await db.insertInto('secret').values({ name, value: ciphertext }).execute();
        return ciphertext;
      }),

    secrets: () =>
      transactions.read('secrets', async db => {
        const rows = await db.selectFrom('secret').select(['name', 'value']).orderBy('name').execute();
        return new Map(rows.map(({ name, value }) => [name, value]));
      }),

    replaceSecrets: changes =>
      transactions.write('replaceSecrets', async db => {
        for (const [name, { from }] of changes) {
          const query = db.selectFrom('secret').select('value').where('name', '=', name);
          const row = await transactions.database.locked(query).executeTakeFirst();
          if (row === undefined || Buffer.compare(row.value, from) !== 0) return false;
        }
        for (const [name, { to }] of changes) {
          await db.updateTable('secret').set({ value: to }).where('name', '=', name).execute();
        }
        return true;
      }),
  };
}

async function secretOf(db: Kysely<Schema>, name: string): Promise<Uint8Array | undefined> {
  const row = await db.selectFrom('secret').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value;
}
