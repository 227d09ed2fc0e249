import { type Kysely, type SqlBool, sql } from 'kysely';
import type { HostStore, HostsByPlace } from '../../host-store.js';
import { ROWS_A_PAGE } from '../../page.js';
import { checkPageSize, repeatedToPowerOfTwo } from '../batches.js';
import type { Schema } from '../schema.js';
import type { Transactions } from '../transactions.js';

interface SelectedPage {
  readonly after: number;
  readonly limit: number;
}

/** Hosts that somebody means, page by page. */
export function hostSelection(transactions: Transactions): Pick<HostStore, 'selectHosts'> {
  return {
    selectHosts: async (selection, after = 0, limit = ROWS_A_PAGE) => {
      checkPageSize(limit);
      const page = { after, limit };
      const rows = await transactions.read('selectHosts', db =>
        'names' in selection ? hostsNamed(db, selection.names, page) : hostsOfPlace(db, selection, page),
      );
      // Only a removed host has no guid.
      return rows.map(row => ({ ...row, guid: row.guid ?? '' }));
    },
  };
}

const COLUMNS = ['host.id', 'host.uuid', 'host.name', 'host.guid'] as const;

/** Removed hosts have no rows in `host_tag`, unless a server wrote them that does not know the table. */
function hostsOfPlace(db: Kysely<Schema>, { zoneId, clusterId, tag }: HostsByPlace, { after, limit }: SelectedPage) {
  let query = db.selectFrom('host').select(COLUMNS).where('removed', 'is', null).limit(limit);
  if (zoneId !== undefined) query = query.where('data_center_id', '=', zoneId);
  if (clusterId !== undefined) query = query.where('cluster_id', '=', clusterId);
  if (tag === undefined) return query.where('host.id', '>', after).orderBy('host.id').execute();
  return query
    .innerJoin('host_tag', 'host_tag.host_id', 'host.id')
    .where('tag', '=', tag)
    .where('host_id', '>', after)
    .orderBy('host_id')
    .execute();
}

async function hostsNamed(db: Kysely<Schema>, names: readonly string[], { after, limit }: SelectedPage) {
  checkPageSize(names.length);
  if (names.length === 0) return [];
  // A statement for each column: with all of them in one condition, every host would be read. The other conditions are
  // expressions, so that no index but the column's fits.
  const matching = (column: 'uuid' | 'guid' | 'name', values: readonly string[]) =>
    db
      .selectFrom('host')
      .select(COLUMNS)
      .where(column, 'in', repeatedToPowerOfTwo(values))
      .where(sql<SqlBool>`coalesce(removed, 0) = 0`)
      .where(sql<SqlBool>`id + 0 > ${after}`)
      .orderBy('id')
      .limit(limit)
      .execute();
  const ids = names.map(name => name.toLowerCase());
  const found = [
    ...(await matching('uuid', ids)),
    ...(await matching('guid', names)),
    ...(await matching('name', names)),
  ];
  const byId = new Map(found.map(host => [host.id, host]));
  return [...byId.values()].toSorted((one, other) => one.id - other.id).slice(0, limit);
}
