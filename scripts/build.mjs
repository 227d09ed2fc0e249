// npm run build: builds dist/ and build/, unless nothing has changed since the last build. It is JavaScript, because it runs
// before anything is compiled.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
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
const isThere = ['dist/mgmt.js', 'dist/agent.js', 'dist/console/page/index.html', 'build/scripts/start.js'].every(
  file => existsSync(join(root, file)),
);
const isBuilt =
  isThere && existsSync(stamp) && [...sources, ...others].every(path => changedAt(path) <= changedAt('build/.built'));

if (!isBuilt) {
  console.error('Building …');
  const startedAt = new Date();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-b', '.', 'src/console', 'scripts', 'bench', 'examples'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  await buildConsole();
  // The tests that are built into build/test import ../src, and scripts and bench are beside them already.
  if (!existsSync(join(root, 'build/src'))) symlinkSync('../dist', join(root, 'build/src'), 'junction');
  writeFileSync(stamp, '');
  // What is changed while it builds is newer.
  utimesSync(stamp, startedAt, startedAt);
}

/** The console's page: what its files import in one file, with a digest of their content in the names. */
async function buildConsole() {
  const { build } = await import('esbuild');
  const page = join(root, 'dist/console/page');
  rmSync(page, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { console: 'src/console/main.tsx', style: 'src/console/console.css', icon: 'src/console/icon.svg' },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    outdir: page,
    entryNames: '[name]-[hash]',
    loader: { '.svg': 'copy' },
    legalComments: 'linked',
    metafile: true,
    logLevel: 'warning',
  });
  const names = Object.keys(metafile.outputs).map(path => basename(path));
  const [script, style] = ['.js', '.css'].map(end => names.find(name => name.endsWith(end)));
  const icon = names.find(name => name.endsWith('.svg'));
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Muster</title>
<link rel="icon" href="/${icon}" type="image/svg+xml">
<link rel="stylesheet" href="/${style}">
<script type="module" src="/${script}"></script>
</head>
<body>
<div id="app"></div>
<noscript>The console needs JavaScript. The command line and the API do without.</noscript>
</body>
</html>
`;
  writeFileSync(join(page, 'index.html'), html);
}
