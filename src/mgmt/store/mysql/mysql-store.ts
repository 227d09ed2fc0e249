import type { AttemptParts } from '../sql/database.js';
import { migrate } from '../sql/migration/migrate.js';
import { type OpenedStore, sqlStore } from '../sql/sql-store.js';
import { CALL_LIMITS, MIGRATION_LIMITS, openMysql } from './mysql.js';
import type { MysqlUrl } from './url.js';

/** @throws StoreError, FatalError */
export async function openMysqlStore(url: MysqlUrl, parts: AttemptParts): Promise<OpenedStore> {
  const patient = await openMysql(url, parts, MIGRATION_LIMITS);
  try {
    const upgrade = await migrate(patient, parts);
    return { store: sqlStore(await openMysql(url, parts, CALL_LIMITS), parts), upgrade };
  } finally {
    await patient.close();
  }
}
