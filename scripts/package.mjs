// What another machine needs, built, as one archive: npm ci --omit=dev there installs the rest.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const staging = join(root, 'build/package');
const archive = `muster-${version}.tgz`;

rmSync(staging, { recursive: true, force: true });
for (const name of ['package.json', 'package-lock.json', 'README.md', 'CHANGELOG.md', 'dist', 'docs', 'conf']) {
  // Settings of this machine stay here.
  const filter = path => !/conf\/[^/]*\.properties$|\.crt$|\.tsbuildinfo$|\.lock$/.test(path);
  cpSync(join(root, name), join(staging, 'muster', name), { recursive: true, filter });
}
execFileSync('tar', ['-czf', join(root, archive), '-C', staging, 'muster'], { stdio: 'inherit' });
console.log(`${archive}: on the other machine, tar xzf ${archive} && cd muster && npm ci --omit=dev`);
