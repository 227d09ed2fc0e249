import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { freePort } from '../../../../scripts/programs/free-port.js';
import { type Clock, systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { CALL_LIMITS, openMysql } from '../../../../src/mgmt/store/mysql/mysql.js';
import { parseMysqlUrl } from '../../../../src/mgmt/store/mysql/url.js';
import { migrate } from '../../../../src/mgmt/store/sql/migration/migrate.js';
import type { Store } from '../../../../src/mgmt/store/store.js';
import { hostDescription } from '../../../helpers/host-description.js';
import { type MariaDb, PASSWORD, startMariaDb, whyNoMariaDb } from '../../../helpers/mariadb.js';
import { hostReady, registerHost } from '../../../helpers/one-host.js';
import { setConfiguration } from '../../../helpers/set-configuration.js';
import { until } from '../../../helpers/until.js';

const env = { clock: systemClock, random: systemRandom, log: silentLog };
const absent = whyNoMariaDb(t);

async function opened(t: Test, url: string, more: Partial<typeof env> = {}): Promise<Store> {
  const store = await openStore(url, { ...env, ...more });
  t.teardown(() => store.close());
  return store;
}

/** How a call ends, and after how long. */
async function ends(call: Promise<unknown>): Promise<{ code: unknown; text: string; ms: number }> {
  const start = performance.now();
  const error: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string };
  return { code, text: message, ms: performance.now() - start };
}

/** Repeats a call that fails until it works: an outage has an end, and nobody says when. */
async function atLast<T>(call: () => Promise<T>): Promise<T> {
  for (const start = performance.now(); ; ) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() - start > 15_000) throw error;
    }
  }
}

function refusals(mariadb: MariaDb): void {
  t.test('mariadb: what cannot work is said at the start, with the remedy and without the password', async t => {
    await mariadb.query('create database other');
    for (const [url, message] of [
      [mariadb.url('muster_x').replace(/:[^:@]+@/, ':wrong@'), /refuses user and password \(Access denied/],
      [mariadb.url('muster_none'), /Unknown database.*CREATE DATABASE muster_none CHARACTER SET utf8mb4/],
      [mariadb.url('other'), /Access denied.*GRANT ALL ON other\.\* TO muster/],
    ] as const) {
      const error = await openStore(url, env).catch((error: unknown) => error);
      t.match(error, { name: 'ConfigError', key: 'db.url', value: /^mysql:\/\/muster:…@127/, allowed: message });
      t.notMatch(String(error), PASSWORD);
    }
    const nobody = `mysql://muster:secret@127.0.0.1:${await freePort()}/muster`;
    const error = await openStore(nobody, env).catch((error: unknown) => error);
    t.match(error, { name: 'FatalError', code: 'STORE_UNUSABLE', message: /muster:…@127.*ECONNREFUSED/ });
    t.notMatch(String(error), 'secret');
  });
}

function values(mariadb: MariaDb): void {
  t.test('mariadb: texts and numbers come back as they were, and differ by every character', async t => {
    const store = await opened(t, await mariadb.createDatabase());
    const names = ['a', 'A', 'ä', 'a ', ' a', '🦉', "'; drop table host; --", '\\', '\\%', '"'];
    for (const name of names) await setConfiguration(store, name, name);
    t.strictSame(new Set((await store.configuration()).values.values()), new Set(names));
    const ids = new Set<number>();
    for (const name of names) ids.add(await store.zoneId(name));
    t.equal(ids.size, names.length);
    const { host } = await registerHost(store, hostDescription('🦉', 1, { ram: Number.MAX_SAFE_INTEGER }));
    await hostReady(store, host.id, { msid: 2 ** 48 - 1, at: 2 ** 50 + 1, msHostList: '\\' });
    t.match(await store.host(host.id), { guid: '🦉', ram: Number.MAX_SAFE_INTEGER, msid: 2 ** 48 - 1 });
    t.match(await store.host(host.id), { lastPing: 2 ** 50 + 1, msHostList: '\\' });
  });

  test('mariadb: a text that does not fit is refused, not cut', async (t, store) => {
    const long = 'x'.repeat(256);
    await t.rejects(registerHost(store, hostDescription(long, await store.zoneId('default'))), {
      code: 'STORE_VALUE_REFUSED',
    });
    t.strictSame(await store.hosts(), []);
  });

  test("mariadb: the time of a heartbeat is the store's business, whatever its own clock says", async (t, _, url) => {
    const ahead: Clock = { ...systemClock, wallTime: () => Date.now() + 86_400_000 };
    const store = await opened(t, url, { clock: ahead });
    const description = { msid: 1, name: 'a', version: '1', serviceIp: 'a' };
    const unknown = { osDistribution: null, kernelVersion: null, lastBootTime: null };
    const claim = { runId: 'run', dataDirToken: 'folder' };
    await store.claimServer({ ...description, ...unknown }, claim);
    const [server] = await store.servers();
    t.ok(server && Math.abs(server.lastUpdate - Date.now()) < 60_000);
  });

  test('mariadb: batches that lock the same rows in another order all come through', async (t, store, url) => {
    const others = [await opened(t, url), await opened(t, url)];
    const zone = await store.zoneId('default');
    await store.registerHosts(Array.from({ length: 50 }, (_, i) => hostDescription(`guid${i}`, zone)));
    const entries = Array.from({ length: 50 }, (_, i) => ({ id: i + 1, msid: 1, at: 1, msHostList: null }));
    const batches = Array.from({ length: 8 }, (_, i) => (i % 2 ? entries : entries.toReversed()));
    const stores = [store, ...others];
    const single = entries.map(({ id, ...ready }, i) => hostReady(stores[i % 3] ?? store, id, ready));
    await Promise.all([...batches.map((batch, i) => stores[i % 3]?.hostsReady(batch)), ...single]);
    t.strictSame(new Set((await store.hosts()).map(({ epoch }) => epoch)), new Set([9]));
  });

  t.test('mariadb: of three servers that start at the same moment one carries out the steps', async t => {
    const url = parseMysqlUrl(await mariadb.createDatabase());
    const done: number[] = [];
    const steps = [1, 2].map(number => ({
      number,
      name: `step ${number}`,
      since: '0.1.0',
      up: async () => void done.push(number),
    }));
    // Their clocks are a day apart: a lease counts by the store's.
    const clocks = [-1, 0, 1].map(days => ({ ...systemClock, wallTime: () => Date.now() + days * 86_400_000 }));
    await Promise.all(
      clocks.map(async clock => {
        const database = await openMysql(url, { ...env, clock }, CALL_LIMITS);
        await migrate(database, { ...env, clock }, steps);
        await database.close();
      }),
    );
    t.strictSame(done, [1, 2]);
  });

  t.test('mariadb: a step that was cut off in its midst is carried out again', async t => {
    const url = await mariadb.createDatabase();
    const name = url.slice(url.lastIndexOf('/') + 1);
    await (await opened(t, url)).zoneId('default');
    for (const sql of [
      `delete from ${name}.schema_migration where number >= 2`,
      `drop table ${name}.event`,
      `drop index i_host__status_by_name on ${name}.host`,
    ]) {
      await mariadb.query(sql);
    }
    const store = await opened(t, url);
    t.strictSame(await store.events({ page: 1, pagesize: 1 }), { count: 0, rows: [] });
    const indexes = await mariadb.query(`show index from ${name}.host where key_name = 'i_host__status_by_name'`);
    t.equal((indexes as unknown[]).length, 4);
  });

  function test(name: string, check: (t: Test, store: Store, url: string) => Promise<void>): void {
    t.test(name, async t => {
      const url = await mariadb.createDatabase();
      await check(t, await opened(t, url), url);
    });
  }
}

/** One transaction, whatever was read before. */
const write = (store: Store, name: string) => store.initialiseConfiguration(new Map([[name, '']]));

function outages(mariadb: MariaDb, second: MariaDb): void {
  t.test('mariadb: killed and started again, the store goes on, and has what it promised', async t => {
    const store = await opened(t, await mariadb.createDatabase());
    await setConfiguration(store, 'host', 'a');
    await mariadb.kill();
    for (const call of [store.configuration(), setConfiguration(store, 'host', 'b')]) {
      const { code, ms, text } = await ends(call);
      t.equal(code, 'STORE_UNAVAILABLE');
      t.ok(ms < 1_000, `at once, not ${ms} ms later`);
      t.notMatch(text, PASSWORD);
    }
    await mariadb.start();
    t.strictSame((await store.configuration()).values, new Map([['host', 'a']]));
    t.equal(await setConfiguration(store, 'host', 'b'), 2);
  });

  t.test('mariadb: frozen, each of many calls is given up after 2 s, and nothing is written later', async t => {
    const store = await opened(t, await mariadb.createDatabase());
    await setConfiguration(store, 'before', '');
    mariadb.freeze();
    const calls = Array.from({ length: 40 }, (_, i) => ends(write(store, `n${i}`)));
    const results = await Promise.all(calls);
    t.strictSame(
      results.filter(({ code, ms }) => (code !== 'STORE_UNAVAILABLE' && code !== 'STORE_BUSY') || ms > 2_300),
      [],
    );
    mariadb.thaw();
    t.equal(await atLast(() => setConfiguration(store, 'after', '')), 2);
    t.strictSame([...(await store.configuration()).values.keys()], ['after', 'before']);
  });

  t.test('mariadb: a row that another holds is waited for, and given up after 2 s', async t => {
    const url = await mariadb.createDatabase();
    const store = await opened(t, url);
    await setConfiguration(store, 'host', 'a');
    const other = await openMysql(parseMysqlUrl(url), env, CALL_LIMITS);
    t.teardown(() => other.close());
    let release = () => {};
    let isHeld = false;
    const held = other.kysely.transaction().execute(async db => {
      await db.selectFrom('sequence').selectAll().forUpdate().execute();
      isHeld = true;
      await new Promise<void>(resolve => {
        release = resolve;
      });
    });
    await until(() => isHeld);
    const { code, ms } = await ends(setConfiguration(store, 'host', 'b'));
    t.equal(code, 'STORE_BUSY');
    t.ok(ms < 2_300, `${ms} ms`);
    t.equal((await store.configuration()).version, 1, 'reads do not wait');
    release();
    await held;
    t.equal((await store.configuration()).version, 1);
    t.equal(await setConfiguration(store, 'host', 'c'), 2);
  });

  t.test(
    'regression: mariadb: a statement that the node does not end by itself in time is ended, and the node is kept',
    async t => {
      const name = 'muster_slow';
      for (const node of [mariadb, second]) {
        await node.query(`create database ${name}`);
        const store = await openStore(node.url(name), env);
        await setConfiguration(store, 'host', 'a');
        await store.close();
      }
      const url = parseMysqlUrl(mariadb.url(name, { behind: [`127.0.0.1:${second.port}`] }));
      const [one, other] = [await openMysql(url, env, CALL_LIMITS), await openMysql(url, env, CALL_LIMITS)];
      t.teardown(() => Promise.all([one.close(), other.close()]));
      let release = () => {};
      const released = new Promise<void>(resolve => {
        release = resolve;
      });
      let isHeld = false;
      const held = other.kysely.transaction().execute(async db => {
        await db.selectFrom('sequence').selectAll().forUpdate().execute();
        isHeld = true;
        await released;
      });
      await until(() => isHeld);
      const waiting = one.kysely.transaction().execute(async db => {
        // As on MySQL, where only a SELECT has a limit.
        await sql`set session max_statement_time = 0, innodb_lock_wait_timeout = 60`.execute(db);
        await db.updateTable('sequence').set({ value: 7 }).execute();
      });
      const startedAt = performance.now();
      const failure = await waiting.catch((error: unknown) => error);
      t.match(one.judge(failure), { code: 'STORE_BUSY' });
      t.ok(performance.now() - startedAt < CALL_LIMITS.statementMs);
      release();
      await held;
      const { rows } = await sql<{ port: number }>`select @@port as port`.execute(one.kysely);
      t.match(rows, [{ port: mariadb.port }], 'and the node is kept');
    },
  );

  t.test('mariadb: read-only, it can be read, and says so when it is written', async t => {
    const store = await opened(t, await mariadb.createDatabase());
    await setConfiguration(store, 'host', 'a');
    await mariadb.query('set global read_only = 1');
    t.teardown(() => mariadb.query('set global read_only = 0'));
    t.match(await ends(setConfiguration(store, 'host', 'b')), { code: 'STORE_READ_ONLY' });
    t.equal((await store.configuration()).version, 1);
    await mariadb.query('set global read_only = 0');
    t.equal(await setConfiguration(store, 'host', 'b'), 2);
  });

  t.test('mariadb: of several nodes the next one is asked when one is dead, frozen or read-only', async t => {
    const name = 'muster_nodes';
    for (const node of [mariadb, second]) await node.query(`create database ${name}`);
    const nowhere = `127.0.0.1:${await freePort()}`;
    // Two servers that know nothing of each other: what is written shows which one was asked.
    const url = mariadb.url(name, { before: [nowhere], behind: [`127.0.0.1:${second.port}`] });
    for (const node of [mariadb, second]) await (await openStore(node.url(name), env)).close();
    const store = await opened(t, url);
    await write(store, 'first');
    const writtenTo = async (node: MariaDb) =>
      ((await node.query(`select name from ${name}.configuration order by name`)) as { name: string }[]).map(
        ({ name }) => name,
      );
    t.strictSame([await writtenTo(mariadb), await writtenTo(second)], [['first'], []], 'nobody listens on the first');

    await mariadb.query('set global read_only = 1');
    t.teardown(() => mariadb.query('set global read_only = 0'));
    await write(store, 'second');
    await mariadb.query('set global read_only = 0');
    t.strictSame([await writtenTo(mariadb), await writtenTo(second)], [['first'], ['second']], 'away from read-only');
    t.strictSame([...(await store.configuration()).values.keys()], ['second'], 'reads, too');

    second.freeze();
    t.teardown(() => second.thaw());
    const { ms } = await ends(atLast(() => write(store, 'third')));
    t.ok(ms < 6_000, `back within ${ms} ms`);
    t.strictSame(await writtenTo(mariadb), ['first', 'third'], 'away from a frozen one');
    second.thaw();

    await mariadb.kill();
    await write(store, 'fourth');
    t.equal((await store.configuration()).version, 2, 'a dead one costs no call');
    t.strictSame(await writtenTo(second), ['fourth', 'second']);
    await mariadb.start();
  });
}

if (absent !== undefined) t.test('mariadb: outages', { skip: absent }, async () => {});
else {
  const [mariadb, second] = await Promise.all([startMariaDb(t), startMariaDb(t)]);
  refusals(mariadb);
  values(mariadb);
  outages(mariadb, second);
}
