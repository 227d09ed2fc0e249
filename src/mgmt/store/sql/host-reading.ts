import type { Kysely } from 'kysely';
import type { HostStore } from '../host-store.js';
import { type HostColumns, hostOf, selectHosts, storedHostOf } from './host-rows.js';
import type { Schema } from './schema.js';
import type { Transactions } from './transactions.js';

/** One host, or all of them by ascending id. */
export function hostReading(transactions: Transactions): Pick<HostStore, 'zoneHostIds' | 'hosts' | 'host'> {
  return {
    zoneHostIds: (zoneId, after = 0) =>
      transactions.read('zoneHostIds', async db => {
        const rows = await db
          .selectFrom('host')
          .select('id')
          .where('data_center_id', '=', zoneId)
          .where('id', '>', after)
          .where('removed', 'is', null)
          .orderBy('id')
          .execute();
        return rows.map(row => row.id);
      }),

    hosts: (after = 0) =>
      transactions.several('hosts', async ({ read }) => {
        const all = [];
        for (let last = after; ; ) {
          const rows = await read(db => hostsBehind(db, last));
          for (const row of rows) all.push(storedHostOf(row));
          if (rows.length < ROWS_A_READ) return all;
          last = rows.at(-1)?.id ?? last;
        }
      }),

    host: id =>
      transactions.read('host', async db => {
        const row = await selectHosts(db).where('id', '=', id).executeTakeFirst();
        return row && hostOf(row);
      }),
  };
}

/** Between two reads others get their turn. */
const ROWS_A_READ = 2_000;

function hostsBehind(db: Kysely<Schema>, id: number): Promise<HostColumns[]> {
  return selectHosts(db).where('id', '>', id).orderBy('id').limit(ROWS_A_READ).execute();
}
