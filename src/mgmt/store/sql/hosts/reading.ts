import type { Kysely } from 'kysely';
import type { HostStore, HostsCursor, HostVersion } from '../../host-store.js';
import { ROWS_A_PAGE } from '../../page.js';
import { checkPageSize } from '../batches.js';
import { compiledForList, compiledOnce } from '../compiled.js';
import type { Schema } from '../schema.js';
import type { Transactions } from '../transactions.js';
import { AGENT_COLUMNS, guid, hostOf } from './rows.js';

type Reads = 'zoneHostIds' | 'hosts' | 'host' | 'hostsById' | 'hostVersions';

/** One host, all of them by ascending id, or those that have changed. */
export function hostReading(transactions: Transactions): Pick<HostStore, Reads> {
  const { database } = transactions;
  return {
    zoneHostIds: (zoneId, after = 0) =>
      transactions.read('zoneHostIds', async db => {
        const { rows } = await idsOfZone(db, { zoneId, after });
        return rows.map(({ id }) => id);
      }),

    hosts: (after = 0) =>
      transactions.read('hosts', db =>
        db
          .selectFrom('host')
          .select(AGENT_COLUMNS)
          .select(guid)
          .where('removed', 'is', null)
          .where('id', '>', after)
          .orderBy('id')
          .limit(ROWS_A_PAGE)
          .execute(),
      ),

    host: id =>
      transactions.read('host', async db => {
        const row = await db
          .selectFrom('host')
          .selectAll()
          .where('id', '=', id)
          .where('removed', 'is', null)
          .executeTakeFirst();
        return row && hostOf(row);
      }),

    hostsById: async ids => {
      checkPageSize(ids.length);
      if (ids.length === 0) return [];
      return transactions.read('hostsById', db => rowsById(db, ids));
    },

    hostVersions: after =>
      transactions.read('hostVersions', async db => {
        const now = await database.storeTime(db);
        if (after === undefined) return { versions: [], cursor: { at: now }, more: false };
        // A clock that was set back must hide nothing.
        const from = Math.min(after.at, now) - OVERLAP_MS;
        const { rows: versions } = await (after.last ? versionsBehind(db, after.last) : versionsFrom(db, { from }));
        const more = versions.length === ROWS_A_PAGE;
        const last = versions.at(-1);
        // A reading of several answers ends where the store stood at its first: what has changed since is read again.
        const at = after.last === undefined ? now : after.at;
        const cursor: HostsCursor = more && last ? { at, last } : { at };
        return { versions, cursor, more };
      }),
  };
}

/**
 * A write is marked with the time of its statement, and is seen when its transaction ends: mostly at once, at most a
 * call's limit later, and on Galera after the time that the nodes need to give up one that died in between. A counter
 * that all writers raise would be a total order, but each connect in the whole cluster would wait for its row, and
 * Galera's nodes would refuse each other.
 */
const OVERLAP_MS = 10_000;

/** From the index alone, as `versionsBehind`. */
const versionsFrom = compiledOnce((db, { from }: { readonly from: number }) =>
  versions(db).where('changed', '>=', from),
);

const versionsBehind = compiledOnce((db, { id, changed }: HostVersion) =>
  versions(db).where(eb =>
    eb.or([eb('changed', '>', changed), eb.and([eb('changed', '=', changed), eb('id', '>', id)])]),
  ),
);

function versions(db: Kysely<Schema>) {
  return db.selectFrom('host').select(['id', 'changed']).orderBy('changed').orderBy('id').limit(ROWS_A_PAGE);
}

const rowsById = compiledForList((db, ids: readonly number[]) =>
  db.selectFrom('host').select(AGENT_COLUMNS).select([guid, 'removed']).where('id', 'in', ids).orderBy('id'),
);

const idsOfZone = compiledOnce((db, { zoneId, after }: { readonly zoneId: number; readonly after: number }) =>
  db
    .selectFrom('host')
    .select('id')
    .where('data_center_id', '=', zoneId)
    .where('id', '>', after)
    .where('removed', 'is', null)
    .orderBy('id')
    .limit(ROWS_A_PAGE),
);
