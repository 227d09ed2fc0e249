import type { Clock } from '../lib/clock.js';
import { ConfigError, FatalError } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { remedyOf } from './store/mysql/errors.js';
import { CALL_LIMITS, MIGRATION_LIMITS, openMysql } from './store/mysql/mysql.js';
import { isMysqlUrl, keyOfPassword, type MysqlUrl, parseMysqlUrl, withoutPassword } from './store/mysql/url.js';
import type { SqlDatabase } from './store/sql/database.js';
import { migrate } from './store/sql/migrate.js';
import { sqlStore } from './store/sql/sql-store.js';
import { openSqlite } from './store/sqlite/sqlite.js';
import type { Store } from './store/store.js';
import { StoreError } from './store/store-error.js';

export interface OpenStoreEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const ALLOWED =
  'allowed is sqlite: and the path of a file, such as sqlite:data/muster.db, ' +
  'or mysql://user:password@host:3306/database for MariaDB and MySQL';

/**
 * The only place that knows which databases there are. The schema is up to date afterwards.
 * @throws ConfigError, FatalError
 */
export async function openStore(dbUrl: string, env: OpenStoreEnv): Promise<Store> {
  if (isMysqlUrl(dbUrl)) return openMysqlStore(parseMysqlUrl(dbUrl), env);
  const path = sqlitePath(dbUrl);
  try {
    return await migrated(await openSqlite(path, env), env);
  } catch (error) {
    throw asFatal(error, dbUrl);
  }
}

/**
 * The key that secrets in the store are sealed under when no `key.file` is given: for MariaDB and MySQL, where there is
 * no file that it could lie beside.
 * @throws ConfigError
 */
export function keyOfDbUrl(dbUrl: string): Uint8Array {
  return keyOfPassword(parseMysqlUrl(dbUrl).password);
}

async function openMysqlStore(url: MysqlUrl, env: OpenStoreEnv): Promise<Store> {
  try {
    const patient = await openMysql(url, env, MIGRATION_LIMITS);
    try {
      await migrate(patient, env);
    } finally {
      await patient.close();
    }
    return sqlStore(await openMysql(url, env, CALL_LIMITS), env);
  } catch (error) {
    const remedy = remedyOf(error, url);
    if (remedy !== undefined) throw new ConfigError('db.url', withoutPassword(url), remedy, { cause: error });
    throw asFatal(error, withoutPassword(url));
  }
}

async function migrated(database: SqlDatabase, env: OpenStoreEnv): Promise<Store> {
  try {
    await migrate(database, env);
  } catch (error) {
    await database.close();
    throw error;
  }
  return sqlStore(database, env);
}

function asFatal(error: unknown, shownUrl: string): unknown {
  if (!(error instanceof StoreError)) return error;
  return new FatalError('STORE_UNUSABLE', `db.url=${shownUrl}: ${error.message}`, { cause: error });
}

function sqlitePath(dbUrl: string): string {
  if (!dbUrl.startsWith('sqlite:')) {
    // The rest of it may hold a password, and errors are logged.
    throw new ConfigError('db.url', `${/^[a-z]*:/.exec(dbUrl)?.[0] ?? ''}…`, ALLOWED);
  }
  const path = dbUrl.slice('sqlite:'.length);
  // In a URL, `//data` would be a machine's name; as a path, a folder at the root. Neither is what was meant.
  if (path === '' || path.includes('\0') || /^\/\/[^/]/.test(path)) throw new ConfigError('db.url', dbUrl, ALLOWED);
  return path;
}
