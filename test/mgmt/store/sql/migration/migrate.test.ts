import { join } from 'node:path';
import Database from 'libsql';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../../src/lib/clock.js';
import { silentLog } from '../../../../../src/lib/logger.js';
import { migrate } from '../../../../../src/mgmt/store/sql/migration/migrate.js';
import { MIGRATIONS, type Migration } from '../../../../../src/mgmt/store/sql/migration/migrations.js';
import { sqlStore } from '../../../../../src/mgmt/store/sql/sql-store.js';
import { openSqlite } from '../../../../../src/mgmt/store/sqlite/sqlite.js';
import { FakeClock } from '../../../../../src/testing/fake-clock.js';
import { hostDescription } from '../../../../helpers/host-description.js';
import { hostReady, registerHost, wholeHosts } from '../../../../helpers/one-host.js';
import { testFolder } from '../../../../helpers/scratch.js';
import { seededRandom } from '../../../../helpers/seeded-random.js';

/** Several servers' connections to one file, each as fresh as after a start. */
function cluster(t: Test) {
  const file = join(testFolder(t), 'muster.db');
  const clock = new FakeClock();
  let seed = 0;
  return {
    clock,
    file,
    async server() {
      const env = { clock, random: seededRandom(++seed), log: silentLog };
      const database = await openSqlite(file, env);
      t.teardown(() => database.close());
      return { database, migrate: (migrations?: readonly Migration[]) => migrate(database, env, migrations) };
    },
    query(sql: string) {
      const database = new Database(file);
      try {
        return database.prepare(sql).all();
      } finally {
        database.close();
      }
    },
  };
}

const step = (number: number, up: Migration['up'], since = '0.1.0'): Migration => ({
  number,
  name: `step ${number}`,
  since,
  up,
});
const table =
  (name: string): Migration['up'] =>
  db =>
    db.schema.createTable(name).addColumn('id', 'integer').execute();

t.test('migrations: they are numbered 1, 2, 3 without gaps', async t => {
  t.strictSame(
    MIGRATIONS.map(migration => migration.number),
    MIGRATIONS.map((_, i) => i + 1),
  );
});

t.test('migrate: each step is carried out once, in order, and what is there is left alone', async t => {
  const { server, query } = cluster(t);
  const one = await server();
  const done: number[] = [];
  const steps = [1, 2, 3].map(number => step(number, async () => void done.push(number)));
  await one.migrate(steps.slice(0, 2));
  t.strictSame(done, [1, 2]);
  await one.migrate(steps);
  await (await server()).migrate(steps);
  t.strictSame(done, [1, 2, 3]);
  t.strictSame(query('SELECT number, name, since FROM schema_migration ORDER BY number'), [
    { number: 1, name: 'step 1', since: '0.1.0' },
    { number: 2, name: 'step 2', since: '0.1.0' },
    { number: 3, name: 'step 3', since: '0.1.0' },
  ]);
  t.match(query('SELECT owner FROM migration_lock'), [{ owner: null }], 'the lock is free');
});

t.test(
  'migrate: of three servers that start at the same moment one does the work, and all end with it done',
  async t => {
    const { server, clock, query } = cluster(t);
    const servers = await Promise.all([server(), server(), server()]);
    let done = 0;
    const steps = [
      step(1, async (db, parts) => {
        done++;
        await table('first')(db, parts);
      }),
      step(2, table('second')),
    ];
    const all = Promise.all(servers.map(({ migrate }) => migrate(steps)));
    await clock.advance(5_000);
    await all;
    t.equal(done, 1);
    t.strictSame(query('SELECT max(number) AS n FROM schema_migration'), [{ n: 2 }]);
    t.equal(clock.pending, 0);
  },
);

t.test('migrate: a step that fails is undone, gives the lock back, and may be tried again', async t => {
  const { server, query } = cluster(t);
  const one = await server();
  const failing = step(2, async (db, parts) => {
    await table('half')(db, parts);
    throw new Error('no');
  });
  await t.rejects(one.migrate([step(1, table('first')), failing]), { message: 'no' });
  t.strictSame(query("SELECT name FROM sqlite_master WHERE name IN ('first', 'half')"), [{ name: 'first' }]);
  await (await server()).migrate([step(1, table('first')), step(2, table('half'))]);
  t.strictSame(query('SELECT max(number) AS n FROM schema_migration'), [{ n: 2 }]);
});

t.test('migrate: the lock of a server that died is taken over when its lease has ended', async t => {
  const { server, clock, query } = cluster(t);
  await (await server()).migrate([]);
  const expires = clock.wallTime() + 30_000;
  query(`INSERT INTO migration_lock (id, owner, expires) VALUES (1, 'dead', ${expires})`);
  const two = await server();
  let done = false;
  const migrated = two.migrate([step(1, table('first'))]).then(() => {
    done = true;
  });
  await clock.advance(29_000);
  t.equal(done, false);
  await clock.advance(2_000);
  t.equal(done, true);
  await migrated;
});

t.test('migrate: a lock that is renewed for ever is not waited for for ever', async t => {
  const { server, clock, query } = cluster(t);
  await (await server()).migrate([]);
  query(`INSERT INTO migration_lock (id, owner, expires) VALUES (1, 'busy', ${clock.wallTime() + 3_600_000})`);
  const two = await server();
  const refused = t.rejects(two.migrate([step(1, table('first'))]), { name: 'FatalError', code: 'STORE_UNUSABLE' });
  await clock.advance(61_000);
  await refused;
});

t.test('migrate: a server that lost its lock in its sleep does not go on', async t => {
  const { server, clock, query } = cluster(t);
  const slow = await server();
  const other = await server();
  const carriedOut: string[] = [];
  const two = (who: string) => step(2, async () => void carriedOut.push(who));
  // The first step leaves the lock to another, as if the process had been stopped for longer than its lease.
  const first = step(1, async db => {
    await db
      .updateTable('migration_lock')
      .set({ owner: 'other', expires: clock.wallTime() + 1_000 })
      .execute();
  });
  const waiting = slow.migrate([first, two('slow')]);
  await clock.advance(0);
  t.strictSame(carriedOut, []);
  t.strictSame(query('SELECT owner FROM migration_lock'), [{ owner: 'other' }], 'and it does not free it either');
  await clock.advance(1_001);
  await Promise.all([waiting, other.migrate([first, two('other')]), clock.advance(5_000)]);
  t.equal(carriedOut.length, 1);
});

t.test('migrate: a schema newer than this server is refused, with the version that it needs', async t => {
  const { server, query } = cluster(t);
  const steps = [step(1, table('first')), step(2, table('second'), '0.9.0')];
  await (await server()).migrate(steps);
  await t.rejects((await server()).migrate(steps.slice(0, 1)), {
    name: 'FatalError',
    code: 'STORE_TOO_NEW',
    message: "the store's schema is number 2, and this server knows up to 1: it needs Muster 0.9.0 or newer",
  });
  t.strictSame(query('SELECT count(*) AS n FROM schema_migration'), [{ n: 2 }], 'nothing changed');
});

t.test('migrations: what the schema before held is there afterwards, with the new columns', async t => {
  const { server, query } = cluster(t);
  const one = await server();
  await one.migrate(MIGRATIONS.slice(0, 1));
  query("INSERT INTO data_center (id, uuid, name) VALUES (1, 'z', 'default')");
  query("INSERT INTO sequence (name, value) VALUES ('host', 1)");
  query(
    `INSERT INTO host (id, uuid, guid, name, type, status, data_center_id, epoch, created, mgmt_server_id)
       VALUES (1, 'u', 'guid', 'name', 'Routing', 'Up', 1, 3, 1000, 7)`,
  );
  await one.migrate();
  const store = sqlStore(one.database, { clock: systemClock, random: seededRandom(1) });
  t.match(await wholeHosts(store), [
    { id: 1, guid: 'guid', status: 'Up', msid: 7, epoch: 3, resourceState: 'Enabled', podId: null, preferred: null },
  ]);
  t.match(await registerHost(store, hostDescription('guid', 1)), {
    isNew: false,
    host: { id: 1, podId: 1, clusterId: 1 },
  });
  t.equal(await hostReady(store, 1, { msid: 8, at: 2_000, msHostList: null }), 4);
  t.match(await store.host(1), { msid: 8, lastMsid: 7 });
});

t.test('migrations: one that was cut off in its midst is carried out again', async t => {
  const { server, query } = cluster(t);
  await (await server()).migrate();
  query('DELETE FROM schema_migration WHERE number >= 2');
  query('DROP TABLE event');
  query('DROP INDEX i_host__status_by_name');
  await (await server()).migrate();
  t.strictSame(query('SELECT count(*) AS n FROM event'), [{ n: 0 }]);
  t.strictSame(query("SELECT count(*) AS n FROM sqlite_master WHERE name = 'i_host__status_by_name'"), [{ n: 1 }]);
});
