import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import Database from 'libsql';
import { FatalError, reasonOf } from '../../../lib/errors.js';

/** How long the copy waits where another process holds the whole database, as at the end of its write-ahead log. */
const BUSY_TIMEOUT_MS = 10_000;

/**
 * Copies a database as it is at one moment, also while other processes write to it. The copy is checked and on the disk when
 * this is done. It blocks this thread.
 * @param target a file that is not there
 * @throws FatalError STORE_UNUSABLE
 */
export async function copySqliteDatabase(path: string, target: string): Promise<void> {
  try {
    // SQLite would make a database that is not there.
    await stat(path);
    withDatabase(path, database => database.prepare('VACUUM INTO ?').run(resolve(target)));
    withDatabase(target, database => {
      // One row for each fault, or one that says ok.
      const [row] = database.prepare('PRAGMA quick_check').all() as readonly { readonly quick_check: string }[];
      if (row?.quick_check !== 'ok') throw new Error(`the copy is damaged: ${row?.quick_check}`);
    });
    const handle = await open(target, 'r+');
    try {
      await handle.chmod(0o600);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new FatalError('STORE_UNUSABLE', `db.url=sqlite:${path}: ${reasonOf(cause)}`, { cause });
  }
}

function withDatabase(path: string, use: (database: Database.Database) => void): void {
  const database = new Database(resolve(path), { timeout: BUSY_TIMEOUT_MS });
  try {
    use(database);
  } finally {
    database.close();
  }
}
