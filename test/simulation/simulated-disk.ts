import { Buffer } from 'node:buffer';
import { dirname } from 'node:path';
import type { Disk, DiskFile } from '../../src/lib/files/disk.js';
import { fileStats } from '../../src/lib/files/file-stats.js';
import type { Random } from '../../src/lib/random.js';
import type { SimulatedProcess } from './simulated-process.js';
import { PHASE } from './world.js';

interface Inode {
  readonly number: number;
  mode: number;
  content: Buffer;
  /** What was synced last: of later writes a power failure leaves nothing, or any part. Undefined: it was never synced. */
  synced: Buffer | undefined;
}

type Names = ReadonlyMap<string, Inode>;

const TEMPORARY = /\.[\da-f-]{36}\.tmp$/;
const NOTHING = Buffer.alloc(0);
/** A call takes so long at most; a write is two of them. */
const LONGEST_CALL_MS = 2;

/**
 * The disk of one machine. A write is done in two steps, between which its process may end, or the disk be full. When the
 * power fails, what was synced is kept; of what was only written, a part may be.
 */
export class SimulatedDisk {
  readonly #random: Random;
  #names: Names = new Map();
  /** What the names may be after a power failure: as they were synced, or after any of the later changes, which the last one is now. */
  #maybeNames: Names[] = [new Map()];
  #inodes = 0;
  /** There is no room: of a write a part is written, at most. */
  isFull = false;
  /** Called when what a process finds there, now or after a power failure, may have changed. */
  onChange: () => void = () => {};

  constructor(random: Random) {
    this.#random = random;
  }

  /** What a process would read now. */
  text(path: string): string | undefined {
    return this.#names.get(path)?.content.toString();
  }

  /** What it may read if the power fails now; undefined: there is no such file. Of the parts of a write, one stands for all. */
  textsAfterPowerCut(path: string): ReadonlySet<string | undefined> {
    const texts = new Set<string | undefined>();
    for (const inode of new Set(this.#maybeNames.map(names => names.get(path)))) {
      if (inode === undefined) {
        texts.add(undefined);
        continue;
      }
      texts.add((inode.synced ?? NOTHING).toString());
      if (inode.content === inode.synced) continue;
      texts.add(inode.content.toString());
      const kept = keptOf(inode);
      texts.add(inode.content.subarray(0, kept + ((inode.content.length - kept) >> 1)).toString());
    }
    return texts;
  }

  /** A file that an operator has put there. */
  put(path: string, text: string | Buffer): void {
    const content = Buffer.from(text);
    const inode: Inode = { number: ++this.#inodes, mode: 0o600, content, synced: content };
    this.#names = new Map(this.#names).set(path, inode);
    this.#maybeNames = [this.#names];
  }

  /** All files of another machine's disk, as they are now. */
  copyOf(other: SimulatedDisk): void {
    for (const [path, { content }] of other.#names) this.put(path, content);
  }

  powerCut(): void {
    this.#names = this.#maybeNames[this.#random.int(this.#maybeNames.length)] ?? this.#names;
    this.#maybeNames = [this.#names];
    for (const inode of new Set(this.#names.values())) {
      if (inode.content === inode.synced) continue;
      const isLost = this.#random.int(2) === 0;
      const kept = keptOf(inode);
      const part = this.#partOf(inode.content.subarray(kept));
      inode.content = isLost ? (inode.synced ?? NOTHING) : inode.content.subarray(0, kept + part.length);
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
    const rename = (change: (names: Map<string, Inode>) => void) => {
      const names = new Map(this.#names);
      change(names);
      this.#names = names;
      this.#maybeNames.push(names);
      this.onChange();
    };
    const openFile = (path: string, inode: Inode, isAppending = false): DiskFile => {
      let position = 0;
      const writePart = (data: Buffer) => {
        if (data.length === 0) return;
        const { content } = inode;
        const at = isAppending ? content.length : position;
        inode.content = Buffer.concat([content.subarray(0, at), data, content.subarray(at + data.length)]);
        position = at + data.length;
        this.onChange();
      };
      const write = async (given: string | Uint8Array) => {
        const data = Buffer.from(given);
        const part = this.#partOf(data);
        await call(() => writePart(part));
        await call(() => {
          if (this.isFull) throw failure('ENOSPC', path);
          writePart(data.subarray(part.length));
        });
      };
      const sync = () => {
        inode.synced = inode.content;
        this.onChange();
      };
      return {
        stat: () => call(() => fileStats(inode)),
        readFile: () => call(() => inode.content),
        writeFile: write,
        appendFile: write,
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
      ...openFile(path, { number: 0, mode: 0o700, content: NOTHING, synced: NOTHING }),
      sync: () => call(() => this.#syncFolder(path)),
    });
    return {
      open: (path, flags, mode = 0o666) =>
        call(() => {
          const known = this.#names.get(path);
          if (flags === 'r') return this.#isFolder(path) ? openFolder(path) : openFile(path, found(path));
          if (flags === 'wx' && known !== undefined) throw failure('EEXIST', path);
          if (known !== undefined) {
            if (flags === 'w') {
              known.content = NOTHING;
              this.onChange();
            }
            return openFile(path, known, flags === 'a');
          }
          if (this.isFull) throw failure('ENOSPC', path);
          const inode: Inode = { number: ++this.#inodes, mode, content: NOTHING, synced: undefined };
          rename(names => names.set(path, inode));
          return openFile(path, inode, flags === 'a');
        }),
      readFile: path => call(() => found(path).content),
      stat: path => call(() => fileStats(found(path))),
      lstat: path => call(() => fileStats(found(path))),
      readlink: path =>
        call(() => {
          throw failure('EINVAL', path);
        }),
      realpath: async path => path,
      makeFolder: async () => {},
      rename: (from, to) =>
        call(() => {
          const inode = found(from);
          rename(names => {
            names.delete(from);
            names.set(to, inode);
          });
        }),
      rm: path => call(() => rename(names => names.delete(path))),
    };
  }

  /** Any part from the beginning, or all or none of it. */
  #partOf(data: Buffer): Buffer {
    return data.subarray(0, this.#random.int(data.length + 1));
  }

  /** The names in the folder are, after a power failure, what they are now; those in others may be what they may have been. */
  #syncFolder(path: string): void {
    const isIn = ([name]: readonly [string, Inode]) => dirname(name) === path;
    const own = [...this.#names].filter(isIn);
    const isElsewhereSynced = this.#maybeNames.every(names => [...names].every(isIn));
    this.#maybeNames = isElsewhereSynced
      ? [this.#names]
      : this.#maybeNames.map(names => new Map([...[...names].filter(entry => !isIn(entry)), ...own]));
    this.onChange();
  }

  #isFolder(path: string): boolean {
    if (this.#names.has(path)) return false;
    for (const name of this.#names.keys()) if (dirname(name) === path) return true;
    return false;
  }
}

/** Bytes at the beginning that no power failure takes: what was synced, if it was only appended to since. */
function keptOf({ content, synced = NOTHING }: Inode): number {
  return content.subarray(0, synced.length).equals(synced) ? synced.length : 0;
}

/** Chance has made the names of temporary files, and nothing of it may come into a transcript. */
function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path.replace(TEMPORARY, '.*.tmp')}`), { code, path });
}
