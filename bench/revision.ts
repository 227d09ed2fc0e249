import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './clean-up.js';

/** Another revision, built. */
export interface Revision {
  /** The first characters of its commit. */
  readonly name: string;
  /** The folder of its checkout. */
  readonly root: string;
  remove(): void;
}

/** A commit, by the name that somebody has for it. */
export interface NamedCommit {
  readonly name: string;
  /** Its whole hash. */
  readonly commit: string;
}

/** @param name as git understands it @throws RangeError: git knows no such revision */
export function namedCommit(root: string, name: string): NamedCommit {
  const { status, stdout } = spawnSync(
    'git',
    ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
    { cwd: root, encoding: 'utf8' },
  );
  if (status !== 0) throw new RangeError(`--compare ${name}: git knows no such revision`);
  return { name, commit: stdout.trim() };
}

/**
 * Builds another revision in a temporary worktree. It gets the bench of this one, so that both are measured alike.
 * @param root this checkout
 * @throws Error: it cannot be built
 */
export function buildRevision(root: string, { name, commit }: NamedCommit): Revision {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const folder = mkdtempSync(join(tmpdir(), 'muster-revision-'));
  const remove = atEnd(() => {
    rmSync(folder, { recursive: true, force: true });
    git('worktree', 'prune');
  });
  try {
    git('worktree', 'add', '--detach', '--quiet', folder, commit);
    shareModules(root, folder);
    console.error(`Building ${name} …`);
    execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: folder, stdio: ['ignore', 2, 2] });
    rmSync(join(folder, 'build/bench'), { recursive: true, force: true });
    cpSync(join(root, 'build/bench'), join(folder, 'build/bench'), { recursive: true });
    return { name: git('rev-parse', '--short', commit), root: folder, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** With the same lock file, the packages are the same; otherwise the build installs its own. */
function shareModules(root: string, folder: string): void {
  const lockOf = (checkout: string) => join(checkout, 'package-lock.json');
  if (!existsSync(lockOf(folder)) || !readFileSync(lockOf(root)).equals(readFileSync(lockOf(folder)))) return;
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  // Older than what is installed: the build would install it anew otherwise, into the folder that is shared.
  utimesSync(lockOf(folder), 0, 0);
}
