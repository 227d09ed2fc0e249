import { readFileSync, unlinkSync } from 'node:fs';
import { link, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { codeOf } from '../errors.js';
import { systemRandom } from '../random.js';
import { temporaryOf, writeSynced } from './atomic-file.js';

/** A lock that this process holds. */
export interface FileLock {
  /** Removes the lock file, if this process still holds it. Idempotent. */
  release(): Promise<void>;
  /** The same, synchronously and without throwing, for a process that is about to exit. */
  releaseSync(): void;
}

/**
 * Takes the lock file `path` for this process, which may hold it only once. A lock whose holder has ended, because it
 * was killed or its machine was restarted, is taken over.
 *
 * A holder on another machine, or in a container whose processes are not visible here, cannot be examined: another host
 * name with another boot id counts as alive, a process id that is not visible here as ended.
 *
 * @throws FileLockedError, or the system's error when the lock file cannot be made (ENOENT, EROFS …)
 */
export async function lockFile(path: string): Promise<FileLock> {
  const own: Holder = { ...whoAmI(), nonce: systemRandom.uuid() };
  const temporary = temporaryOf(path, own.nonce);
  try {
    await writeSynced(temporary, `${JSON.stringify(own)}\n`);
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      if (await tryLink(temporary, path)) return heldLock(path, own.nonce);
      const holder = await readHolder(path);
      if (holder === undefined) continue;
      if (holder !== 'unreadable' && isAlive(holder)) throw new FileLockedError(path, holder);
      if (await takeOver(path, temporary)) return heldLock(path, own.nonce);
    }
    throw new Error(`${path} cannot be locked: it is there, but cannot be opened`);
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * A lock that exists for link(2) and is missing when read has just been released. If that repeats, it is a broken link.
 */
const MAX_ATTEMPTS = 100;

/** The process of this machine that holds the lock; undefined: none does, as far as can be seen. Never throws. */
export function lockHolder(path: string): number | undefined {
  const text = readText(path);
  const holder = text === undefined ? 'unreadable' : parseHolder(text);
  return holder === 'unreadable' || !isHere(holder) || !isAlive(holder) ? undefined : holder.pid;
}

/** Another process, or this one, holds the lock. */
export class FileLockedError extends Error {
  override readonly name = 'FileLockedError';
  readonly code = 'FILE_LOCKED';
  readonly holderPid: number;

  constructor(path: string, { pid, host }: Pick<Holder, 'pid' | 'host'>) {
    const elsewhere = host === hostname() ? '' : ` on ${host}; remove the file if that process is no more`;
    super(`${path} is held by process ${pid}${elsewhere}`);
    this.holderPid = pid;
  }
}

/** The content of a lock file, as JSON. A process id alone is not enough: it may have been given to another process. */
interface Holder {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process; null where there is no /proc. */
  readonly startTime: string | null;
  /** Changes with every start of the machine; null where there is no /proc. */
  readonly bootId: string | null;
  readonly host: string;
  /** Different for each lock, also of one process. */
  readonly nonce: string;
}

/**
 * Replaces a stale lock by our file. Meanwhile this process holds the lock `<path>.takeover`, and checks the stale lock
 * again: otherwise two processes that found the same stale lock could remove each other's new one. The second lock is
 * like the first: after a crash it is taken over as well. A lock whose holder lives is never removed.
 *
 * @returns false when the stale lock no longer exists
 */
async function takeOver(path: string, temporary: string): Promise<boolean> {
  const guard = await lockFile(`${path}.takeover`);
  try {
    const holder = await readHolder(path);
    if (holder === undefined || (holder !== 'unreadable' && isAlive(holder))) return false;
    await rename(temporary, path);
    return true;
  } finally {
    await guard.release();
  }
}

function heldLock(path: string, nonce: string): FileLock {
  const releaseNow = () => {
    try {
      // An operator may have removed it, and another process may have taken it since.
      const holder = parseHolder(readFileSync(path, 'utf8'));
      if (holder !== 'unreadable' && holder.nonce === nonce) unlinkSync(path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  };
  return {
    release: async () => releaseNow(),
    releaseSync() {
      try {
        releaseNow();
      } catch {
        // The lock stays, is stale when this process has ended, and is taken over by the next one.
      }
    },
  };
}

/** link(2) creates the complete file in one step, and fails when there is one: no process reads half a lock. */
async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<Holder | 'unreadable' | undefined> {
  try {
    return parseHolder(await readFile(path, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A file without a holder was not made by this function, or was damaged by a power failure: no process holds it. */
function parseHolder(text: string): Holder | 'unreadable' {
  try {
    const { pid, startTime, bootId, host, nonce }: Partial<Record<keyof Holder, unknown>> = JSON.parse(text);
    if (typeof pid !== 'number' || pid !== (pid | 0) || pid <= 0) return 'unreadable';
    if (typeof host !== 'string' || typeof nonce !== 'string') return 'unreadable';
    return { pid, startTime: textOrNull(startTime), bootId: textOrNull(bootId), host, nonce };
  } catch {
    return 'unreadable';
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function whoAmI(): Omit<Holder, 'nonce'> {
  const startTime = processStat(process.pid)?.startTime ?? null;
  return { pid: process.pid, startTime, bootId: bootId(), host: hostname() };
}

function isAlive(holder: Holder): boolean {
  // Of another machine nobody can tell; of this one before its restart, none lives.
  if (!isHere(holder)) return holder.host !== hostname();
  return isProcess(holder.pid, holder.startTime);
}

/** Whether it is of this machine since its start. The name may have changed meanwhile. */
function isHere({ bootId: boot, host }: Holder): boolean {
  const here = bootId();
  return boot !== null && here !== null ? boot === here : host === hostname();
}

function isProcess(pid: number, startTime: string | null): boolean {
  // Read before the signal: a process that ends in between is then found to have ended.
  const stat = processStat(pid);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    if (codeOf(error) === 'ESRCH') return false;
  }
  // /proc may be missing, or hide the processes of other users.
  if (stat === undefined) return true;
  // It has ended, and its parent has not waited for it yet.
  if (stat.state === 'Z' || stat.state === 'X') return false;
  return startTime === null || stat.startTime === startTime;
}

/**
 * proc(5): `pid (comm) state …`, with the start time as field 22; the command's name may hold blanks and parentheses.
 */
function processStat(pid: number): { state: string | undefined; startTime: string } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTime = fields?.[22 - 3];
  return startTime === undefined ? undefined : { state: fields?.[0], startTime };
}

function bootId(): string | null {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? null;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
