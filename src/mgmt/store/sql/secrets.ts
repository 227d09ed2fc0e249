import type { Kysely } from 'kysely';
import type { SecretStore } from '../store.js';
import type { Calls } from './calls.js';
import type { Schema } from './schema.js';

export function secretCalls(calls: Calls): SecretStore {
  return {
    secret: name => calls.read('secret', db => secretOf(db, name)),

    createSecret: (name, ciphertext) =>
      calls.write('createSecret', async db => {
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
