import type { AttemptParts } from '../sql/database.js';
import { migrate } from '../sql/migrate.js';
import { type OpenedStore, sqlStore } from '../sql/sql-store.js';
import { openSqlite } from './sqlite.js';

/**
 * Opens the store in this thread: its calls block the event loop while SQLite works.
 * @throws StoreError, FatalError
 */
export async function openSqliteStore(path: string, parts: AttemptParts): Promise<OpenedStore> {
  const database = await openSqlite(path, parts);
  try {
    const upgrade = await migrate(database, parts);
    return { store: sqlStore(database, parts), upgrade };
  } catch (error) {
    await database.close();
    throw error;
  }
}
