// Puts a package of Debian together, and has dpkg-deb pack it.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bashCompletion } from './completion.js';
import { controlFiles, type DebPackage, libraryOf } from './debian.js';
import { manual } from './manual.js';
import { foldersOf, type Lock } from './production.js';
import { programFiles } from './program-files.js';

export interface BuildDebOptions {
  /** The folder of this project, built. */
  readonly root: string;
  readonly version: string;
  /** Where the package is written. */
  readonly destination: string;
  /** As dpkg-deb names it. @default xz */
  readonly compression?: 'xz' | 'none';
}

/** @returns the path of the package */
export function buildDeb(deb: DebPackage, { root, version, destination, compression = 'xz' }: BuildDebOptions): string {
  const tree = mkdtempSync(join(destination, '.deb-'));
  try {
    chmodSync(tree, 0o755);
    layOut(deb, tree, root, version);
    const installedKiB = Math.ceil(sizeOf(tree) / 1024);
    for (const [name, { text, mode }] of controlFiles(deb, { version, installedKiB })) {
      write(tree, `/DEBIAN/${name}`, text, mode);
    }
    const file = join(destination, `${deb.name}_${version}_${deb.architecture}.deb`);
    execFileSync('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', tree, file], { stdio: 'pipe' });
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function layOut({ name, script, assets }: DebPackage, tree: string, root: string, version: string): void {
  const library = libraryOf(name);
  const { files, packages } = programFiles(join(root, 'dist'), [script, 'admin.js']);
  for (const file of files) {
    const text = readFileSync(join(root, 'dist', file), 'utf8');
    const isProgram = text.startsWith('#!');
    // Another Node that stands before Debian's in PATH may be too old.
    write(
      tree,
      `${library}/dist/${file}`,
      text.replace(/^#!.*/, '#!/usr/bin/node').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'),
      isProgram ? 0o755 : 0o644,
    );
  }
  for (const folder of assets) {
    const from = join(root, 'dist', folder);
    if (existsSync(from)) cpSync(from, join(tree, library, 'dist', folder), { recursive: true });
  }
  write(tree, `${library}/package.json`, `${JSON.stringify({ name: 'muster', version, type: 'module' }, null, 2)}\n`);
  const lock: Lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  copyPackages(root, join(tree, library), foldersOf(lock, packages));

  link(tree, `/usr/bin/${name}`, `${library}/dist/${script}`);
  const pages = manual();
  compressed(tree, `/usr/share/man/man8/${name}.8`, pages.get(`${name}.8`) ?? '');
  compressed(tree, `${library}/man/muster.1`, pages.get('muster.1') ?? '');
  write(tree, `${library}/completion/muster.bash`, bashCompletion());

  const project = (path: string) => readFileSync(join(root, path), 'utf8');
  write(tree, `/lib/systemd/system/${name}.service`, project(`conf/${name}.service.sample`));
  write(tree, `/etc/logrotate.d/${name}`, project(`conf/${name}.logrotate.sample`));
  if (name === 'muster-mgmt') write(tree, '/etc/muster/mgmt.properties', project('conf/mgmt.properties.sample'), 0o640);
  else write(tree, '/usr/share/muster-agent/agent.properties', project('conf/agent.properties.sample'));

  const documents = `/usr/share/doc/${name}`;
  for (const file of readdirSync(join(root, 'docs'))) {
    if (file.endsWith('.md')) write(tree, `${documents}/docs/${file}`, project(`docs/${file}`));
  }
  compressed(tree, `${documents}/changelog`, project('CHANGELOG.md'));
  write(tree, `${documents}/copyright`, COPYRIGHT);
}

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: muster

Files: *
Copyright: the authors of Muster
License: Apache-2.0
 The text of this licence is in /usr/share/common-licenses/Apache-2.0.
 The packages below node_modules have licences of their own, beside them.
`;

/** With tar, because there are thousands of files. */
function copyPackages(root: string, target: string, folders: ReadonlySet<string>): void {
  // What is for another system is not installed. A package has those below it in its folder.
  const outermost = [...folders].filter(
    folder => existsSync(join(root, folder)) && ![...folders].some(other => folder.startsWith(`${other}/`)),
  );
  const unneeded = ['*.d.ts', '*.d.mts', '*.d.cts', '*.map'].map(pattern => `--exclude=${pattern}`);
  const packed = execFileSync('tar', ['-C', root, '--mode=u=rwX,go=rX', ...unneeded, '-c', ...outermost], {
    maxBuffer: 2 ** 29,
  });
  execFileSync('tar', ['-C', target, '-x', '--no-same-owner'], { input: packed });
}

function write(tree: string, path: string, text: string | Uint8Array, mode = 0o644): void {
  mkdirSync(join(tree, dirname(path)), { recursive: true, mode: 0o755 });
  writeFileSync(join(tree, path), text);
  // Whatever the umask is.
  chmodSync(join(tree, path), mode);
}

function compressed(tree: string, path: string, text: string): void {
  write(tree, `${path}.gz`, gzipSync(text, { level: 9 }));
}

function link(tree: string, path: string, target: string): void {
  mkdirSync(join(tree, dirname(path)), { recursive: true });
  symlinkSync(target, join(tree, path));
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
