import { Buffer } from 'node:buffer';
import type { Stats } from 'node:fs';
import { dirname } from 'node:path';
import type { Disk, DiskFile } from '../../src/lib/files/disk.js';
import type { Random } from '../../src/lib/random.js';
import type { SimulatedProcess } from './simulated-process.js';
import { PHASE } from './world.js';

interface Inode {
  readonly number: number;
  mode: number;
  content: Buffer;
  /** What a power failure leaves; undefined: it was never synced. */
  synced: Buffer | undefined;
}

/** A call takes so long at most. */
const LONGEST_CALL_MS = 2;

/** The disk of one machine. It keeps what was synced; what was only written is lost when the power fails. */
export class SimulatedDisk {
  readonly #random: Random;
  #names = new Map<string, Inode>();
  #syncedNames = new Map<string, Inode>();
  #inodes = 0;
  /** Every write fails meanwhile. */
  isFull = false;
  /** Called when what a process finds there may have changed. */
  onChange: () => void = () => {};

  constructor(random: Random) {
    this.#random = random;
  }

  /** What a process would read now. */
  text(path: string): string | undefined {
    return this.#names.get(path)?.content.toString();
  }

  /** What it would read if the power failed now. */
  textAfterPowerCut(path: string): string | undefined {
    const inode = this.#syncedNames.get(path);
    return inode && (inode.synced ?? Buffer.alloc(0)).toString();
  }

  /** A file that an operator has put there. */
  put(path: string, text: string | Buffer): void {
    const content = Buffer.from(text);
    const inode: Inode = { number: ++this.#inodes, mode: 0o600, content, synced: content };
    this.#names.set(path, inode);
    this.#syncedNames.set(path, inode);
  }

  /** All files of another machine's disk, as they are now. */
  copyOf(other: SimulatedDisk): void {
    for (const [path, { content }] of other.#names) this.put(path, content);
  }

  powerCut(): void {
    this.#names = new Map(this.#syncedNames);
    for (const inode of new Set(this.#names.values())) {
      inode.content = inode.synced ?? Buffer.alloc(0);
      inode.synced = inode.content;
    }
    this.onChange();
  }

  /** The disk as a process uses it: what the process has not done when it ends is not done. */
  for(process: SimulatedProcess): Disk {
    const call = <T>(work: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        process.plan(this.#random.uniform() * LONGEST_CALL_MS, PHASE.io, () => {
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        });
      });
    const found = (path: string) => {
      const inode = this.#names.get(path);
      if (inode === undefined) throw failure('ENOENT', path);
      return inode;
    };
    const changed = () => this.onChange();
    const openFile = (path: string, inode: Inode): DiskFile => {
      const write = (content: Buffer) => {
        if (this.isFull) throw failure('ENOSPC', path);
        inode.content = content;
        changed();
      };
      const sync = () => {
        inode.synced = inode.content;
      };
      return {
        stat: () => call(() => statsOf(inode)),
        readFile: () => call(() => inode.content),
        writeFile: data => call(() => write(Buffer.from(data))),
        appendFile: data => call(() => write(Buffer.concat([inode.content, data]))),
        chmod: mode =>
          call(() => {
            inode.mode = mode;
          }),
        chown: () => call(() => {}),
        sync: () => call(sync),
        datasync: () => call(sync),
        close: () => call(() => {}),
      };
    };
    const openFolder = (path: string): DiskFile => ({
      ...openFile(path, { number: 0, mode: 0o700, content: Buffer.alloc(0), synced: undefined }),
      sync: () =>
        call(() => {
          for (const name of this.#syncedNames.keys()) if (dirname(name) === path) this.#syncedNames.delete(name);
          for (const [name, inode] of this.#names) if (dirname(name) === path) this.#syncedNames.set(name, inode);
        }),
    });
    return {
      open: (path, flags, mode = 0o666) =>
        call(() => {
          const known = this.#names.get(path);
          if (flags === 'r') return this.#isFolder(path) ? openFolder(path) : openFile(path, found(path));
          if (flags === 'wx' && known !== undefined) throw failure('EEXIST', path);
          if (known !== undefined) return openFile(path, known);
          if (this.isFull) throw failure('ENOSPC', path);
          const inode: Inode = { number: ++this.#inodes, mode, content: Buffer.alloc(0), synced: undefined };
          this.#names.set(path, inode);
          changed();
          return openFile(path, inode);
        }),
      readFile: path => call(() => found(path).content),
      stat: path => call(() => statsOf(found(path))),
      lstat: path => call(() => statsOf(found(path))),
      readlink: path =>
        call(() => {
          throw failure('EINVAL', path);
        }),
      realpath: async path => path,
      mkdir: async () => undefined,
      rename: (from, to) =>
        call(() => {
          this.#names.set(to, found(from));
          this.#names.delete(from);
          changed();
        }),
      rm: path =>
        call(() => {
          this.#names.delete(path);
          changed();
        }),
    };
  }

  #isFolder(path: string): boolean {
    if (this.#names.has(path)) return false;
    for (const name of this.#names.keys()) if (dirname(name) === path) return true;
    return false;
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path });
}

function statsOf({ number, mode, content }: Inode): Stats {
  const known: Partial<Stats> = {
    ...{ ino: number, dev: 1, mode: 0o100000 | mode, size: content.length, uid: 0, gid: 0, mtimeMs: 0 },
    isFile: () => true,
    isSymbolicLink: () => false,
  };
  // Nobody asks for the rest.
  return known as Stats;
}
