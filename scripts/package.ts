// npm run package: the package that npm pack gives, with the manual, and with the versions of all packages below it, so that
// npm install -g gives every machine the same ones.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bashCompletion } from './install/completion.js';
import { manual } from './install/manual.js';
import { type Lock, productionLock } from './install/production.js';

// npm run package -- FOLDER: where the package is written, in place of this one.
const root = fileURLToPath(new URL('../../', import.meta.url));
const [destination = root] = process.argv.slice(2);
const staging = mkdtempSync(join(tmpdir(), 'muster-package-'));

/** Packs a folder. @returns the name of the archive in `destination` */
function pack(folder: string, destination: string): string {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination];
  const [{ filename }] = JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }));
  return filename;
}

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const writeJson = (path: string, value: unknown) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

const plain = pack(root, staging);
execFileSync('tar', ['-xzf', plain], { cwd: staging });
const folder = join(staging, 'package');

mkdirSync(join(folder, 'man'));
for (const [name, text] of manual()) writeFileSync(join(folder, 'man', name), text);
mkdirSync(join(folder, 'completion'));
writeFileSync(join(folder, 'completion/muster.bash'), bashCompletion());
// npm leaves package-lock.json out of packages, and takes the versions of this file.
writeJson(join(folder, 'npm-shrinkwrap.json'), productionLock(readJson(join(root, 'package-lock.json')) as Lock));
const { devDependencies: _dev, scripts: _scripts, files: _files, ...about } = readJson(join(folder, 'package.json'));
writeJson(join(folder, 'package.json'), { ...about, man: [...manual().keys()].map(name => `./man/${name}`) });

const archive = pack(folder, destination);
rmSync(staging, { recursive: true, force: true });
console.log(`${archive}: on another machine, npm install -g ${archive}`);
