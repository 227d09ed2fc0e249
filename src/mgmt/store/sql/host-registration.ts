import type { Kysely } from 'kysely';
import type { HostDescription, HostStore, Registration } from '../host-store.js';
import { bounded, inPieces } from './batches.js';
import { type Calls, raise } from './calls.js';
import { columnsOf, type HostColumns, hostOf, selectHosts } from './host-rows.js';
import { LocationIdCache } from './locations.js';
import type { Schema } from './schema.js';

/** Who the hosts are. After a restart thousands register that are known and have not changed: those cost one write. */
export function registrationCalls(calls: Calls): Pick<HostStore, 'registerHost' | 'registerHosts'> {
  const { clock, random, database } = calls;
  const places = new LocationIdCache();
  const uuid = () => random.uuid();

  const insert = async (db: Kysely<Schema>, entries: readonly Placed[]): Promise<HostColumns[]> => {
    if (entries.length === 0) return [];
    const first = (await raise(db, 'host', entries.length)) - entries.length + 1;
    const created = clock.wallTime();
    const rows = entries.map(({ columns }, i) => ({ ...NEW_HOST, ...columns, id: first + i, uuid: uuid(), created }));
    await db
      .insertInto('host')
      .values(rows.map(row => ({ ...row, changed: database.now() })))
      .execute();
    return rows;
  };

  const update = async (db: Kysely<Schema>, known: readonly HostColumns[], entries: readonly Placed[]) => {
    const byGuid = new Map(entries.map(entry => [entry.facts.guid, entry.columns]));
    const onlyConnecting: number[] = [];
    const updated: HostColumns[] = [];
    for (const former of known) {
      const columns = byGuid.get(former.guid ?? '');
      const row: HostColumns = { ...former, ...columns, status: former.status === 'Up' ? 'Up' : 'Connecting' };
      if (columns !== undefined && !isPartOf(columns, former)) {
        const values = { ...columns, status: row.status, changed: database.now() };
        await db.updateTable('host').set(values).where('id', '=', row.id).execute();
      } else if (row.status !== former.status) onlyConnecting.push(row.id);
      updated.push(row);
    }
    if (onlyConnecting.length > 0) {
      const values = { status: 'Connecting' as const, changed: database.now() };
      await db.updateTable('host').set(values).where('id', 'in', onlyConnecting).execute();
    }
    return updated;
  };

  /** @param batch each guid once */
  const registerPiece = async (db: Kysely<Schema>, batch: readonly HostDescription[]): Promise<Registration[]> => {
    const entries: Placed[] = [];
    for (const facts of batch) entries.push({ facts, columns: columnsOf(facts, await places.idsOf(db, facts, uuid)) });
    const guids = batch.map(({ guid }) => guid);
    // Locked: another server may make one of them Up before we write Connecting.
    const known = await database.locked(selectHosts(db).where('guid', 'in', guids).orderBy('id')).execute();
    const knownGuids = new Set(known.map(({ guid }) => guid));
    const fresh = entries.filter(({ facts }) => !knownGuids.has(facts.guid));
    const rows = [...(await update(db, known, entries)), ...(await insert(db, fresh))];
    const byGuid = new Map(rows.map(row => [row.guid, row]));
    return batch.flatMap(({ guid }) => {
      const row = byGuid.get(guid);
      return row === undefined ? [] : [{ host: hostOf(row), isNew: !knownGuids.has(guid) }];
    });
  };

  const register = async (operation: string, batch: readonly HostDescription[]) => {
    const registrations = await calls.write(operation, async db => {
      const all: Registration[] = [];
      for (const piece of inPieces(batch, ({ guid }) => guid)) all.push(...(await registerPiece(db, piece)));
      return all;
    });
    for (const { host } of registrations) places.learn(host, host);
    return registrations;
  };

  return {
    async registerHost(facts) {
      const [registration] = await register('registerHost', [facts]);
      if (registration === undefined) throw new Error('a host that was registered has no row');
      return registration;
    },
    registerHosts: async batch => register('registerHosts', bounded(batch)),
  };
}

interface Placed {
  readonly facts: HostDescription;
  readonly columns: ReturnType<typeof columnsOf>;
}

const NEW_HOST = {
  status: 'Connecting',
  resource_state: 'Enabled',
  mgmt_server_id: null,
  last_mgmt_server_id: null,
  epoch: 0,
  ms_host_list: null,
  configuration_version: null,
  preferred: null,
  last_ping: null,
  disconnected: null,
  disconnect_reason: null,
  removed: null,
  removed_guid: null,
  changed: 0,
} as const satisfies Partial<HostColumns>;

function isPartOf(columns: Partial<HostColumns>, row: HostColumns): boolean {
  return Object.entries(columns).every(([name, value]) => row[name as keyof HostColumns] === value);
}
