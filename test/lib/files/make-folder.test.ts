import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeFolder } from '../../../src/lib/files/make-folder.js';
import { testFolder } from '../../helpers/scratch.js';

t.test('make folder: with those above it, and with the mode; one that is there is none to make', async t => {
  const folder = testFolder(t);
  const path = join(folder, 'a', 'b', 'c');
  await makeFolder(path, 0o700);
  for (const made of [path, join(folder, 'a')]) t.equal((await stat(made)).mode & 0o777, 0o700, made);
  for (const again of [path, `${path}/`, '/', '.']) await makeFolder(again);
  await Promise.all([1, 2, 3, 4].map(() => makeFolder(join(folder, 'x', 'y', 'z'))));
  t.ok((await stat(join(folder, 'x', 'y', 'z'))).isDirectory());
});

t.test('make folder: what cannot be made is the system’s error', async t => {
  const folder = testFolder(t);
  await writeFile(join(folder, 'file'), '');
  await t.rejects(makeFolder(join(folder, 'file')), { code: 'EEXIST' });
  await t.rejects(makeFolder(join(folder, 'file', 'a')), { code: 'ENOTDIR' });
  await t.rejects(makeFolder(''), { code: 'ENOENT' });
});

const isLinux = process.platform === 'linux';
t.test('regression: make folder: below /proc it fails, and does not hang', { skip: !isLinux }, async t => {
  for (const path of ['/proc/none', '/proc/none/a/b']) await t.rejects(makeFolder(path), { code: 'ENOENT' });
});
