// npm run build: builds dist/ and build/, unless nothing has changed since the last build. It is JavaScript, because it runs
// before anything is compiled.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

await import('./setup.mjs');

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'build/.built');
const changedAt = path => statSync(join(root, path)).mtimeMs;
// Folders as well: theirs changes when a file is removed.
const below = folder => [
  folder,
  ...readdirSync(join(root, folder), { recursive: true }).map(name => join(folder, name)),
];
const sources = ['src', 'scripts', 'bench', 'examples'].flatMap(below);
const others = ['tsconfig.json', 'tsconfig.base.json', 'package.json', 'node_modules/.package-lock.json'];
const isThere = ['dist/mgmt.js', 'dist/agent.js', 'build/scripts/start.js'].every(file => existsSync(join(root, file)));
const isBuilt =
  isThere && existsSync(stamp) && [...sources, ...others].every(path => changedAt(path) <= changedAt('build/.built'));

if (!isBuilt) {
  console.error('Building …');
  const startedAt = new Date();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-b', '.', 'scripts', 'bench', 'examples'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  // The tests that are built into build/test import ../src, and scripts and bench are beside them already.
  if (!existsSync(join(root, 'build/src'))) symlinkSync('../dist', join(root, 'build/src'), 'junction');
  writeFileSync(stamp, '');
  // What is changed while it builds is newer.
  utimesSync(stamp, startedAt, startedAt);
}
