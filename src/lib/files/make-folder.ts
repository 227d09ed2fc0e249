import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../errors.js';

/**
 * Makes a folder, and those above it that are missing. Node's own `recursive` never returns, and stops the process, where
 * there is a folder in which the system says that nothing can be: /proc.
 * @param mode of those that are made
 * @throws the system's error
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && dirname(path) !== path) {
      await makeFolder(dirname(path), mode);
      await mkdir(path, mode).catch(again => unlessThere(path, again));
    } else await unlessThere(path, error);
  }
}

/** Another process may have made it meanwhile. */
async function unlessThere(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) throw error;
}
