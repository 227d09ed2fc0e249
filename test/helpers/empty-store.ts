import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { silentLog } from '../../src/lib/logger.js';
import { type OpenStoreParts, openStore } from '../../src/mgmt/open-store.js';
import type { Store } from '../../src/mgmt/store/store.js';
import { scratchFolder } from './scratch.js';

/** Made once in each process. */
let template: Promise<Buffer> | undefined;

/** A new store in a file that is not there yet: a copy of an empty one, since its migrations take longer than most tests. */
export async function openEmptyStore(file: string, parts: Omit<OpenStoreParts, 'thread'>): Promise<Store> {
  template ??= emptyDatabase();
  const bytes = await template;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, bytes, { mode: 0o600, flag: 'wx' });
  return openStore(`sqlite:${file}`, { ...parts, thread: 'same' });
}

async function emptyDatabase(): Promise<Buffer> {
  const folder = scratchFolder('muster-store-');
  const file = join(folder, 'empty.db');
  try {
    // Closed in good order, it is in this one file.
    await (await openStore(`sqlite:${file}`, { log: silentLog, thread: 'same' })).close();
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
