import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'libsql';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { FakeClock } from '../../../../src/testing/fake-clock.js';
import { wholeHosts } from '../../../helpers/one-host.js';
import { testFolder } from '../../../helpers/scratch.js';
import { seededRandom } from '../../../helpers/seeded-random.js';
import { setConfiguration } from '../../../helpers/set-configuration.js';
import { storeProcess } from '../../../helpers/store-process.js';

const env = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;
const open = (file: string) => openStore(`sqlite:${file}`, env);

t.test('sqlite: the folder and all files are made for this user only', async t => {
  const folder = join(testFolder(t), 'some', 'data');
  const store = await open(join(folder, 'muster.db'));
  await store.zoneId('default');
  const modes = [];
  for (const name of ['', 'muster.db', 'muster.db-wal', 'muster.db-shm']) {
    modes.push((await stat(join(folder, name))).mode & 0o777);
  }
  t.strictSame(modes, [0o700, 0o600, 0o600, 0o600]);
  await store.close();
});

t.test('sqlite: after an orderly stop the one file holds everything', async t => {
  const folder = testFolder(t);
  const store = await open(join(folder, 'muster.db'));
  await setConfiguration(store, 'host', '192.0.2.1');
  await store.close();
  await writeFile(join(folder, 'copy.db'), await readFile(join(folder, 'muster.db')));
  const copy = await open(join(folder, 'copy.db'));
  t.equal((await copy.configuration()).values.get('host'), '192.0.2.1');
  await copy.close();
});

t.test('sqlite: three processes that start at the same moment share one schema, ids and guids', async t => {
  const file = join(testFolder(t), 'muster.db');
  const processes = await Promise.all([1, 2, 3].map(() => storeProcess(t)));
  const results = await Promise.all(
    processes.map((process, i) =>
      process.register(file, ['shared', ...Array.from({ length: 20 }, (_, k) => `${i}-${k}`)]),
    ),
  );
  const ids = results.flatMap(result => [...result]);
  const shared = ids.filter(([guid]) => guid === 'shared').map(([, id]) => id);
  t.equal(shared.length, 3);
  t.equal(new Set(shared).size, 1);
  t.equal(new Set(ids.map(([, id]) => id)).size, 61);
  const store = await open(file);
  t.equal((await wholeHosts(store)).length, 61);
  await store.close();
});

/** Lets the clock of `work` run on until it has ended. */
async function runOut<T>(clock: FakeClock, work: Promise<T>): Promise<PromiseSettledResult<T> | undefined> {
  let result: PromiseSettledResult<T> | undefined;
  void Promise.allSettled([work]).then(([settled]) => {
    result = settled;
  });
  for (let i = 0; i < 1_000 && result === undefined; i++) await clock.advance(10);
  return result;
}

async function lockedStore(t: Test) {
  const file = join(testFolder(t), 'muster.db');
  const clock = new FakeClock();
  const store = await openStore(`sqlite:${file}`, { ...env, clock, random: seededRandom(1) });
  const other = new Database(file, { timeout: 0 });
  other.exec('BEGIN IMMEDIATE');
  t.teardown(async () => {
    await store.close();
    other.close();
  });
  return { store, clock, other };
}

t.test('sqlite: a write waits for another process, and reads do not', async t => {
  const { store, clock, other } = await lockedStore(t);
  let written = false;
  const write = store.updateConfiguration(new Map([['host', 'a']]), 0).then(() => {
    written = true;
  });
  t.equal((await store.configuration()).version, 0, 'a read in between');
  await clock.advance(1_000);
  t.equal(written, false);
  other.exec('COMMIT');
  await clock.advance(200);
  t.equal(written, true);
  await write;
});

t.test('sqlite: a write that gets no turn for 2 s is given up, and has changed nothing', async t => {
  const { store, clock, other } = await lockedStore(t);
  const calls = [store.updateConfiguration(new Map([['a', '1']]), 0), store.zoneId('default')];
  const result = await runOut(clock, Promise.allSettled(calls));
  t.match(result, {
    value: [
      { reason: { name: 'StoreError', code: 'STORE_BUSY', operation: 'updateConfiguration' } },
      { reason: { name: 'StoreError', code: 'STORE_BUSY', operation: 'zoneId' } },
    ],
  });
  t.ok(clock.now() <= 2_020, 'both together');
  t.equal(clock.pending, 0);
  other.exec('COMMIT');
  t.strictSame(await store.configuration(), {
    version: 0,
    values: new Map(),
    assignmentGeneration: 0,
    revocation: 0,
    authorities: 0,
  });
});

t.test('sqlite: a thousand writes that wait hold up the event loop no more than one does', async t => {
  const { store, clock, other } = await lockedStore(t);
  const writes = Array.from({ length: 1_000 }, (_, i) => store.initialiseConfiguration(new Map([[`n${i}`, '']])));
  await clock.advance(0);
  // One attempt blocks for 10 ms; a thousand would for 10 s. Whoever tries again waits for the clock: one at a time.
  t.equal(clock.pending, 1);
  other.exec('COMMIT');
  await clock.advance(200);
  t.equal((await Promise.all(writes)).length, 1_000);
});

t.test('sqlite: what cannot be opened is refused with a reason', async t => {
  const folder = t.testdir({ 'text.db': 'this is no database '.repeat(500), file: '', dir: {} });
  const refused = (file: string, code: string, message: RegExp) =>
    t.rejects(
      open(join(folder, file)),
      { name: 'FatalError', code: 'STORE_UNUSABLE', message, cause: { name: 'StoreError', code } },
      `${file}: ${code}`,
    );
  await refused('text.db', 'STORE_CORRUPT', /db\.url=sqlite:.*text\.db.*file is not a database/);
  t.match(await readFile(join(folder, 'text.db'), 'utf8'), /^this is no database/, 'and left as it was');
  await refused('file/muster.db', 'STORE_UNAVAILABLE', /db\.url=sqlite:.*(ENOTDIR|EEXIST)/);
  await refused('dir', 'STORE_UNAVAILABLE', /EISDIR/);
  await symlink('nowhere/at/all.db', join(folder, 'link.db'));
  await refused('link.db', 'STORE_UNAVAILABLE', /ENOENT/);
  await mkdir(join(folder, 'closed'));
  await chmod(join(folder, 'closed'), 0o555);
  await refused('closed/muster.db', 'STORE_READ_ONLY', /closed/);
  await writeFile(join(folder, 'closed.db'), '', { mode: 0o444 });
  await refused('closed.db', 'STORE_READ_ONLY', /closed\.db/);
});

t.test('sqlite: a database that is damaged while open says so', async t => {
  const file = join(testFolder(t), 'muster.db');
  const store = await open(file);
  await store.zoneId('default');
  await store.close();
  const damaged = await readFile(file);
  damaged.fill(0x55, 4096);
  await writeFile(file, damaged);
  await t.rejects(open(file), { code: 'STORE_UNUSABLE', cause: { code: 'STORE_CORRUPT' } });
});

t.test('db.url: anything but a supported one is refused, and no password is repeated', async t => {
  for (const [url, shown] of [
    ['postgres://muster:secret@db/muster', 'postgres:…'],
    ['data/muster.db', '…'],
    ['', '…'],
    ['sqlite:', 'sqlite:'],
    ['sqlite://data/muster.db', 'sqlite://data/muster.db'],
  ] as const) {
    await t.rejects(
      openStore(url, env),
      { name: 'ConfigError', key: 'db.url', value: shown, allowed: /sqlite:data\/muster\.db/ },
      url,
    );
  }
});
