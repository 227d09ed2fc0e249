import type { Kysely } from 'kysely';
import type { HostDescription, HostStatus, HostStore, Registration } from '../../host-store.js';
import { bounded, inPieces } from '../batches.js';
import { compiledForList, rowWriter } from '../compiled.js';
import { LocationIdCache } from '../locations.js';
import type { Schema } from '../schema.js';
import { raiseSequence } from '../sequence.js';
import type { Transactions } from '../transactions.js';
import { moveRecords } from './moves.js';
import { changeTime, columnsOf, type HostColumns, hostOf, newHost } from './rows.js';
import { deleteTags, writeTags } from './tags.js';

/** Hosts come and go. After a restart thousands of them register that are known and unchanged: each costs one small write. */
export function hostRegistration(transactions: Transactions): Pick<HostStore, 'registerHosts' | 'removeHost'> {
  const { random, database } = transactions;
  const moves = moveRecords(database);
  const locations = new LocationIdCache();
  const insertHosts = hostInserter(transactions);
  const uuid = () => random.uuid();

  // Removed hosts have no guid. Locked: another server may make one of them Up before we write Connecting.
  const standing = compiledForList((db, guids: readonly string[]) =>
    database.locked(db.selectFrom('host').selectAll().where('guid', 'in', guids).orderBy('id')),
  );
  const makeConnecting = compiledForList((db, ids: readonly number[]) =>
    db
      .updateTable('host')
      .set({ status: 'Connecting', changed: changeTime(database) })
      .where('id', 'in', ids),
  );

  const update = async (db: Kysely<Schema>, known: readonly HostColumns[], entries: readonly DescribedHost[]) => {
    const byGuid = new Map(entries.map(entry => [entry.description.guid, entry.columns]));
    const onlyConnecting: number[] = [];
    const updated: HostColumns[] = [];
    for (const former of known) {
      const columns = byGuid.get(former.guid ?? '');
      const status: HostStatus = former.status === 'Up' ? 'Up' : 'Connecting';
      if (columns !== undefined && !isPartOf(columns, former)) {
        const row: HostColumns = { ...former, ...columns, status };
        const values = { ...columns, status, changed: changeTime(database) };
        await db.updateTable('host').set(values).where('id', '=', row.id).execute();
        await writeTags(db, [{ former, row }]);
        updated.push(row);
      } else if (status === former.status) updated.push(former);
      else {
        onlyConnecting.push(former.id);
        updated.push({ ...former, status });
      }
    }
    await makeConnecting(db, onlyConnecting);
    return updated;
  };

  /** @param batch each guid once */
  const registerPiece = async (
    db: Kysely<Schema>,
    batch: readonly HostDescription[],
    locate: ReturnType<LocationIdCache['finder']>,
  ): Promise<Registration[]> => {
    const entries: DescribedHost[] = [];
    for (const description of batch)
      entries.push({ description, columns: columnsOf(description, await locate(description)) });
    const guids = batch.map(({ guid }) => guid);
    const known = await standing(db, guids);
    const knownGuids = new Set(known.map(({ guid }) => guid));
    const fresh = entries.filter(({ description }) => !knownGuids.has(description.guid));
    const removedIds = await removedHosts(db, fresh);
    const rows = [...(await update(db, known, entries)), ...(await insertHosts(db, fresh, 'Connecting'))];
    const byGuid = new Map(rows.map(row => [row.guid, row]));
    return batch.flatMap(({ guid }) => {
      const row = byGuid.get(guid);
      return row === undefined
        ? []
        : [{ host: hostOf(row), isNew: !knownGuids.has(guid), removedId: removedIds.get(guid) }];
    });
  };

  return {
    async registerHosts(batch) {
      const pieces = [...inPieces(bounded(batch), ({ guid }) => guid)];
      const registrations = await transactions.write('registerHosts', async db => {
        const all: Registration[] = [];
        const locate = locations.finder(db, uuid);
        for (const piece of pieces) all.push(...(await registerPiece(db, piece, locate)));
        return all;
      });
      for (const { host } of registrations) locations.learn(host, host);
      return registrations;
    },

    removeHost: (id, at) =>
      transactions.write('removeHost', async db => {
        const query = db.selectFrom('host').select(['id', 'mgmt_server_id as msid', 'epoch']);
        const former = await database
          .locked(query.where('id', '=', id).where('removed', 'is', null))
          .executeTakeFirst();
        if (former === undefined) return false;
        await db
          .updateTable('host')
          .set(eb => ({
            // MySQL assigns from left to right: what is read comes before it is overwritten.
            last_mgmt_server_id: eb.fn.coalesce('mgmt_server_id', 'last_mgmt_server_id'),
            removed_guid: eb.ref('guid'),
            guid: null,
            mgmt_server_id: null,
            status: 'Removed' as const,
            removed: at,
            changed: changeTime(database),
          }))
          .where('id', '=', id)
          .execute();
        await moves.lost(db, [{ ...former, cause: 'removed' }]);
        await deleteTags(db, id);
        return true;
      }),
  };
}

/** The ids of the removed hosts that have had these guids, the latest of each. */
async function removedHosts(db: Kysely<Schema>, fresh: readonly DescribedHost[]): Promise<ReadonlyMap<string, number>> {
  const rows = await removed(
    db,
    fresh.map(({ description }) => description.guid),
  );
  return new Map(rows.map(({ id, removed_guid }) => [removed_guid ?? '', id]));
}

const removed = compiledForList((db, guids: readonly string[]) =>
  db.selectFrom('host').select(['id', 'removed_guid']).where('removed_guid', 'in', guids).orderBy('id'),
);

/** A host of which it is known which pod and cluster its names mean. */
interface LocatedHost {
  readonly columns: ReturnType<typeof columnsOf>;
}

interface DescribedHost extends LocatedHost {
  readonly description: HostDescription;
}

/** Makes rows for hosts whose guids have none. */
export type HostInserter = (
  db: Kysely<Schema>,
  entries: readonly LocatedHost[],
  status: HostStatus,
) => Promise<readonly HostColumns[]>;

export function hostInserter({ clock, random, database }: Transactions): HostInserter {
  const insert = rowWriter(database, (db, rows: readonly HostColumns[]) =>
    db.insertInto('host').values(rows.map(row => ({ ...row, changed: database.now() }))),
  );
  return async (db, entries, status) => {
    if (entries.length === 0) return [];
    const first = (await raiseSequence(db, 'host', entries.length)) - entries.length + 1;
    const created = clock.wallTime();
    const rows = entries.map(({ columns }, i) =>
      newHost(columns, { id: first + i, uuid: random.uuid(), status, created }),
    );
    await insert(db, rows);
    await writeTags(
      db,
      rows.map(row => ({ row })),
    );
    return rows;
  };
}

function isPartOf(columns: Partial<HostColumns>, row: HostColumns): boolean {
  return Object.entries(columns).every(([name, value]) => row[name as keyof HostColumns] === value);
}
