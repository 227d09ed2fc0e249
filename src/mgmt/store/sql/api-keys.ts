import type { Kysely } from 'kysely';
import { type ApiKeyRow, type ApiKeyStore, apiKeySecretName, type NewApiKey } from '../api-key-store.js';
import type { Schema } from './schema.js';
import { lockedSequence, raiseSequence, sequenceValue } from './sequence.js';
import type { Transactions } from './transactions.js';

export function apiKeyStore(transactions: Transactions): ApiKeyStore {
  const { database } = transactions;
  return {
    apiKeys: known =>
      transactions.read('apiKeys', async db => {
        const version = await sequenceValue(db, 'api_key');
        return { version, keys: version === known ? undefined : await keysOf(db) };
      }),

    createFirstApiKey: (key, former) =>
      transactions.write('createFirstApiKey', async db => {
        await lockedSequence(database, db, 'api_key');
        if ((await keysOf(db)).length > 0) return false;
        // Rows whose secrets were deleted, since their sealing key was lost.
        await db.deleteFrom('api_key').execute();
        await insert(db, key);
        await db.deleteFrom('secret').where('name', '=', former).execute();
        return true;
      }),

    createApiKey: (key, version) =>
      transactions.write('createApiKey', async db => {
        if ((await lockedSequence(database, db, 'api_key')) !== version) return false;
        await insert(db, key);
        return true;
      }),

    deleteApiKey: uuid =>
      transactions.write('deleteApiKey', async db => {
        await lockedSequence(database, db, 'api_key');
        const rows = await db.selectFrom('api_key').select(['uuid', 'role']).execute();
        const row = rows.find(one => one.uuid === uuid);
        if (row === undefined) return 'unknown';
        const isLast = !rows.some(one => one.role === 'operator' && one.uuid !== uuid);
        if (row.role === 'operator' && isLast) return 'last operator';
        await db.deleteFrom('api_key').where('uuid', '=', uuid).execute();
        await db.deleteFrom('secret').where('name', '=', apiKeySecretName(uuid)).execute();
        await raiseSequence(db, 'api_key');
        return 'done';
      }),
  };
}

async function keysOf(db: Kysely<Schema>): Promise<readonly ApiKeyRow[]> {
  const rows = await db
    .selectFrom('api_key')
    .innerJoin('secret', 'secret.name', 'api_key.secret')
    .select([
      'api_key.uuid',
      'api_key.name',
      'api_key.role',
      'api_key.api_key as apiKey',
      'secret.value as sealedSecret',
      'api_key.created',
      'api_key.created_by as createdBy',
    ])
    .orderBy('api_key.id')
    .execute();
  return rows;
}

/** The row and its secret. Its id is the version that the store has with it. */
async function insert(db: Kysely<Schema>, key: NewApiKey): Promise<void> {
  const id = await raiseSequence(db, 'api_key');
  const secret = apiKeySecretName(key.uuid);
  await db.insertInto('secret').values({ name: secret, value: key.sealedSecret }).execute();
  const { uuid, name, role, apiKey, created, createdBy } = key;
  await db
    .insertInto('api_key')
    .values({ id, uuid, name, role, api_key: apiKey, secret, created, created_by: createdBy })
    .execute();
}
