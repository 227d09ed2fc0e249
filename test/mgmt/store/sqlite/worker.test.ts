import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import Database from 'libsql';
import t, { type Test } from 'tap';
import { type Clock, systemClock } from '../../../../src/lib/clock.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { FakeClock } from '../../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../../helpers/recording-log.js';
import { testFolder } from '../../../helpers/scratch.js';
import { setConfiguration } from '../../../helpers/set-configuration.js';

const open = (file: string, clock: Clock = systemClock, log = new RecordingLog()) =>
  openStore(`sqlite:${file}`, { clock, random: systemRandom, log });

/** A store, and the worker thread that it has. */
async function openWithWorker(t: Test, clock: Clock = systemClock) {
  const file = join(testFolder(t), 'muster.db');
  const log = new RecordingLog();
  const started = once(process, 'worker');
  const store = await open(file, clock, log);
  t.teardown(() => store.close());
  const [worker] = (await started) as [Worker];
  return { store, worker, file, log };
}

t.test('worker: the schema is brought up to date there, and said here', async t => {
  const { log } = await openWithWorker(t);
  t.equal(log.count('info store schema brought up to date'), 1);
});

t.test('worker: an error comes back as what it was', async t => {
  const { store } = await openWithWorker(t);
  await t.rejects(setConfiguration(store, 'host', 'a\0b'), {
    name: 'StoreError',
    code: 'STORE_VALUE_REFUSED',
    operation: 'updateConfiguration',
    message: /a text with a NUL character/,
    cause: Error,
  });
  await t.rejects(store.registerHosts(new Array(501)), { name: 'RangeError', message: /the limit is 500/ });
  await t.rejects(open('/dev/null/muster.db'), {
    name: 'FatalError',
    code: 'STORE_UNUSABLE',
    message: /ENOTDIR|EEXIST/,
    cause: { name: 'StoreError', code: 'STORE_UNAVAILABLE' },
  });
});

t.test('worker: a store that another process has locked is busy after 2 s', async t => {
  const { store, file } = await openWithWorker(t);
  const other = new Database(file, { timeout: 0 });
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  await t.rejects(setConfiguration(store, 'host', 'a'), { code: 'STORE_BUSY' });
  other.exec('COMMIT');
  t.equal(await setConfiguration(store, 'host', 'a'), 1);
});

t.test('worker: when its thread dies calls fail, and the next one starts another thread', async t => {
  const { store, worker, log } = await openWithWorker(t, new FakeClock());
  await setConfiguration(store, 'host', 'a');
  const unavailable = { name: 'StoreError', code: 'STORE_UNAVAILABLE', message: /ended with code/ };
  // It dies before it has read them.
  worker.postMessage = () => {};
  const failed = Promise.all([
    t.rejects(setConfiguration(store, 'host', 'b'), unavailable),
    t.rejects(store.configuration(), unavailable),
  ]);
  void worker.terminate();
  await failed;
  t.equal(log.count('error The thread of the store has died'), 1);
  t.equal((await store.configuration()).values.get('host'), 'a');
  t.equal((await Promise.all([store.zoneId('one'), store.zoneId('one')])).length, 2);
  await store.close();
  await t.rejects(store.configuration(), { code: 'STORE_CLOSED' });
});

t.test('regression: worker: a file that is deleted, moved away or replaced is noticed at the next call', async t => {
  const { store, worker, file } = await openWithWorker(t, new FakeClock());
  await setConfiguration(store, 'host', 'a');
  const refused = { name: 'StoreError', code: 'STORE_REPLACED', message: /was deleted while it was in use/ };
  await rename(file, `${file}.away`);
  await t.rejects(store.configuration(), refused);
  await t.rejects(store.zoneId('default'), refused);
  void worker.terminate();
  await once(worker, 'exit');
  await t.rejects(store.configuration(), refused, 'another thread makes no new file');
  t.notOk((await readdir(dirname(file))).includes('muster.db'));
  await copyFile(`${file}.away`, file);
  await t.rejects(store.configuration(), { code: 'STORE_REPLACED', message: /was replaced by another file/ });
  await rename(`${file}.away`, file);
  t.equal((await store.configuration()).values.get('host'), 'a', 'put back, it is the store again');
});

t.test('worker: when it does not answer calls are given up after 2 s, and never begin', async t => {
  const clock = new FakeClock();
  const { store, worker } = await openWithWorker(t, clock);
  await setConfiguration(store, 'host', 'a');
  const { version } = await store.configuration();
  const held: unknown[] = [];
  const post = worker.postMessage;
  worker.postMessage = message => void held.push(message);
  const refused = t.rejects(store.updateConfiguration(new Map([['host', 'b']]), version), {
    code: 'STORE_UNAVAILABLE',
    operation: 'updateConfiguration',
    message: /no answer in time/,
  });
  await clock.advance(2_500);
  await refused;
  t.equal(clock.pending, 0);
  worker.postMessage = post;
  for (const message of held) worker.postMessage(message);
  t.equal((await store.configuration()).values.get('host'), 'a');
  t.equal(clock.pending, 0);
});

t.test('worker: the process can end, with the store closed or open', async t => {
  const run = async (end: string) => {
    const folder = testFolder(t);
    const script = `
      import { openStore } from ${JSON.stringify(import.meta.resolve('#dist/mgmt/open-store.js'))};
      const clock = { now: () => performance.now(), wallTime: () => Date.now(), after: () => ({ cancel() {} }) };
      const log = { info() {}, error() {} };
      const store = await openStore('sqlite:${folder}/muster.db', { clock, random: {}, log });
      await store.zoneId('default');
      ${end}`;
    const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { PATH: process.env.PATH ?? '' },
    });
    t.equal(stderr, '');
    return readdir(folder);
  };
  t.same(await run('await store.close();'), ['muster.db']);
  t.ok((await run('')).includes('muster.db'));
  t.ok((await run('process.exit(0);')).includes('muster.db'));
});
