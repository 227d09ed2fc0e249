import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { FileLockedError, lockFile, lockHolder } from '../../../src/lib/files/file-lock.js';
import { testFolder } from '../../helpers/scratch.js';

const MODULE = new URL('../../../src/lib/files/file-lock.js', import.meta.url).href;
const hasProc = process.platform === 'linux';

/** A process that takes the lock once it is told to, says `locked` or why not, and then lives on. */
async function contender(t: Test, path: string) {
  const program = `
    import { lockFile } from ${JSON.stringify(MODULE)};
    process.stdin.once('data', () => lockFile(${JSON.stringify(path)}).then(
      () => console.log('locked'), error => console.log(error.code, error.holderPid)));
    console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    pid: child.pid,
    async lock(): Promise<string> {
      child.stdin.write('go\n');
      return (await lines.next()).value;
    },
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** A lock file as this process writes it, but for `changes`. */
async function forgedLock(path: string, changes: Record<string, unknown>): Promise<void> {
  const lock = await lockFile(path);
  const holder = JSON.parse(await readFile(path, 'utf8'));
  await lock.release();
  await writeFile(path, JSON.stringify({ ...holder, nonce: 'forged', ...changes }));
}

async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

t.test('file lock: it is there until released, and nothing is left behind', async t => {
  const folder = testFolder(t);
  const lock = await lockFile(join(folder, 'x.lock'));
  t.strictSame(await readdir(folder), ['x.lock']);
  await lock.release();
  t.strictSame(await readdir(folder), []);
  await lock.release();
  const again = await lockFile(join(folder, 'x.lock'));
  again.releaseSync();
  again.releaseSync();
  t.strictSame(await readdir(folder), []);
});

t.test('file lock: the same process cannot hold it twice', async t => {
  const folder = testFolder(t);
  const path = join(folder, 'x.lock');
  const lock = await lockFile(path);
  const error = await lockFile(path).catch((error: unknown) => error);
  t.ok(error instanceof FileLockedError);
  t.match(error, {
    code: 'FILE_LOCKED',
    holderPid: process.pid,
    message: `${path} is held by process ${process.pid}`,
  });
  t.strictSame(await readdir(folder), ['x.lock']);
  await lock.release();
});

t.test('file lock: a live process keeps others out; killed, its lock is taken over', async t => {
  const folder = testFolder(t);
  const path = join(folder, 'x.lock');
  const holder = await contender(t, path);
  t.equal(await holder.lock(), 'locked');
  await t.rejects(lockFile(path), { code: 'FILE_LOCKED', holderPid: holder.pid });
  await holder.kill();
  const lock = await lockFile(path);
  t.equal(JSON.parse(await readFile(path, 'utf8')).pid, process.pid);
  t.strictSame(await readdir(folder), ['x.lock']);
  await lock.release();
});

t.test('file lock: of many processes that find a stale lock exactly one gets it', async t => {
  const path = join(testFolder(t), 'x.lock');
  await forgedLock(path, { pid: await endedPid() });
  const contenders = await Promise.all(Array.from({ length: 6 }, () => contender(t, path)));
  const results = await Promise.all(contenders.map(one => one.lock()));
  t.equal(results.filter(result => result === 'locked').length, 1, results.join(', '));
  t.equal(results.filter(result => result.startsWith('FILE_LOCKED ')).length, 5);
  t.equal(JSON.parse(await readFile(path, 'utf8')).pid, contenders[results.indexOf('locked')]?.pid);
});

t.test('file lock: of many attempts of one process exactly one gets a stale lock', async t => {
  const folder = testFolder(t);
  const path = join(folder, 'x.lock');
  await forgedLock(path, { pid: await endedPid() });
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockFile(path)));
  t.equal(results.filter(result => result.status === 'fulfilled').length, 1);
  t.strictSame(await readdir(folder), ['x.lock']);
});

const STALE: readonly [what: string, changes: () => Promise<Record<string, unknown>>][] = [
  ['a process that has ended', async () => ({ pid: await endedPid() })],
  ['a process id that is in use again', async () => ({ startTime: '1' })],
  ['before a restart of the machine', async () => ({ bootId: 'another' })],
];
for (const [what, changes] of STALE) {
  t.test(`file lock: stale: ${what}`, { skip: !hasProc && 'needs /proc' }, async t => {
    const path = join(testFolder(t), 'x.lock');
    await forgedLock(path, await changes());
    t.equal(lockHolder(path), undefined);
    const lock = await lockFile(path);
    t.equal(JSON.parse(await readFile(path, 'utf8')).pid, process.pid);
    await lock.release();
  });
}

for (const text of [
  '',
  'null',
  '{"pid":',
  '{"pid":0,"host":"h","nonce":"n"}',
  '{"pid":4294967297,"host":"h","nonce":"n"}',
]) {
  t.test(`file lock: stale: a file that no lock was written to (${JSON.stringify(text)})`, async t => {
    const path = join(t.testdir({ 'x.lock': text }), 'x.lock');
    t.equal(lockHolder(path), undefined);
    const lock = await lockFile(path);
    t.equal(lockHolder(path), process.pid);
    await lock.release();
  });
}

const LIVE: readonly [what: string, changes: Record<string, unknown>, pid: number, isElsewhere?: 'elsewhere'][] = [
  ['without a start time (no /proc)', { startTime: null, bootId: null }, process.pid],
  ['after the machine got another name', { host: 'renamed' }, process.pid],
  ['on another machine', { host: 'other', bootId: 'another', pid: 77 }, 77, 'elsewhere'],
  ['on another machine without /proc', { host: 'other', bootId: null, startTime: null, pid: 77 }, 77, 'elsewhere'],
  ['of a process that is not ours to signal', { pid: 1, startTime: null }, 1],
];
for (const [what, changes, holderPid, isElsewhere] of LIVE) {
  t.test(`file lock: live: a holder ${what}`, async t => {
    const folder = testFolder(t);
    await forgedLock(join(folder, 'x.lock'), changes);
    t.equal(lockHolder(join(folder, 'x.lock')), isElsewhere ? undefined : holderPid, 'nobody is to signal another one');
    await t.rejects(lockFile(join(folder, 'x.lock')), { code: 'FILE_LOCKED', holderPid });
    t.strictSame(await readdir(folder), ['x.lock']);
  });
}

t.test('file lock: a crash in the middle of a take-over holds nobody up', async t => {
  const folder = testFolder(t);
  const path = join(folder, 'x.lock');
  const pid = await endedPid();
  for (const name of [`${path}.takeover.takeover`, `${path}.takeover`, path]) await forgedLock(name, { pid });
  const lock = await lockFile(path);
  t.strictSame(await readdir(folder), ['x.lock']);
  await lock.release();
});

t.test('file lock: a take-over under way keeps others out', async t => {
  const path = join(testFolder(t), 'x.lock');
  await forgedLock(path, { pid: await endedPid() });
  const guard = await lockFile(`${path}.takeover`);
  await t.rejects(lockFile(path), { code: 'FILE_LOCKED' });
  await guard.release();
  await (await lockFile(path)).release();
});

t.test('file lock: release leaves a lock that is no longer ours', async t => {
  const path = join(testFolder(t), 'x.lock');
  const removed = await lockFile(path);
  await unlink(path);
  const lock = await lockFile(path);
  await removed.release();
  removed.releaseSync();
  await t.rejects(lockFile(path), { code: 'FILE_LOCKED' });
  await lock.release();
});

t.test('file lock: where no lock can be, the error says so', async t => {
  const folder = t.testdir({ 'folder.lock': {} });
  await t.rejects(lockFile(join(folder, 'no', 'x.lock')), { code: 'ENOENT' });
  await t.rejects(lockFile(join(folder, 'folder.lock')), { code: 'EISDIR' });
  await symlink('nowhere', join(folder, 'dangling.lock'));
  await t.rejects(lockFile(join(folder, 'dangling.lock')), /cannot be opened/);
  t.strictSame(await readdir(folder), ['dangling.lock', 'folder.lock']);
});
