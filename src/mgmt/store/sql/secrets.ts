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
  };
}

async function secretOf(db: Kysely<Schema>, name: string): Promise<Uint8Array | undefined> {
  const row = await db.selectFrom('secret').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value;
}
