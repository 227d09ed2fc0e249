import type { Stats } from 'node:fs';
import { link, lstat, readdir, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { codeOf, reasonOf } from '../errors.js';
import { systemRandom } from '../random.js';
import { type Disk, type DiskFile, systemDisk } from './disk.js';

export interface WriteFileOptions {
  /** Permission bits of a new file, whatever the umask. An existing file keeps its own. @default 0o600 */
  readonly mode?: number;
  /** @default systemDisk */
  readonly disk?: Disk;
}

/**
 * Replaces the content of a file in one step: a reader finds the whole old content or the whole new one, also after a
 * power failure. A symbolic link stays, and its target is replaced or created. The mode of an existing file is kept,
 * and its owner where this process may set it. Of two writes at the same time, one replaces the other.
 *
 * @throws FileError
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  { mode = 0o600, disk = systemDisk }: WriteFileOptions = {},
): Promise<void> {
  await orFileError(path, async () => {
    const { target, existing } = await replaceable(disk, path);
    await replace(disk, target, data, existing ?? { mode });
  });
}

/**
 * Gives a file the name of another one, in one step, which survives a power failure. A symbolic link stays, and its target
 * is replaced. The mode and the owner are those of the moved file.
 *
 * @throws FileError
 */
export async function moveFileAtomic(from: string, to: string, disk: Disk = systemDisk): Promise<void> {
  await orFileError(to, async () => {
    const { target } = await replaceable(disk, to);
    const folder = await disk.open(dirname(target), 'r');
    try {
      await disk.rename(from, target);
      await syncFolder(folder);
    } finally {
      await folder.close();
    }
  });
}

/** What is behind a path, if that may be replaced. */
async function replaceable(disk: Disk, path: string): Promise<{ target: string; existing: Stats | undefined }> {
  const target = await resolveLinks(path, disk);
  const existing = await statIfThere(disk, target);
  if (existing !== undefined && !existing.isFile()) throw new FileError('FILE_NOT_REGULAR', path, 'not a regular file');
  // Root may write any file, and a rename needs no permission on it. So the permission bit is checked here.
  if (existing !== undefined && !(existing.mode & 0o200)) {
    throw new FileError('FILE_READ_ONLY', path, 'the file is read-only (its owner has no write permission)');
  }
  return { target, existing };
}

async function orFileError(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError('FILE_WRITE_FAILED', path, reasonOf(error), { cause: error });
  }
}

/**
 * Creates a file with mode 0600 as one step, unless there is one. Of several processes that do so at the same time one
 * succeeds. The file survives a power failure, whoever made it.
 * @returns whether this call has made the file
 * @throws the system's error
 */
export async function createFileAtomic(path: string, data: string | Uint8Array): Promise<boolean> {
  const folder = await systemDisk.open(dirname(path), 'r');
  const temporary = temporaryOf(path);
  let isOurs = true;
  try {
    try {
      await writeSynced(temporary, data);
      // link(2) makes the complete file appear, and fails when there is one.
      await link(temporary, path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      isOurs = false;
    } finally {
      await rm(temporary, { force: true }).catch(() => {});
    }
    await syncFolder(folder);
    return isOurs;
  } finally {
    await folder.close();
  }
}

/**
 * A file could not be written, and has its old content. Only if the last step failed, the sync of the folder, it has
 * the new content, which a power failure may undo. `FILE_WRITE_FAILED` has the system's error as its cause.
 */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileErrorCode;
  readonly path: string;

  constructor(code: FileErrorCode, path: string, reason: string, options?: ErrorOptions) {
    super(`cannot write ${path}: ${reason}`, options);
    this.code = code;
    this.path = path;
  }
}

export type FileErrorCode = 'FILE_READ_ONLY' | 'FILE_NOT_REGULAR' | 'FILE_WRITE_FAILED';

interface Ownership {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

async function replace(disk: Disk, target: string, data: string | Uint8Array, ownership: Ownership): Promise<void> {
  // Opened first: if that fails, the original is unchanged.
  const folder = await disk.open(dirname(target), 'r');
  try {
    const temporary = temporaryOf(target);
    try {
      await writeSynced(temporary, data, { disk, finish: file => setOwnership(file, ownership) });
      await disk.rename(temporary, target);
    } catch (error) {
      await disk.rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
    await syncFolder(folder);
  } finally {
    await folder.close();
  }
}

export interface WriteSyncedOptions {
  /** @default systemDisk */
  readonly disk?: Disk;
  /** Called after the write and before the sync, to set the owner and the mode. */
  readonly finish?: (file: DiskFile) => Promise<void>;
}

/**
 * Writes a new file that only its owner may read, and syncs it.
 * @throws the system's error, such as EEXIST
 */
export async function writeSynced(
  path: string,
  data: string | Uint8Array,
  { disk = systemDisk, finish }: WriteSyncedOptions = {},
): Promise<void> {
  const file = await disk.open(path, 'wx', 0o600);
  try {
    await file.writeFile(data);
    await finish?.(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What a process that was killed left of a write stays; it is cleared when it is older than any write can be. */
const LEFT_AFTER_MS = 60_000;

/**
 * Removes the temporary files of processes that were killed while they wrote. Those of the last minute may be in use.
 * What cannot be removed stays: they do no harm.
 * @param wallTime milliseconds since 1970
 */
export async function clearTemporaries(folder: string, wallTime: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!TEMPORARY.test(name)) continue;
    const path = join(folder, name);
    const isLeft = await lstat(path).then(
      ({ mtimeMs }) => wallTime - mtimeMs > LEFT_AFTER_MS,
      () => false,
    );
    if (isLeft) await rm(path, { force: true }).catch(() => {});
  }
}

/** The name of a file that `path` is written to first, or locked by. */
export function temporaryOf(path: string, unique: string = systemRandom.uuid()): string {
  return `${path}.${unique}.tmp`;
}

const TEMPORARY = /\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;

async function setOwnership(file: DiskFile, { mode, uid, gid }: Ownership): Promise<void> {
  const own = await file.stat();
  if (uid !== undefined && gid !== undefined && (own.uid !== uid || own.gid !== gid)) {
    try {
      await file.chown(uid, gid);
    } catch (error) {
      if (codeOf(error) !== 'EPERM') throw error;
    }
  }
  // After chown, which clears setuid and setgid.
  await file.chmod(mode & 0o7777);
}

/** Some file systems cannot sync a folder. That is no error: the file has its new content. */
async function syncFolder(folder: DiskFile): Promise<void> {
  try {
    await folder.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(codeOf(error) ?? '')) throw error;
  }
}

/** Linux follows as many. */
const MAX_LINKS = 40;

/**
 * The target of `path`, which need not exist: `realpath` fails for a link without a target.
 * @throws the system's error when its folder does not exist
 */
export async function resolveLinks(path: string, disk: Disk = systemDisk): Promise<string> {
  let target = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const folder = await disk.realpath(dirname(target));
    target = join(folder, basename(target));
    const link = await readLink(disk, target);
    if (link === undefined) return target;
    // Not `join`, which would resolve a `..` behind a linked folder by its text.
    target = isAbsolute(link) ? link : `${folder}/${link}`;
  }
  throw new Error('too many symbolic links');
}

async function readLink(disk: Disk, path: string): Promise<string | undefined> {
  const found = await statIfThere(disk, path);
  return found?.isSymbolicLink() ? disk.readlink(path) : undefined;
}

async function statIfThere(disk: Disk, path: string): Promise<Stats | undefined> {
  try {
    return await disk.lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
