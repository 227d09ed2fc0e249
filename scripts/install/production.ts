// Which packages a program needs at run time, by package-lock.json.

/** What package-lock.json has of a package. The rest of its fields stays as it is. */
interface LockedPackage {
  readonly dev?: boolean;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
export interface Lock {
  /** By the folder, which is empty for this project itself. */
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** The lock without what only development needs. */
export function productionLock(lock: Lock): Lock {
  const packages = Object.entries(lock.packages)
    .filter(([, { dev }]) => !dev)
    .map(([folder, { devDependencies: _dev, ...locked }]) => [folder, locked] as const);
  return { ...lock, packages: Object.fromEntries(packages) };
}

/**
 * The folders of packages, with those of all that they depend on, also where that is for another system only.
 * @param names packages that this project depends on
 */
export function foldersOf(lock: Lock, names: Iterable<string>): ReadonlySet<string> {
  const folders = new Set<string>();
  const add = (from: string, name: string) => {
    const folder = resolved(lock, from, name);
    if (folder === undefined || folders.has(folder)) return;
    folders.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = lock.packages[folder] ?? {};
    for (const below of Object.keys({ ...dependencies, ...optionalDependencies })) add(folder, below);
  };
  for (const name of names) add('', name);
  return folders;
}

/** As Node looks for packages: in the folder itself, then in those around it. */
function resolved({ packages }: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.replace(/\/?(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+$/, '')) {
    const candidate = `${folder}${folder === '' ? '' : '/'}node_modules/${name}`;
    if (candidate in packages) return candidate;
    if (folder === '') return undefined;
  }
}
