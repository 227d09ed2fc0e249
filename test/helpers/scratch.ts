import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** A new folder: in memory where that can be had, since a test has no power cuts to fear, and fsync takes its time. */
export function scratchFolder(prefix: string): string {
  return mkdtempSync(join(hasMemory() ? '/dev/shm' : tmpdir(), prefix));
}

/** Such a folder, removed when the test ends. */
export function testFolder(t: Pick<Test, 'teardown'>): string {
  const folder = scratchFolder('muster-test-');
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

function hasMemory(): boolean {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
