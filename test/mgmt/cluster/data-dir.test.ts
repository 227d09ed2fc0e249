import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { systemRandom } from '../../../src/lib/random.js';
import { openDataDir } from '../../../src/mgmt/cluster/data-dir.js';
import { testFolder } from '../../helpers/scratch.js';

t.test('identity: the msid is made once, kept, and lies within 48 bits', async t => {
  const path = join(testFolder(t), 'a', 'data');
  const first = await openDataDir(path, undefined, systemRandom);
  t.ok(Number.isInteger(first.nodeId) && first.nodeId > 0 && first.nodeId < 2 ** 48);
  t.equal((await stat(path)).mode & 0o777, 0o700);
  t.equal(await readFile(join(path, 'cluster.node.id'), 'utf8'), `${first.nodeId}\n`);
  await first.lock.release();
  const second = await openDataDir(path, undefined, systemRandom);
  t.equal(second.nodeId, first.nodeId);
  await second.lock.release();
  const given = await openDataDir(path, 77, systemRandom);
  t.equal(given.nodeId, 77, 'the setting wins');
  await given.lock.release();
  t.equal(await readFile(join(path, 'cluster.node.id'), 'utf8'), `${first.nodeId}\n`);
});

t.test('identity: the smallest and the largest chance give an msid that is allowed', async t => {
  for (const [draw, id] of [
    [0, 1],
    [2 ** 48 - 2, 2 ** 48 - 1],
  ] as const) {
    const bounds: number[] = [];
    const random = { ...systemRandom, int: (bound: number) => (bounds.push(bound) > 0 ? draw : 0) };
    const opened = await openDataDir(testFolder(t), undefined, random);
    t.equal(opened.nodeId, id);
    t.strictSame(bounds, [2 ** 48 - 1]);
    await opened.lock.release();
  }
});

t.test('identity: a folder in use, a file in its place, and a broken msid are configuration errors', async t => {
  const path = t.testdir({ file: 'x', broken: { 'cluster.node.id': '12x\n' }, zero: { 'cluster.node.id': '0' } });
  const opened = await openDataDir(join(path, 'data'), undefined, systemRandom);
  await t.rejects(openDataDir(join(path, 'data'), undefined, systemRandom), {
    name: 'ConfigError',
    key: 'data.dir',
    message: new RegExp(`process ${process.pid}`),
  });
  await opened.lock.release();
  await t.rejects(openDataDir(join(path, 'file'), undefined, systemRandom), { name: 'ConfigError', key: 'data.dir' });
  for (const name of ['broken', 'zero']) {
    await t.rejects(openDataDir(join(path, name), undefined, systemRandom), { message: /holds no number/ });
    await mkdir(join(path, name), { recursive: true });
    await writeFile(join(path, name, 'cluster.node.id'), '5');
    const mended = await openDataDir(join(path, name), undefined, systemRandom);
    t.equal(mended.nodeId, 5, 'and it had let go of its lock');
    await mended.lock.release();
  }
});
