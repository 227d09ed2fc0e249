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

/** What a store is opened with. */
export interface OpenStoreEnv {
  /** For time limits and for the waits between attempts. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const ALLOWED =
  'allowed is sqlite: and the path of a file, such as sqlite:data/muster.db, ' +
  'or mysql://user:password@host:3306/database for MariaDB and MySQL';

/**
 * Opens the store that the servers of a cluster share, and brings its schema up to date. This is the only place that
 * knows which databases there are.
 * @param dbUrl `sqlite:` and the path of a file, which is made if there is none; or
 *   `mysql://user:password@host:3306/database`, with several hosts separated by commas
 * @example
 * const store = await openStore('sqlite:data/muster.db', { clock: systemClock, random: systemRandom, log: silentLog });
 * const { rows } = await store.findHosts({ status: ['Up'], page: 1, pagesize: 100 });
 * await store.close();
 * @throws ConfigError when `dbUrl` is wrong, or the database refuses user or password
 * @throws FatalError STORE_UNUSABLE, STORE_TOO_NEW
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
    // The rest may contain a password, and errors are logged.
    throw new ConfigError('db.url', `${/^[a-z]*:/.exec(dbUrl)?.[0] ?? ''}…`, ALLOWED);
  }
  const path = dbUrl.slice('sqlite:'.length);
  // In a URL, `//data` is the name of a machine; as a path, it is a folder at the root. Neither is meant.
  if (path === '' || path.includes('\0') || /^\/\/[^/]/.test(path)) throw new ConfigError('db.url', dbUrl, ALLOWED);
  return path;
}
