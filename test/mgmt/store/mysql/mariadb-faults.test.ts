import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import mysql from 'mysql2/promise';
import t, { type Test } from 'tap';
import { delay, systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { Ownership } from '../../../../src/mgmt/hosts/ownership.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import type { Store } from '../../../../src/mgmt/store/store.js';
import { StoreHealth } from '../../../../src/mgmt/store/store-health.js';
import { hostDescription } from '../../../helpers/host-description.js';
import { type MariaDb, PASSWORD, startMariaDb, whyNoMariaDb } from '../../../helpers/mariadb.js';
import { registerHost } from '../../../helpers/one-host.js';

// A real database keeps its own time: what it needs is waited for.
const absent = whyNoMariaDb(t);
const LIST = {
  arrival: { kind: 'connect', cause: 'started', isPreferred: true, gapMs: null } as const,
  msHostList: 'a@static',
  configurationVersion: 1,
  claimant: { address: '198.51.100.1', instanceId: undefined },
};
const NO_LISTENER = { onRemoved: () => {}, onSuperseded: () => {} };
const MSID = 1001;

interface Database {
  readonly mariadb: MariaDb;
  readonly store: Store;
  /** Of an administrator, in the store's database. */
  readonly administrator: mysql.Connection;
}

async function openDatabase(t: Test, moreNodes: (mariadb: MariaDb) => Promise<readonly string[]> = async () => []) {
  const mariadb = await startMariaDb(t);
  await mariadb.createDatabase();
  const url = mariadb.url('muster_1', { behind: await moreNodes(mariadb) });
  const store = await openStore(url, { clock: systemClock, random: systemRandom, log: silentLog });
  t.teardown(() => store.close());
  const administrator = await mysql.createConnection({
    host: '127.0.0.1',
    port: mariadb.port,
    user: 'administrator',
    password: PASSWORD,
    database: 'muster_1',
  });
  t.teardown(() => administrator.destroy());
  return { mariadb, store, administrator } satisfies Database;
}

/** Commits wait meanwhile: mariabackup, a slow disk, the flow control of Galera. */
async function whileCommitsAreBlocked<T>({ administrator }: Database, work: () => Promise<T>): Promise<T> {
  for (const stage of ['START', 'FLUSH', 'BLOCK_DDL', 'BLOCK_COMMIT']) {
    await administrator.query(`BACKUP STAGE ${stage}`);
  }
  try {
    return await work();
  } finally {
    await administrator.query('BACKUP STAGE END');
    await delay(systemClock, 1_500);
  }
}

async function hostOf({ store }: Database, guid: string): Promise<number> {
  return (await registerHost(store, hostDescription(guid, await store.zoneId('default')))).host.id;
}

/** Polls, until all is written or for so many seconds. */
async function polls({ store }: Database, health: StoreHealth, ownership: Ownership, seconds = 10): Promise<void> {
  for (let second = 0; second < seconds && ownership.unwritten > 0; second++) {
    await delay(systemClock, 1_000);
    await health.watch(() => store.servers()).catch(() => {});
    ownership.retry();
  }
}

if (absent !== undefined) t.comment(absent);
else {
  t.test(
    'regression: mariadb: a Ready that commits after its call has failed leaves no host Up without a link',
    async t => {
      const bench = await openDatabase(t);
      const hostId = await hostOf(bench, 'g1');
      const health = new StoreHealth(silentLog);
      const ownership = new Ownership(bench.store, health, { clock: systemClock, log: silentLog, msid: MSID });
      await whileCommitsAreBlocked(bench, async () => {
        ownership.ready(hostId, LIST, NO_LISTENER);
        for (let i = 0; i < 100 && !health.away; i++) await delay(systemClock, 50);
        t.ok(health.away, 'the call has failed');
        ownership.lost(hostId, { reason: 'goodbye', cause: 'closed' });
      });
      await polls(bench, health, ownership);
      const row = await bench.store.host(hostId);
      // What the reconciler does with a row that says that the host is here, where it has no link.
      if (row?.status === 'Up') ownership.release(hostId, row.epoch, 'no link');
      await polls(bench, health, ownership);
      t.match(await bench.store.host(hostId), { status: /Disconnected|Connecting/, msid: null });
    },
  );

  t.test('regression: mariadb: a job whose start commits after its call has failed can be started', async t => {
    const bench = await openDatabase(t);
    const { store } = bench;
    const job = await store.createJob({ cmd: 'x', params: '{}', targetMsid: MSID, hostId: null, createdBy: null });
    const isStarted = await whileCommitsAreBlocked(bench, () => store.startJob(job.uuid, MSID).catch(() => false));
    // Either it says that the job is the caller's, or whoever looks next gets it.
    const { pending, running } = await store.openJobs(MSID, []);
    const found = [...pending, ...running];
    t.ok(isStarted || found.some(({ uuid }) => uuid === job.uuid), `the job is ${(await store.job(job.uuid))?.status}`);
  });

  t.test('regression: mariadb: a reason of 70 kB keeps neither its host nor others Up', async t => {
    const bench = await openDatabase(t);
    const [talker, other] = [await hostOf(bench, 'talker'), await hostOf(bench, 'other')];
    const health = new StoreHealth(silentLog);
    const ownership = new Ownership(bench.store, health, { clock: systemClock, log: silentLog, msid: MSID });
    for (const id of [talker, other]) ownership.ready(id, LIST, NO_LISTENER);
    await polls(bench, health, ownership);
    t.match(await bench.store.host(talker), { status: 'Up' });
    ownership.lost(talker, { reason: 'x'.repeat(70_000), cause: 'closed' });
    await delay(systemClock, 50);
    ownership.lost(other, { reason: 'goodbye', cause: 'closed' });
    await polls(bench, health, ownership);
    t.equal(ownership.unwritten, 0);
    t.match(await bench.store.host(talker), { status: 'Disconnected', msid: null });
    t.match(await bench.store.host(other), { status: 'Disconnected', msid: null });
  });

  t.test(
    'regression: mariadb: one slow statement does not move a server to another database node for good',
    async t => {
      let connections = 0;
      const { store, administrator } = await openDatabase(t, async mariadb => {
        const second = createServer(socket => {
          connections++;
          const up = connect(mariadb.port, '127.0.0.1');
          socket.pipe(up).pipe(socket);
          for (const end of [socket, up]) end.on('error', () => {});
        }).listen(0, '127.0.0.1');
        t.teardown(() => void second.close());
        await once(second, 'listening');
        return [`127.0.0.1:${(second.address() as AddressInfo).port}`];
      });
      await store.servers();
      t.equal(connections, 0);
      // mysqldump --lock-tables, an ALTER, or a scan.
      await administrator.query('lock tables event write');
      await t.rejects(store.events({ page: 1, pagesize: 1 }));
      await administrator.query('unlock tables');
      for (let i = 0; i < 20; i++) {
        await store.servers();
        await delay(systemClock, 50);
      }
      t.equal(connections, 0, 'it has stayed');
    },
  );
}
