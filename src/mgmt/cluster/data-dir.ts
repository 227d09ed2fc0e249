import { join } from 'node:path';
import { ConfigError, reasonOf } from '../../lib/errors.js';
import { writeFileAtomic } from '../../lib/files/atomic-file.js';
import { type FileLock, FileLockedError, lockFile } from '../../lib/files/file-lock.js';
import { makeFolder } from '../../lib/files/make-folder.js';
import { readIfThere } from '../../lib/files/read-if-there.js';
import type { Random } from '../../lib/random.js';

/** The folder of one server, locked while it runs. */
export interface DataDir {
  readonly lock: FileLock;
  /** The msid that belongs to the folder. */
  readonly nodeId: number;
  /** Random; tells a restart from this folder from another server with the same msid. */
  readonly token: string;
}

const NODE_ID_FILE = 'cluster.node.id';
const TOKEN_FILE = 'token';
/** By these files a server is the same one after a restart. */
export const IDENTITY_FILES = [NODE_ID_FILE, TOKEN_FILE] as const;

/**
 * Makes the folder where there is none, and the msid with it.
 * @param given the setting `cluster.node.id`, which is not written down
 * @throws ConfigError
 */
export async function openDataDir(path: string, given: number | undefined, random: Random): Promise<DataDir> {
  const lock = await lockDataDir(path);
  try {
    return { lock, nodeId: given ?? (await nodeId(path, random)), token: await token(path, random) };
  } catch (error) {
    lock.releaseSync();
    throw error;
  }
}

async function lockDataDir(path: string): Promise<FileLock> {
  try {
    await makeFolder(path, 0o700);
    return await lockFile(join(path, 'lock'));
  } catch (error) {
    const reason =
      error instanceof FileLockedError
        ? `another server (process ${error.holderPid}) runs with this folder; each server needs its own`
        : `a folder that this server may write is needed (${reasonOf(error)})`;
    throw new ConfigError('data.dir', path, reason, { cause: error });
  }
}

async function nodeId(dataDir: string, random: Random): Promise<number> {
  const path = join(dataDir, NODE_ID_FILE);
  const text = await readIfThere(path);
  if (text === undefined) {
    // CloudStack's msid is a MAC address: 48 bits, and 0 stands for no server.
    const made = 1 + random.int(2 ** 48 - 1);
    await writeFileAtomic(path, `${made}\n`, { mode: 0o600 });
    return made;
  }
  const id = Number(text.trim());
  if (!/^\d+$/.test(text.trim()) || id < 1 || id >= 2 ** 48) {
    throw new ConfigError('data.dir', dataDir, `${NODE_ID_FILE} in it holds no number from 1 to ${2 ** 48 - 1}`);
  }
  return id;
}

async function token(dataDir: string, random: Random): Promise<string> {
  const path = join(dataDir, TOKEN_FILE);
  const standing = (await readIfThere(path))?.trim();
  if (standing) return standing;
  const made = random.uuid();
  await writeFileAtomic(path, `${made}\n`, { mode: 0o600 });
  return made;
}
