import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
// For mockImport.
import '@tapjs/mock/import';
import t, { type Test } from 'tap';
import { createFileAtomic, FileError, writeFileAtomic } from '../../../src/lib/files/atomic-file.js';
import { testFolder } from '../../helpers/scratch.js';

const modeOf = async (path: string) => (await fs.stat(path)).mode & 0o7777;

/** Compiled: tap would look for it beside this file's source. */
const ATOMIC_FILE = fileURLToPath(import.meta.resolve('#dist/lib/files/atomic-file.js'));

/** The module with some of the system's calls failing. */
const withFaults = (t: Test, faults: Partial<typeof fs>) =>
  t.mockImport<typeof import('../../../src/lib/files/atomic-file.js')>(ATOMIC_FILE, {
    'node:fs/promises': { ...fs, ...faults },
  });

const systemError = (code: string) => Object.assign(new Error(`${code}: as the test says`), { code });

t.test('atomic file: a new file has mode 0600, or the one asked for, whatever the umask', async t => {
  const folder = testFolder(t);
  const old = process.umask(0o077);
  t.teardown(() => process.umask(old));
  await writeFileAtomic(join(folder, 'a'), 'text\n');
  await writeFileAtomic(join(folder, 'b'), new Uint8Array([0, 255]), { mode: 0o644 });
  t.equal(await fs.readFile(join(folder, 'a'), 'utf8'), 'text\n');
  t.strictSame(await fs.readFile(join(folder, 'b')), Buffer.from([0, 255]));
  t.strictSame([await modeOf(join(folder, 'a')), await modeOf(join(folder, 'b'))], [0o600, 0o644]);
  t.strictSame(await fs.readdir(folder), ['a', 'b'], 'nothing else is left');
});

t.test('atomic file: an existing file keeps its mode and owner', async t => {
  const path = join(t.testdir({ a: 'old' }), 'a');
  await fs.chmod(path, 0o2640);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await fs.chown(path, 1234, 2345);
  await fs.chmod(path, 0o2640);
  await writeFileAtomic(path, 'new', { mode: 0o600 });
  t.equal(await fs.readFile(path, 'utf8'), 'new');
  t.equal(await modeOf(path), 0o2640);
  if (isRoot) t.match(await fs.stat(path), { uid: 1234, gid: 2345 });
});

t.test('atomic file: whoever has the old file open keeps the old content', async t => {
  const path = join(t.testdir({ a: 'old content' }), 'a');
  const reader = await fs.open(path);
  await writeFileAtomic(path, 'new');
  t.equal(await reader.readFile('utf8'), 'old content');
  await reader.close();
});

t.test('atomic file: symbolic links stay, and what they name is replaced', async t => {
  const folder = t.testdir({
    real: { 'a.conf': 'old', nested: {} },
    linked: t.fixture('symlink', 'real/nested'),
    link: t.fixture('symlink', 'second'),
    second: t.fixture('symlink', 'real/a.conf'),
    // Through the linked folder `..` is real/, not this one.
    dotted: t.fixture('symlink', 'linked/../b.conf'),
  });
  await writeFileAtomic(join(folder, 'link'), 'new');
  await writeFileAtomic(join(folder, 'dotted'), 'made');
  t.ok((await fs.lstat(join(folder, 'link'))).isSymbolicLink());
  t.equal(await fs.readFile(join(folder, 'real/a.conf'), 'utf8'), 'new');
  t.equal(await fs.readFile(join(folder, 'real/b.conf'), 'utf8'), 'made', 'a dangling link makes its target');
  t.ok((await fs.lstat(join(folder, 'dotted'))).isSymbolicLink());
  t.strictSame(await fs.readdir(folder), ['dotted', 'link', 'linked', 'real', 'second']);
});

t.test('atomic file: links in a circle are an error', async t => {
  const folder = t.testdir({ a: t.fixture('symlink', 'b'), b: t.fixture('symlink', 'a') });
  await t.rejects(writeFileAtomic(join(folder, 'a'), 'x'), { code: 'FILE_WRITE_FAILED' });
});

t.test('atomic file: no write permission for the owner means read-only, for root too', async t => {
  const path = join(t.testdir({ a: 'old' }), 'a');
  await fs.chmod(path, 0o466);
  const error = await writeFileAtomic(path, 'new').catch((error: unknown) => error);
  t.ok(error instanceof FileError);
  t.match(error, { code: 'FILE_READ_ONLY', path });
  t.equal(await fs.readFile(path, 'utf8'), 'old');
  await fs.chmod(path, 0o600);
  await writeFileAtomic(path, 'new');
  t.equal(await fs.readFile(path, 'utf8'), 'new', 'and with it the file can be written again');
});

t.test('atomic file: a folder or a device is not replaced', async t => {
  const folder = t.testdir({ sub: {} });
  await t.rejects(writeFileAtomic(join(folder, 'sub'), 'x'), { code: 'FILE_NOT_REGULAR' });
  await t.rejects(writeFileAtomic('/dev/null', 'x'), { code: 'FILE_NOT_REGULAR' });
});

t.test('atomic file: a missing folder is an error with its cause', async t => {
  const path = join(testFolder(t), 'no', 'a');
  await t.rejects(writeFileAtomic(path, 'x'), { code: 'FILE_WRITE_FAILED', path, cause: { code: 'ENOENT' } });
});

t.test('atomic file: whatever fails before the end leaves the original, and no temporary file', async t => {
  const failing = (step: 'writeFile' | 'sync' | 'chmod') =>
    withFaults(t, {
      open: async (...args: Parameters<typeof fs.open>) => {
        const file = await fs.open(...args);
        if (args[1] === 'wx') file[step] = () => Promise.reject(systemError('ENOSPC'));
        return file;
      },
    });
  const faulty = {
    writeFile: await failing('writeFile'),
    sync: await failing('sync'),
    chmod: await failing('chmod'),
    rename: await withFaults(t, { rename: () => Promise.reject(systemError('EBUSY')) }),
  };
  for (const [step, module] of Object.entries(faulty)) {
    const folder = t.testdir({ a: 'old' });
    const code = step === 'rename' ? 'EBUSY' : 'ENOSPC';
    await t.rejects(
      module.writeFileAtomic(join(folder, 'a'), 'new'),
      { code: 'FILE_WRITE_FAILED', cause: { code } },
      step,
    );
    t.strictSame(await fs.readdir(folder), ['a']);
    t.equal(await fs.readFile(join(folder, 'a'), 'utf8'), 'old');
  }
});

t.test('atomic file: an owner that may not be set, and a folder that cannot be synced, are no errors', async t => {
  const path = join(t.testdir({ a: 'old' }), 'a');
  const module = await withFaults(t, {
    open: async (...args: Parameters<typeof fs.open>) => {
      const file = await fs.open(...args);
      const { stat } = file;
      if (args[1] === 'wx') {
        file.stat = (async () => Object.assign(await stat.call(file), { uid: 77 })) as typeof file.stat;
        file.chown = () => Promise.reject(systemError('EPERM'));
      } else file.sync = () => Promise.reject(systemError('EINVAL'));
      return file;
    },
  });
  await module.writeFileAtomic(path, 'new');
  t.equal(await fs.readFile(path, 'utf8'), 'new');
});

t.test('atomic file: writes at the same time never leave a torn file', async t => {
  const folder = t.testdir({ a: '' });
  const path = join(folder, 'a');
  const contents = Array.from({ length: 30 }, (_, index) => `${index}:`.padEnd(200_000 + index, String(index % 10)));
  let writing = true;
  const torn: number[] = [];
  const reader = (async () => {
    while (writing) {
      const seen = await fs.readFile(path, 'utf8');
      if (seen !== '' && !contents.includes(seen)) torn.push(seen.length);
    }
  })();
  await Promise.all(contents.map(content => writeFileAtomic(path, content)));
  writing = false;
  await reader;
  t.strictSame(torn, []);
  t.ok(contents.includes(await fs.readFile(path, 'utf8')));
  t.strictSame(await fs.readdir(folder), ['a']);
});

t.test('atomic file: of several that create one file, one succeeds, and the others leave it alone', async t => {
  const folder = testFolder(t);
  const path = join(folder, 'key');
  const made = await Promise.all(['one', 'two', 'three'].map(text => createFileAtomic(path, text)));
  t.equal(made.filter(isOurs => isOurs).length, 1);
  t.equal(await fs.readFile(path, 'utf8'), ['one', 'two', 'three'][made.indexOf(true)]);
  t.equal(await modeOf(path), 0o600);
  t.strictSame(await fs.readdir(folder), ['key'], 'nothing else is left');
  await t.rejects(createFileAtomic(join(folder, 'missing', 'key'), ''), { code: 'ENOENT' });
});
