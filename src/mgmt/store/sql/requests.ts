import type { Kysely } from 'kysely';
import type { RequestStore } from '../request-store.js';
import type { Schema } from './schema.js';
import type { Transactions } from './transactions.js';

/** More than a call adds, so that none are left. */
const DELETED_A_CALL = 10;

export function requestStore(transactions: Transactions): RequestStore {
  const { database } = transactions;
  return {
    noteRequest: (digest, keptMs) =>
      transactions.write('noteRequest', async db => {
        const row = await db.selectFrom('api_request').select('digest').where('digest', '=', digest).executeTakeFirst();
        if (row !== undefined) return false;
        const now = await database.storeTime(db);
        await forgetBefore(db, now);
        await db
          .insertInto('api_request')
          .values({ digest, expires: now + keptMs })
          .execute();
        return true;
      }),
  };
}

async function forgetBefore(db: Kysely<Schema>, at: number): Promise<void> {
  const old = await db
    .selectFrom('api_request')
    .select('digest')
    .where('expires', '<', at)
    .orderBy('expires')
    .limit(DELETED_A_CALL)
    .execute();
  if (old.length === 0) return;
  const digests = old.map(({ digest }) => digest);
  await db.deleteFrom('api_request').where('digest', 'in', digests).execute();
}
