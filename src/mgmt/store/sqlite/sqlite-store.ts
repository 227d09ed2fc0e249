import type { AttemptParts } from '../sql/database.js';
import { migrate } from '../sql/migration/migrate.js';
import { type OpenedStore, sqlStore } from '../sql/sql-store.js';
import type { FileIdentity } from './file-identity.js';
import { openSqlite } from './sqlite.js';

export interface OpenedSqliteStore extends OpenedStore {
  /** Which file it is in. */
  readonly file: FileIdentity;
}

/**
 * Opens the store in this thread: its calls block the event loop while SQLite works.
 * @param expected the file that this process had open before; with another one it fails with STORE_REPLACED
 * @throws StoreError, FatalError
 */
export async function openSqliteStore(
  path: string,
  parts: AttemptParts,
  expected?: FileIdentity,
): Promise<OpenedSqliteStore> {
  const database = await openSqlite(path, parts, expected);
  try {
    const upgrade = await migrate(database, parts);
    return { store: sqlStore(database, parts), upgrade, file: database.file };
  } catch (error) {
    await database.close();
    throw error;
  }
}
