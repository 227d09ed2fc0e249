import type { Disk, DiskFile } from './disk.js';
import { fileStats } from './file-stats.js';

interface Inode {
  readonly number: number;
  mode: number;
  /** Bytes, each a letter: small files take half of what buffers for them would. */
  content: string;
}

/**
 * A disk in memory, for files that end with the process. What is written to the end of a file, or to a new file, is all that can
 * be written; there are no symbolic links.
 */
export function memoryDisk(): Disk {
  const files = new Map<string, Inode>();
  const folders = new Set<string>();
  let inodes = 0;
  const found = (path: string): Inode => {
    const inode = files.get(path);
    if (inode === undefined) throw NO_FILE;
    return inode;
  };
  const made = (path: string, mode: number): Inode => {
    const inode = { number: ++inodes, mode, content: '' };
    files.set(path, inode);
    return inode;
  };
  const opened = (path: string, flags: string, mode: number): Inode => {
    const known = files.get(path);
    switch (flags) {
      case 'r':
        // A folder is opened to be synced.
        return folders.has(path) ? { number: 0, mode: 0o700, content: '' } : found(path);
      case 'wx':
        if (known !== undefined) throw failure('EEXIST', path);
        return made(path, mode);
      case 'a':
        return known ?? made(path, mode);
      default:
        throw failure('EINVAL', path);
    }
  };
  return {
    open: async (path, flags, mode = 0o666) => fileOf(opened(path, flags, mode)),
    readFile: async path => bytesOf(found(path)),
    stat: async path => fileStats(found(path)),
    lstat: async path => fileStats(found(path)),
    async readlink(path) {
      throw failure('EINVAL', path);
    },
    realpath: async path => path,
    async makeFolder(path) {
      folders.add(path);
    },
    async rename(from, to) {
      files.set(to, found(from));
      files.delete(from);
    },
    async rm(path) {
      files.delete(path);
    },
  };
}

function fileOf(inode: Inode): DiskFile {
  const append = async (data: string | Uint8Array) => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.length);
    inode.content += bytes.toString('latin1');
  };
  return {
    stat: async () => fileStats(inode),
    readFile: async () => bytesOf(inode),
    writeFile: append,
    appendFile: append,
    async chmod(mode) {
      inode.mode = mode;
    },
    async chown() {},
    async sync() {},
    async datasync() {},
    async close() {},
  };
}

function bytesOf({ content }: Inode): Buffer {
  return Buffer.from(content, 'latin1');
}

/** It is thrown often, and an error takes long to make. */
const NO_FILE = failure('ENOENT', 'there is no such file');

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path });
}
