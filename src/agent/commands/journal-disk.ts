import { codeOf } from '../../lib/errors.js';
import { writeFileAtomic } from '../../lib/files/atomic-file.js';
import { type Disk, type DiskFile, systemDisk } from '../../lib/files/disk.js';

/** Where a journal lies. Tests have one that fails. */
export interface JournalDisk {
  /** In messages. */
  readonly path: string;
  /** The whole file; undefined when there is none. */
  read(): Promise<Buffer | undefined>;
  /** Resolves when the bytes are on disk, behind all others. When it rejects, some of them may be. */
  append(bytes: Buffer): Promise<void>;
  /** Replaces the whole file in one step, also for a power failure. */
  replace(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** More than an agent ever writes: what is larger is no journal. */
const MOST_BYTES = 64 * 2 ** 20;

/** A journal in a file with mode 0600. */
export function fileDisk(path: string, disk: Disk = systemDisk): JournalDisk {
  let file: DiskFile | undefined;
  const close = async () => {
    const old = file;
    file = undefined;
    await old?.close();
  };
  return {
    path,
    async read() {
      let source: DiskFile;
      try {
        source = await disk.open(path, 'r');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
      try {
        const found = await source.stat();
        if (!found.isFile()) throw new Error('not a regular file');
        if (found.size > MOST_BYTES) throw new Error(`it has ${found.size} bytes, more than any journal`);
        return await source.readFile();
      } finally {
        await source.close();
      }
    },
    async append(bytes) {
      file ??= await disk.open(path, 'a', 0o600);
      const [own, named] = await Promise.all([file.stat(), disk.stat(path)]);
      if (own.ino !== named.ino || own.dev !== named.dev) throw new Error('another file has taken its place');
      // Root may write any file, so the permission bit is checked here.
      if (!(own.mode & 0o200)) throw new Error('the file is read-only (its owner has no write permission)');
      await file.appendFile(bytes);
      await file.datasync();
    },
    async replace(bytes) {
      await close();
      await writeFileAtomic(path, bytes, { mode: 0o600, disk });
    },
    close,
  };
}
