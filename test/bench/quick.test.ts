import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { isInstalled } from '../../scripts/mariadb/mariadb.js';
import { ROOT } from '../helpers/root.js';
import { testFolder } from '../helpers/scratch.js';

t.test('bench: a quick run measures what has goals, and leaves nothing behind', async t => {
  const folder = testFolder(t);
  const sections = ['agents', 'idle', 'fleet', 'stores', 'lists', 'link', 'cloudstack'];
  const args = ['--expose-gc', join(ROOT, 'build/bench/run.js'), '--quick', ...sections];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH ?? '', TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  t.equal(code, 0, stderr);
  const rows = stdout.split('\n').filter(line => /(met|missed)$/.test(line));
  const figure = String.raw`-?\d+(\.\d+)?`;
  const expected = [
    ...['none', 'own'].map(kind => `server CPU for an agent to Ready, ms +20 +${kind} +${figure} +${figure}`),
    ...['none', 'own'].map(kind => `server CPU for a 300-byte ping, ms +20 +${kind} +${figure} +${figure}`),
    ...['none', 'own'].map(kind => `agents/s to Ready +20 +${kind} +${figure} +${figure} +${figure} ×`),
    ...[10, 20].map(count => `server memory for an idle agent, kB +${count} +shared +${figure} +${figure}`),
    ...[10, 20].map(count => `memory of a fleet for an idle agent, kB +${count} +own +${figure} +${figure}`),
    `packets/s over one link, 32 in flight +${figure} +${figure} +${figure} ×`,
    ...(isInstalled() ? ['SQLite', 'MariaDB'] : ['SQLite']).flatMap(store => [
      `${store}: server CPU for an agent to Ready, ms +20 +none +${figure} +${figure}`,
      `${store}: until the last agent is Ready, s +20 +none +${figure} +${figure} +${figure} ×`,
    ]),
    ...[10, 20].map(
      count => `until the last agent is told, s +${count} +${figure} +${figure} +${figure} +${figure} +≤ 5 s`,
    ),
    ...[10, 20].map(count => `lists that an agent is told +${count} +1\\.00 +1\\.00 +1\\.00 +1\\.00 +≤ 1 +met`),
    `server CPU for an agent, ms +20 +${figure} +${figure} +${figure} +${figure} +≤ 1\\.1 × 10`,
    ...[10, 20].map(count => `of it, without a processor not counted, ms +${count} +${figure} .*≤ 50 ms`),
    `server memory for an agent, kB +20 +${figure} +${figure} +${figure} +≤ 1\\.1 × 10`,
    `agents/s to Ready +${figure} +12 +${figure} ×`,
    `server CPU for an agent, ms +${figure} +137 +${figure} ×`,
  ];
  t.equal(rows.length, expected.length, stdout);
  t.match(
    rows,
    expected.map(pattern => new RegExp(`^${pattern}`)),
  );
  t.strictSame(readdirSync(folder), []);
});
