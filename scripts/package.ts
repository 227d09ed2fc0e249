// npm run package: what another machine needs, built, as one archive. npm ci --omit=dev there installs the rest.
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '#dist/lib/version.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const staging = join(root, 'build/package');
const archive = `muster-${VERSION}.tgz`;

/** Settings and certificates of this machine, and what only a build reads, stay here. */
const isLeftOut = (path: string): boolean =>
  /conf\/[^/]*\.properties$|\.crt$|\.tsbuildinfo$|\.lock$|tsconfig\.json$/.test(path);

rmSync(staging, { recursive: true, force: true });
for (const name of [
  'package.json',
  'package-lock.json',
  'README.md',
  'CHANGELOG.md',
  'dist',
  'docs',
  'conf',
  'examples',
  'recordings',
])
  cpSync(join(root, name), join(staging, 'muster', name), { recursive: true, filter: path => !isLeftOut(path) });
execFileSync('tar', ['-czf', join(root, archive), '-C', staging, 'muster'], { stdio: 'inherit' });
console.log(`${archive}: on the other machine, tar xzf ${archive} && cd muster && npm ci --omit=dev`);
