import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder: in memory where that can be had, since a test has no power cuts to fear, and fsync takes its time. */
export function scratchFolder(prefix: string): string {
  return mkdtempSync(join(hasMemory() ? '/dev/shm' : tmpdir(), prefix));
}

function hasMemory(): boolean {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
