import type { Kysely, Selectable, Transaction } from 'kysely';
import type { Clock } from '../../lib/clock.js';
import type { Random } from '../../lib/random.js';
import type { HostTable, Schema, SequenceTable } from './schema.js';
import { attempt, CALL_LIMIT_MS, type SqlDatabase } from './sql-database.js';
import type {
  Configuration,
  HostDisconnected,
  HostFacts,
  HostReady,
  HostRow,
  HostStatus,
  HostsReleased,
  Registration,
  Store,
} from './store.js';
import { StoreError } from './store-error.js';

/**
 * The store in SQL that SQLite and MariaDB both speak. One pattern serves all inserts: look, else insert; where another
 * server was faster, the key is a duplicate and the transaction is carried out anew, and finds it.
 */
export class SqlStore implements Store {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(database: SqlDatabase, env: { readonly clock: Clock; readonly random: Random }) {
    this.#database = database;
    this.#clock = env.clock;
    this.#random = env.random;
  }

  configuration(): Promise<Configuration> {
    return this.#read('configuration', async db => ({
      version: await current(db, 'configuration'),
      values: await configurationValues(db),
    }));
  }

  initialiseConfiguration(values: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> {
    return this.#write('initialiseConfiguration', async db => {
      const standing = await configurationValues(db);
      const differing = new Map<string, string>();
      const updated = this.#clock.wallTime();
      const missing = [];
      for (const [name, value] of values) {
        const stands = standing.get(name);
        if (stands === undefined) missing.push({ name, value, updated });
        else if (stands !== value) differing.set(name, stands);
      }
      if (missing.length > 0) {
        await raise(db, 'configuration');
        await db.insertInto('configuration').values(missing).execute();
      }
      return differing;
    });
  }

  setConfiguration(name: string, value: string): Promise<number> {
    return this.#write('setConfiguration', async db => {
      const row = await db.selectFrom('configuration').select('value').where('name', '=', name).executeTakeFirst();
      if (row?.value === value) return current(db, 'configuration');
      const version = await raise(db, 'configuration');
      const updated = this.#clock.wallTime();
      if (row === undefined) await db.insertInto('configuration').values({ name, value, updated }).execute();
      else await db.updateTable('configuration').set({ value, updated }).where('name', '=', name).execute();
      return version;
    });
  }

  zoneId(name: string): Promise<number> {
    const find = (db: Kysely<Schema>) =>
      db.selectFrom('data_center').select('id').where('name', '=', name).executeTakeFirst();
    const findOrMake: Work<number> = async db => {
      const found = await find(db);
      if (found !== undefined) return found.id;
      const id = await raise(db, 'data_center');
      await db.insertInto('data_center').values({ id, uuid: this.#random.uuid(), name }).execute();
      return id;
    };
    // All but the first ask ever need no write.
    return this.#call('zoneId', async call => {
      const zone = await this.#transact(call, 'read only', find);
      return zone?.id ?? this.#inTurn(call, findOrMake);
    });
  }

  ring(zoneId: number, after = 0): Promise<readonly number[]> {
    return this.#read('ring', async db => {
      const rows = await db
        .selectFrom('host')
        .select('id')
        .where('data_center_id', '=', zoneId)
        .where('id', '>', after)
        .where('removed', 'is', null)
        .orderBy('id')
        .execute();
      return rows.map(row => row.id);
    });
  }

  registerHost(facts: HostFacts): Promise<Registration> {
    return this.#write('registerHost', async db => {
      const known = await selectHosts(db).where('guid', '=', facts.guid).executeTakeFirst();
      if (known !== undefined) {
        const status: HostStatus = known.status === 'Up' ? 'Up' : 'Connecting';
        const changed = { ...columnsOf(facts), status };
        await db.updateTable('host').set(changed).where('id', '=', known.id).execute();
        return { host: hostOf({ ...known, ...changed }), isNew: false };
      }
      const row: HostRowColumns = {
        ...columnsOf(facts),
        id: await raise(db, 'host'),
        uuid: this.#random.uuid(),
        status: 'Connecting',
        mgmt_server_id: null,
        epoch: 0,
        ms_host_list: null,
        last_ping: null,
        disconnected: null,
        disconnect_reason: null,
        created: this.#clock.wallTime(),
        removed: null,
      };
      await db.insertInto('host').values(row).execute();
      return { host: hostOf(row), isNew: true };
    });
  }

  hostReady(id: number, { msid, msHostList, at }: HostReady): Promise<number | undefined> {
    return this.#write('hostReady', async db => {
      const taken = await db
        .updateTable('host')
        .set(eb => ({
          mgmt_server_id: msid,
          status: 'Up' as const,
          epoch: eb('epoch', '+', 1),
          ms_host_list: msHostList,
          last_ping: at,
          disconnected: null,
          disconnect_reason: null,
        }))
        .where('id', '=', id)
        .where('removed', 'is', null)
        .executeTakeFirst();
      if (taken.numUpdatedRows === 0n) return undefined;
      const row = await db.selectFrom('host').select('epoch').where('id', '=', id).executeTakeFirstOrThrow();
      return row.epoch;
    });
  }

  hostMsHostList(id: number, epoch: number, msHostList: string): Promise<boolean> {
    return this.#write('hostMsHostList', async db => {
      const written = await db
        .updateTable('host')
        .set({ ms_host_list: msHostList })
        .where('id', '=', id)
        .where('epoch', '=', epoch)
        .where('removed', 'is', null)
        .executeTakeFirst();
      return written.numUpdatedRows > 0n;
    });
  }

  hostDisconnected(id: number, { msid, epoch, at, reason }: HostDisconnected): Promise<boolean> {
    return this.#write('hostDisconnected', async db => {
      const written = await db
        .updateTable('host')
        .set({ mgmt_server_id: null, status: 'Disconnected', disconnected: at, disconnect_reason: reason })
        .where('id', '=', id)
        .where('mgmt_server_id', msid === null ? 'is' : '=', msid)
        .where('epoch', '=', epoch)
        .where('removed', 'is', null)
        .executeTakeFirst();
      return written.numUpdatedRows > 0n;
    });
  }

  releaseHosts(msid: number, { at, reason }: HostsReleased): Promise<number> {
    return this.#write('releaseHosts', async db => {
      const released = await db
        .updateTable('host')
        .set({ mgmt_server_id: null, status: 'Disconnected', disconnected: at, disconnect_reason: reason })
        .where('mgmt_server_id', '=', msid)
        .where('removed', 'is', null)
        .executeTakeFirst();
      return Number(released.numUpdatedRows);
    });
  }

  removeHost(id: number, at: number): Promise<boolean> {
    return this.#write('removeHost', async db => {
      const removed = await db
        .updateTable('host')
        .set({ guid: null, mgmt_server_id: null, status: 'Removed', removed: at })
        .where('id', '=', id)
        .where('removed', 'is', null)
        .executeTakeFirst();
      return removed.numUpdatedRows > 0n;
    });
  }

  hosts(after = 0): Promise<readonly HostRow[]> {
    return this.#read('hosts', async db => {
      const rows = await selectHosts(db).where('id', '>', after).orderBy('id').execute();
      return rows.map(hostOf);
    });
  }

  host(id: number): Promise<HostRow | undefined> {
    return this.#read('host', async db => {
      const row = await selectHosts(db).where('id', '=', id).executeTakeFirst();
      return row && hostOf(row);
    });
  }

  secret(name: string): Promise<Uint8Array | undefined> {
    return this.#read('secret', db => secretOf(db, name));
  }

  createSecret(name: string, ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#write('createSecret', async db => {
      const standing = await secretOf(db, name);
      if (standing !== undefined) return standing;
      await db.insertInto('secret').values({ name, value: ciphertext }).execute();
      return ciphertext;
    });
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(() => this.#database.close());
    return this.#closing;
  }

  #read<T>(operation: string, work: Work<T>): Promise<T> {
    return this.#call(operation, call => this.#transact(call, 'read only', work));
  }

  #write<T>(operation: string, work: Work<T>): Promise<T> {
    return this.#call(operation, call => this.#inTurn(call, work));
  }

  /** Starts a call, unless the store is closed, and keeps it in mind until it ends. */
  async #call<T>(operation: string, start: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StoreError('STORE_CLOSED', operation);
    const ended = start({ operation, deadline: this.#clock.now() + CALL_LIMIT_MS });
    this.#underWay.add(ended);
    try {
      return await ended;
    } finally {
      this.#underWay.delete(ended);
    }
  }

  async #inTurn<T>(call: Call, work: Work<T>): Promise<T> {
    const leave = await this.#database.writers?.enter();
    try {
      return await this.#transact(call, 'read write', work);
    } finally {
      leave?.();
    }
  }

  #transact<T>(call: Call, accessMode: 'read only' | 'read write', work: Work<T>): Promise<T> {
    const { operation, deadline } = call;
    const env = { clock: this.#clock, random: this.#random };
    const tryOnce = async () => {
      // The caller has given up on what stood in line that long.
      if (this.#clock.now() >= deadline) throw new StoreError('STORE_BUSY', operation);
      return this.#database.kysely.transaction().setAccessMode(accessMode).execute(work);
    };
    return attempt(operation, this.#database.judge, env, tryOnce, deadline);
  }
}

interface Call {
  readonly operation: string;
  readonly deadline: number;
}

type Work<T> = (db: Transaction<Schema>) => Promise<T>;
type HostRowColumns = Selectable<HostTable>;

const selectHosts = (db: Kysely<Schema>) => db.selectFrom('host').selectAll().where('removed', 'is', null);

/** The next value of a counter, raised in the transaction that uses it: a number is never given twice. */
async function raise(db: Kysely<Schema>, name: SequenceTable['name']): Promise<number> {
  const raised = await db
    .updateTable('sequence')
    .set(eb => ({ value: eb('value', '+', 1) }))
    .where('name', '=', name)
    .executeTakeFirst();
  if (raised.numUpdatedRows === 0n) await db.insertInto('sequence').values({ name, value: 1 }).execute();
  return current(db, name);
}

async function current(db: Kysely<Schema>, name: SequenceTable['name']): Promise<number> {
  const row = await db.selectFrom('sequence').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value ?? 0;
}

async function configurationValues(db: Kysely<Schema>): Promise<ReadonlyMap<string, string>> {
  const rows = await db.selectFrom('configuration').select(['name', 'value']).orderBy('name').execute();
  return new Map(rows.map(({ name, value }) => [name, value]));
}

async function secretOf(db: Kysely<Schema>, name: string): Promise<Uint8Array | undefined> {
  const row = await db.selectFrom('secret').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value;
}

function columnsOf(facts: HostFacts) {
  return {
    guid: facts.guid,
    name: facts.name,
    type: facts.type,
    data_center_id: facts.zoneId,
    pod: facts.pod,
    cluster: facts.cluster,
    private_ip_address: facts.privateIpAddress,
    version: facts.version,
    hypervisor_type: facts.hypervisorType,
    arch: facts.arch,
    cpus: facts.cpus,
    speed: facts.speed,
    ram: facts.ram,
  };
}

function hostOf(row: HostRowColumns): HostRow {
  return {
    id: row.id,
    uuid: row.uuid,
    // Only a removed host has none, and those are not read.
    guid: row.guid ?? '',
    name: row.name,
    type: row.type,
    zoneId: row.data_center_id,
    pod: row.pod,
    cluster: row.cluster,
    privateIpAddress: row.private_ip_address,
    version: row.version,
    hypervisorType: row.hypervisor_type,
    arch: row.arch,
    cpus: row.cpus,
    speed: row.speed,
    ram: row.ram,
    status: row.status,
    msid: row.mgmt_server_id,
    epoch: row.epoch,
    msHostList: row.ms_host_list,
    lastPing: row.last_ping,
    disconnected: row.disconnected,
    disconnectReason: row.disconnect_reason,
    created: row.created,
  };
}
