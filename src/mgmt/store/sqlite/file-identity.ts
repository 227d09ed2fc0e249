import { statSync } from 'node:fs';
import { codeOf } from '../../../lib/errors.js';

/** Which file a path led to when it was opened. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** The database file was deleted, or another one was put in its place: what is written would be lost, or never seen. */
export class FileReplaced extends Error {
  override readonly name = 'FileReplaced';
}

/** Synchronous: it is asked before each transaction, and takes microseconds. @throws FileReplaced when there is none */
export function fileIdentity(path: string): FileIdentity {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return { dev, ino };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new FileReplaced(`${path} was deleted while it was in use`);
    throw error;
  }
}

/** @throws FileReplaced when the path leads to another file now */
export function requireSameFile(path: string, opened: FileIdentity): void {
  const { dev, ino } = fileIdentity(path);
  if (dev !== opened.dev || ino !== opened.ino) {
    throw new FileReplaced(`${path} was replaced by another file while it was in use`);
  }
}
