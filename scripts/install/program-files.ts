// Which built files and which packages a program consists of.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importsOf } from '../rooms.js';

/** What a program consists of. */
export interface ProgramFiles {
  /** Paths below the folder of built files. */
  readonly files: ReadonlySet<string>;
  /** Names of packages. */
  readonly packages: ReadonlySet<string>;
}

/**
 * Follows the imports of a program.
 * @param dist the folder of built files
 * @param entries paths below it
 */
export function programFiles(dist: string, entries: readonly string[]): ProgramFiles {
  const files = new Set<string>();
  const packages = new Set<string>();
  const waiting = [...entries];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    waiting.push(...importsOf(dist, file), ...threadsOf(dist, file));
    for (const name of packagesOf(join(dist, file))) packages.add(name);
  }
  return { files, packages };
}

/** The names of the packages that a file imports, at its start or later. */
function packagesOf(path: string): readonly string[] {
  const source = readFileSync(path, 'utf8');
  const imported = source.matchAll(/(?:\bfrom |\bimport |\bimport\()'((?:@[\w.-]+\/)?[a-z][\w.-]*)(?:\/[^']*)?'/g);
  return [...imported].map(([, name = '']) => name);
}

/** The files that it starts in a thread of their own. */
function threadsOf(dist: string, file: string): readonly string[] {
  const source = readFileSync(join(dist, file), 'utf8');
  return [...source.matchAll(/new Worker\(new URL\('\.\/([^']+)', import\.meta\.url\)/g)].map(([, name = '']) =>
    join(file, '..', name),
  );
}
