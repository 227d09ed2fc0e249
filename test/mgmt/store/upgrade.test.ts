import { join } from 'node:path';
import Database from 'libsql';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLog } from '../../../src/lib/logger.js';
import { systemRandom } from '../../../src/lib/random.js';
import { readConfiguration } from '../../../src/mgmt/config/parameters.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import { migrate } from '../../../src/mgmt/store/sql/migration/migrate.js';
import { MIGRATIONS, type Migration } from '../../../src/mgmt/store/sql/migration/migrations.js';
import { openSqlite } from '../../../src/mgmt/store/sqlite/sqlite.js';
import { claimServer } from '../../helpers/api-bench.js';
import { startCluster } from '../../helpers/cluster-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';
import { testFolder } from '../../helpers/scratch.js';
import { setConfiguration } from '../../helpers/set-configuration.js';

const env = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly dflt_value: string | null;
}

/** Brings a file to a schema, as a server does at its start. */
async function migrated(file: string, migrations: readonly Migration[]): Promise<void> {
  const database = await openSqlite(file, env);
  await migrate(database, env, migrations);
  await database.close();
}

function columnsOf(file: string): Map<string, Column> {
  const database = new Database(file);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
    return new Map(
      tables.flatMap(({ name: table }) =>
        (database.prepare(`PRAGMA table_info(${table})`).all() as Column[]).map(column => [
          `${table}.${column.name}`,
          column,
        ]),
      ),
    );
  } finally {
    database.close();
  }
}

t.test('upgrade: each migration only expands: what an older server reads and writes is there as it was', async t => {
  const wrong: string[] = [];
  for (let number = 1; number < MIGRATIONS.length; number++) {
    const file = join(testFolder(t), 'muster.db');
    await migrated(file, MIGRATIONS.slice(0, number));
    const before = columnsOf(file);
    const tables = new Set([...before.keys()].map(key => key.split('.')[0]));
    await migrated(file, MIGRATIONS.slice(0, number + 1));
    const after = columnsOf(file);
    for (const [key, { type, notnull }] of before) {
      const now = after.get(key);
      if (now === undefined) wrong.push(`migration ${number + 1} drops ${key}`);
      else if (now.type !== type || now.notnull !== notnull) wrong.push(`migration ${number + 1} changes ${key}`);
    }
    for (const [key, { notnull, dflt_value }] of after) {
      const isNew = !before.has(key) && tables.has(key.split('.')[0]);
      // An older server's INSERT does not name it.
      if (isNew && notnull === 1 && dflt_value === null) wrong.push(`migration ${number + 1}: ${key} has no default`);
    }
  }
  t.same(wrong, []);
});

t.test('upgrade: a row that knows only the first schema’s columns can be written into the newest', async t => {
  const file = join(testFolder(t), 'muster.db');
  await migrated(file, MIGRATIONS.slice(0, 1));
  const required = [...columnsOf(file).entries()].filter(([key, { notnull }]) => key.startsWith('host.') && notnull);
  await migrated(file, MIGRATIONS);
  const store = await openStore(`sqlite:${file}`, env);
  const zone = await store.zoneId('default');
  await registerHost(store, hostDescription('new', zone));
  const database = new Database(file);
  const names = ['id', 'guid', ...required.map(([key]) => key.slice('host.'.length))];
  const values = names.map(
    name => ({ id: '77', data_center_id: String(zone), epoch: '0', created: '0' })[name] ?? `'${name}'`,
  );
  database.exec(`INSERT INTO host (${names.join()}) VALUES (${values.join()})`);
  database.close();
  t.match(await store.host(77), { guid: 'guid', epoch: 0, resourceState: 'Enabled', preferred: null, clusterId: null });
  t.same(await store.hostsReady([{ id: 77, msid: 5, msHostList: null, at: 0 }]), [{ kind: 'taken', epoch: 1 }]);
  t.same(await store.zoneHostIds(zone), [1, 77]);
  await store.close();
});

t.test('upgrade: agents need certificates in a new store; one that is in use goes on without', async t => {
  const name = 'ca.plugin.root.auth.strictness';
  const before = MIGRATIONS.slice(0, 6);
  const cases: Readonly<Record<string, readonly [does: (database: Database.Database) => void, isStrict: boolean]>> = {
    'nothing has happened in it': [() => {}, true],
    'its first server has not joined yet': [
      database => database.exec("INSERT INTO configuration (name, value, updated) VALUES ('host', 'a', 1)"),
      true,
    ],
    'it has a server': [
      database =>
        database.exec(`INSERT INTO mshost (id, uuid, msid, data_dir_token, name, version, service_ip, state, state_since,
          last_update, created) VALUES (1, 'u', 1, 't', 'n', '0.1.0', 'a', 'Up', 0, 0, 0)`),
      false,
    ],
    'it has a host': [
      database =>
        database.exec(`INSERT INTO host (id, uuid, guid, name, type, status, data_center_id, epoch, created)
          VALUES (1, 'u', 'g', 'n', 'Routing', 'Up', 1, 0, 0)`),
      false,
    ],
    'somebody has set it': [
      database =>
        database.exec(`INSERT INTO configuration (name, value, updated) VALUES ('${name}', 'true', 1);
          INSERT INTO host (id, uuid, guid, name, type, status, data_center_id, epoch, created)
          VALUES (1, 'u', 'g', 'n', 'Routing', 'Up', 1, 0, 0)`),
      true,
    ],
  };
  for (const [what, [does, isStrict]] of Object.entries(cases)) {
    const file = join(testFolder(t), 'muster.db');
    await migrated(file, before);
    const database = new Database(file);
    database.exec("INSERT INTO data_center (id, uuid, name) VALUES (1, 'z', 'default')");
    does(database);
    database.close();
    const store = await openStore(`sqlite:${file}`, env);
    const { configuration, invalid } = readConfiguration(await store.configuration());
    t.same([configuration.values[name], invalid], [isStrict, []], what);
    await store.close();
  }
});

/** What a next version might do. */
const next: Migration = {
  number: (MIGRATIONS.at(-1)?.number ?? 0) + 1,
  name: 'what is to come',
  since: '99.0.0',
  async up(db) {
    for (const table of ['host', 'mshost', 'async_job', 'cluster', 'event']) {
      await db.schema.alterTable(table).addColumn('to_come', 'varchar(255)').execute();
    }
    await db.schema.createTable('tomorrow').addColumn('id', 'bigint').execute();
  },
};

/** All that a server does with its store day by day. */
async function liveOn(t: Test, store: Awaited<ReturnType<typeof openStore>>, guid: string): Promise<void> {
  const zone = await store.zoneId('default');
  const { host } = await registerHost(store, hostDescription(guid, zone));
  t.same(await store.hostsReady([{ id: host.id, msid: 1001, msHostList: 'a@static', at: 0 }]), [
    { kind: 'taken', epoch: 1 },
  ]);
  t.same(await store.hostsMsHostList([{ id: host.id, epoch: 1, msHostList: 'b@static', configurationVersion: 3 }]), [
    true,
  ]);
  t.same(await store.assignHosts([{ id: host.id, preferred: 'b' }], 0), ['b']);
  t.match((await store.heartbeat(1001, 'run-1001', 8250)).kind, 'alive');
  const lost = { id: host.id, msid: 1001, epoch: 1, at: 0, reason: 'gone' };
  t.same(await store.hostsDisconnected([lost]), [true]);
  const job = await store.createJob({ cmd: 'x', params: '{}', targetMsid: 1001, hostId: null, createdBy: null });
  t.equal(await store.startJob(job.uuid, 1001), true);
  t.equal(await store.finishJob(job.uuid, 1001, { status: 'succeeded', resultCode: 0, result: '{}' }), true);
  t.match(await store.host(host.id), { guid, status: 'Disconnected', preferred: 'b', msHostList: 'b@static' });
  t.ok((await store.servers()).length > 0);
  await setConfiguration(store, 'zones', `default,${guid}`);
  await store.clusters();
  await store.hostVersions();
  await store.hostsById([host.id]);
}

t.test(
  'upgrade: servers that run go on under a newer schema; one that starts is told which version it needs',
  async t => {
    const file = join(testFolder(t), 'muster.db');
    const store = await openStore(`sqlite:${file}`, env);
    t.teardown(() => store.close());
    await claimServer(store, 1001, '192.0.2.1');
    await liveOn(t, store, 'before');
    await migrated(file, [...MIGRATIONS, next]);
    await liveOn(t, store, 'after');
    await t.rejects(openStore(`sqlite:${file}`, env), { code: 'STORE_TOO_NEW', message: /99\.0\.0/ });
  },
);

t.test('upgrade: settings that a newer version brings are passed over by the one before', async t => {
  const stored = {
    version: 8,
    assignmentGeneration: 0,
    values: new Map([
      ['host', 'a'],
      ['agent.of.the.future', 'yes'],
    ]),
  };
  const { configuration, invalid } = readConfiguration(stored);
  t.same(invalid, []);
  t.same(configuration.values.host, ['a']);
});

t.test('upgrade: drain, stop, start the new version, cancel, while the others are the version before', async t => {
  const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
  const cluster = await startCluster(t, [A, B, C]);
  await cluster.addAgents(6, `${A},${B},${C}`);
  const idOf = async (address: string) => (await cluster.row(address)).uuid;
  const lost = () => cluster.agents.filter(({ host, log }) => host === undefined || log.count('warn Lost connection'));

  const managementserverid = await idOf(A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance');
  await cluster.passes(cluster.node(A).stop('SIGTERM'));
  // The new version brings its schema with it.
  await migrated(cluster.file, [...MIGRATIONS, next]);
  await cluster.goesOn(5_000);
  await cluster.start(A);
  t.equal(cluster.node(A).state, 'Maintenance');
  // Whoever is asked, of whichever version.
  await cluster.node(C).call('cancelMaintenance', { managementserverid });
  await cluster.comes(() => cluster.counts()[A] === 6);

  // The new one drains an old one, and its jobs are carried out by that.
  await cluster.node(A).call('prepareForMaintenance', { managementserverid: await idOf(B) });
  await cluster.comes(() => cluster.node(B).state === 'Maintenance');
  t.same(lost(), []);
  t.ok((await cluster.store.hosts()).every(({ status, msid }) => status === 'Up' && msid === cluster.node(A).msid));
});
