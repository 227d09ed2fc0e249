import type { Kysely } from 'kysely';
import type { HostStore } from '../host-store.js';
import type { Calls } from './calls.js';
import { type HostColumns, hostOf, selectHosts } from './host-rows.js';
import type { Schema } from './schema.js';

/**
 * The hosts, one at a time or all of them. Each write marks the row with the store's time in `changed`, which `hostsChanged` reads: a counter
 * that all writers raise would be a total order without overlap, but also one row that every connect of the whole
 * cluster waits for, and that Galera's nodes would refuse each other.
 */
export function hostCalls(calls: Calls): Pick<HostStore, 'zoneHostIds' | 'removeHost' | 'hosts' | 'host'> {
  const { database } = calls;

  return {
    zoneHostIds: (zoneId, after = 0) =>
      calls.read('zoneHostIds', async db => {
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

    removeHost: (id, at) =>
      calls.write('removeHost', async db => {
        const removed = await db
          .updateTable('host')
          .set(eb => ({
            // MySQL assigns from left to right: what is read comes before it is overwritten.
            last_mgmt_server_id: eb.fn.coalesce('mgmt_server_id', 'last_mgmt_server_id'),
            removed_guid: eb.ref('guid'),
            guid: null,
            mgmt_server_id: null,
            status: 'Removed' as const,
            removed: at,
            changed: database.now(),
          }))
          .where('id', '=', id)
          .where('removed', 'is', null)
          .executeTakeFirst();
        return removed.numUpdatedRows > 0n;
      }),

    hosts: (after = 0) =>
      calls.several('hosts', async ({ read }) => {
        const all = [];
        for (let last = after; ; ) {
          const rows = await read(db => hostsBehind(db, last));
          for (const row of rows) all.push(hostOf(row));
          if (rows.length < ROWS_A_READ) return all;
          last = rows.at(-1)?.id ?? last;
        }
      }),

    host: id =>
      calls.read('host', async db => {
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
