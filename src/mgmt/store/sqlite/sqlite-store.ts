import type { AttemptParts, SqlDatabase } from '../sql/database.js';
import { migrate } from '../sql/migration/migrate.js';
import { type OpenedStore, sqlStore } from '../sql/sql-store.js';
import type { FileIdentity } from './file-identity.js';
import { openSqlite, openSqliteInMemory } from './sqlite.js';

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
  return { ...(await storeIn(database, parts)), file: database.file };
}

/** A new store that ends with this process, in this thread. */
export async function openSqliteStoreInMemory(parts: AttemptParts): Promise<OpenedStore> {
  return storeIn(openSqliteInMemory(parts), parts);
}

async function storeIn(database: SqlDatabase, parts: AttemptParts): Promise<OpenedStore> {
  try {
    const upgrade = await migrate(database, parts);
    return { store: sqlStore(database, parts), upgrade };
  } catch (error) {
    await database.close();
    throw error;
  }
}
