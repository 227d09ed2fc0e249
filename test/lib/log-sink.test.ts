import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { LogSink } from '../../src/lib/log-sink.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { captureStderr } from '../helpers/capture-stderr.js';
import { testFolder } from '../helpers/scratch.js';
import { until } from '../helpers/until.js';

t.test('log: lines are written in order, to a file that others cannot read', async t => {
  const file = join(testFolder(t), 'some', 'x.log');
  const sink = new LogSink(file, new FakeClock());
  for (let line = 0; line < 100; line++) sink.write(`${line}\n`);
  t.equal(await sink.opened(), undefined);
  await sink.close();
  t.equal(await readFile(file, 'utf8'), Array.from({ length: 100 }, (_, line) => `${line}\n`).join(''));
  t.equal(((await stat(file)).mode & 0o777) | 0o040, 0o640);
});

t.test('log: reopened, it goes on in a new file', async t => {
  const file = join(testFolder(t), 'x.log');
  const sink = new LogSink(file, new FakeClock());
  sink.write('one\n');
  await sink.opened();
  await rename(file, `${file}.1`);
  sink.write('two\n');
  sink.reopen();
  sink.write('three\n');
  await sink.close();
  t.equal(await readFile(`${file}.1`, 'utf8'), 'one\ntwo\n');
  t.equal(await readFile(file, 'utf8'), 'three\n');
});

t.test('regression: log: one that cannot be opened, or written, says so at its start', async t => {
  const folder = testFolder(t);
  t.throws(() => new LogSink(folder, new FakeClock()), { code: 'EISDIR' });
  t.throws(() => new LogSink(join(folder, 'mistyped', 'folder', 'x.log'), new FakeClock()), { code: 'ENOENT' });
  t.same(readdirSync(folder), [], 'no folder is made on the way');
  const stderr = captureStderr(t);
  const full = new LogSink('/dev/full', new FakeClock());
  full.write('one\n');
  t.match(await full.opened(), /ENOSPC/);
  t.equal(stderr(), '', 'the caller tells it');
});

t.test('regression: log: lines that cannot be written go to standard error, until the log is back', async t => {
  const stderr = captureStderr(t);
  const folder = testFolder(t);
  const file = join(folder, 'logs', 'x.log');
  await mkdir(join(folder, 'logs'));
  const clock = new FakeClock();
  const sink = new LogSink(file, clock);
  sink.write('one\n');
  await sink.opened();
  await rm(join(folder, 'logs'), { recursive: true });
  await mkdir(file, { recursive: true });
  sink.reopen();
  sink.write('two\n');
  await clock.advance(9_999);
  sink.write('three\n');
  t.match(stderr(), /^log\.file=.*x\.log: EISDIR.*; the lines of the log go here meanwhile\ntwo\nthree\n$/);
  await rm(file, { recursive: true });
  await clock.advance(1);
  sink.write('four\n');
  await sink.close();
  t.equal(await readFile(file, 'utf8'), 'four\n');
  t.match(stderr(), /is written again\n$/);
});

t.test('regression: log: lines that come behind its end go to standard error, and to no other file', async t => {
  const stderr = captureStderr(t);
  const folder = testFolder(t);
  const sink = new LogSink(join(folder, 'x.log'), new FakeClock());
  sink.write('one\n');
  await sink.opened();
  await sink.close();
  const other = await open(join(folder, 'other'), 'w');
  t.teardown(() => other.close());
  sink.write('two\n');
  await sink.written();
  t.match(stderr(), /two\n$/);
  t.equal(await readFile(join(folder, 'x.log'), 'utf8'), 'one\n');
  t.equal(await readFile(join(folder, 'other'), 'utf8'), '', 'it has the descriptor that the log had');
});

t.test('regression: log: a file that cannot be closed is said on standard error, and rejects nothing', async t => {
  const stderr = captureStderr(t);
  const file = join(testFolder(t), 'x.log');
  const sink = new LogSink(file, new FakeClock());
  sink.write('one\n');
  await sink.opened();
  const descriptor = readdirSync('/proc/self/fd').find(one => targetOf(one) === file);
  closeSync(Number(descriptor));
  await t.resolves(sink.close());
  await until(() => stderr() !== '');
  t.match(stderr(), /^log\.file=.*x\.log: EBADF/);
});

function targetOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // It was that of the listing.
    return undefined;
  }
}

t.test('regression: log: what is closed is not opened again', async t => {
  const file = join(testFolder(t), 'x.log');
  const stderr = captureStderr(t);
  const sink = new LogSink(file, new FakeClock());
  sink.write('one\n');
  await sink.close();
  sink.reopen();
  sink.write('late\n');
  await sink.written();
  t.equal(await readFile(file, 'utf8'), 'one\n');
  t.match(stderr(), /late\n/);
});
