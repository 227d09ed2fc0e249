import { join } from 'node:path';
import { ConfigError, reasonOf } from '../lib/errors.js';
import { FileLockedError, lockFile } from '../lib/files/file-lock.js';
import { makeFolder } from '../lib/files/make-folder.js';

/** Where the agents' files are, for this process alone. */
export interface Folder {
  readonly path: string;
  close(): Promise<void>;
  /** At once and without ever throwing, for a process that is about to exit. */
  abandon(): void;
}

/** @throws ConfigError when another fleet has the folder, or it cannot be used */
export async function openFolder(dataDir: string): Promise<Folder> {
  try {
    await makeFolder(dataDir);
    const lock = await lockFile(join(dataDir, 'lock'));
    return { path: dataDir, close: () => lock.release(), abandon: () => lock.releaseSync() };
  } catch (cause) {
    const reason =
      cause instanceof FileLockedError
        ? `another fleet (process ${cause.holderPid}) runs with this folder`
        : `the folder cannot be used: ${reasonOf(cause)}`;
    throw new ConfigError('data.dir', dataDir, reason, { cause });
  }
}
