import { readFile } from 'node:fs/promises';
import { type Clock, systemClock } from '../lib/clock.js';
import { ConfigError, FatalError, reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { type Random, systemRandom } from '../lib/random.js';
import type { MgmtSettings } from './config/settings.js';
import { remedyOf } from './store/mysql/errors.js';
import { parseMysqlUrl, withoutPassword } from './store/mysql/url.js';
import type { OpenedStore } from './store/sql/sql-store.js';
import { openWorkerStore } from './store/sqlite/worker-store.js';
import type { Store } from './store/store.js';
import { StoreError } from './store/store-error.js';

/** What a store is opened with. */
export interface OpenStoreParts {
  /** For time limits and for the waits between attempts. @default systemClock */
  readonly clock?: Clock;
  /** For the waits between attempts, and for new UUIDs. @default systemRandom */
  readonly random?: Random;
  /** Gets one line when the schema was brought up to date. */
  readonly log: Log;
  /**
   * Where SQLite runs. In a `worker` thread it never blocks the event loop, and has the system's clock and random
   * numbers. In the `same` thread it has those given here: for tests.
   * @default 'worker'
   */
  readonly thread?: 'worker' | 'same';
}

/**
 * Opens the store that the servers of a cluster share, and brings its schema up to date. This is the only place that
 * knows which databases there are.
 * @param dbUrl `sqlite:` and the path of a file, which is made if there is none; or
 *   `mysql://user:password@host:3306/database`, with several hosts separated by commas
 * @example
 * const store = await openStore('sqlite:data/muster.db', { log: silentLog });
 * const { rows } = await store.findHosts({ status: ['Up'], page: 1, pagesize: 100 });
 * await store.close();
 * @throws ConfigError when `dbUrl` is wrong, or the database refuses user or password
 * @throws FatalError STORE_UNUSABLE, STORE_TOO_NEW
 */
export async function openStore(
  dbUrl: string,
  { clock = systemClock, random = systemRandom, log, thread = 'worker' }: OpenStoreParts,
): Promise<Store> {
  const { store, upgrade } = await databaseOf(dbUrl).open(dbUrl, { clock, random, log, thread });
  if (upgrade !== undefined) log.info('store schema brought up to date', { ...upgrade });
  return store;
}

/** @throws ConfigError when `dbUrl` is no URL of a database that there is */
export function verifyDbUrl(dbUrl: string): void {
  databaseOf(dbUrl).verify(dbUrl);
}

/**
 * Whether the database is behind a network, so that a server that starts waits for one that is away.
 * @throws ConfigError
 */
export function isRemoteStore(dbUrl: string): boolean {
  return databaseOf(dbUrl).isRemote;
}

/**
 * The URL with the password of `db.password.file` in it.
 * @throws ConfigError when the file cannot be read, or there is a password already, or no database that has one
 */
export async function dbUrlOf({ dbUrl, dbPasswordFile }: DbSettings): Promise<string> {
  if (dbPasswordFile === undefined) return dbUrl;
  const wrong = (reason: string) => new ConfigError('db.password.file', dbPasswordFile, reason);
  if (!isRemoteStore(dbUrl)) throw wrong('this database has no password: db.url is a file');
  const { user, password } = parseMysqlUrl(dbUrl);
  if (password !== '') throw wrong('db.url has a password too: only one of them is allowed');
  let text: string;
  try {
    text = (await readFile(dbPasswordFile, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new ConfigError('db.password.file', dbPasswordFile, reasonOf(cause), { cause });
  }
  if (text === '') throw wrong('the file is empty');
  return dbUrl.replace(/^(\w+:\/\/)[^@/]*@/, (_all, scheme) => {
    return `${scheme}${encodeURIComponent(user)}:${encodeURIComponent(text)}@`;
  });
}

type DbSettings = Pick<MgmtSettings, 'dbUrl' | 'dbPasswordFile'>;

/**
 * Copies the database into a file that is not there, also while servers use it.
 * @returns false when this database has a tool of its own for that
 * @throws ConfigError, FatalError
 */
export async function copyDatabase(dbUrl: string, target: string): Promise<boolean> {
  const { copy } = databaseOf(dbUrl);
  await copy?.(dbUrl, target);
  return copy !== undefined;
}

/** The key that secrets in the store are sealed under when no `key.file` is given. @throws ConfigError */
export function defaultSealingKey(dbUrl: string): DefaultSealingKey {
  return databaseOf(dbUrl).sealingKey(dbUrl);
}

/** A file that holds the key, or a password that the key is made from and the setting that it comes from. */
export type DefaultSealingKey = { readonly file: string } | { readonly password: string; readonly origin: string };

/** All that differs from one database to another, outside its folder in `store`. */
interface Database {
  /** Its form of `db.url`, for error messages. */
  readonly form: string;
  readonly isRemote: boolean;
  /** @throws ConfigError when the URL is wrong */
  verify(dbUrl: string): void;
  sealingKey(dbUrl: string): DefaultSealingKey;
  /** Undefined: its own tools do it. */
  readonly copy?: (dbUrl: string, target: string) => Promise<void>;
  /** Loads the code of the database: with SQLite, its thread does that. @throws ConfigError, FatalError */
  open(dbUrl: string, parts: Required<OpenStoreParts>): Promise<OpenedStore>;
}

/** By the scheme of `db.url`. */
const DATABASES: ReadonlyMap<string, Database> = new Map([
  [
    'sqlite',
    {
      form: 'sqlite: and the path of a file, such as sqlite:data/muster.db',
      isRemote: false,
      verify: sqlitePath,
      sealingKey: dbUrl => ({ file: `${sqlitePath(dbUrl)}.key` }),
      copy: copySqlite,
      open: openSqlite,
    },
  ],
  [
    'mysql',
    {
      form: 'mysql://user:password@host:3306/database for MariaDB and MySQL',
      isRemote: true,
      verify: parseMysqlUrl,
      sealingKey: dbUrl => ({
        password: parseMysqlUrl(dbUrl).password,
        origin: 'the password in db.url (no key.file is given)',
      }),
      open: openMysql,
    },
  ],
]);

const ALLOWED = `allowed is ${[...DATABASES.values()].map(({ form }) => form).join(', or ')}`;

/** @throws ConfigError */
function databaseOf(dbUrl: string): Database {
  const scheme = /^([a-z]+):/.exec(dbUrl)?.[1] ?? '';
  const database = DATABASES.get(scheme);
  // The rest of the URL may contain a password, and errors are logged.
  if (database === undefined) throw new ConfigError('db.url', scheme === '' ? '…' : `${scheme}:…`, ALLOWED);
  return database;
}

async function openMysql(dbUrl: string, parts: Required<OpenStoreParts>): Promise<OpenedStore> {
  const url = parseMysqlUrl(dbUrl);
  const { openMysqlStore } = await import('./store/mysql/mysql-store.js');
  try {
    return await openMysqlStore(url, parts);
  } catch (error) {
    const remedy = remedyOf(error, url);
    if (remedy !== undefined) throw new ConfigError('db.url', withoutPassword(url), remedy, { cause: error });
    throw asFatal(error, withoutPassword(url));
  }
}

async function openSqlite(dbUrl: string, parts: Required<OpenStoreParts>): Promise<OpenedStore> {
  const path = sqlitePath(dbUrl);
  try {
    if (parts.thread === 'worker') return await openWorkerStore(path, parts);
    const { openSqliteStore } = await import('./store/sqlite/sqlite-store.js');
    return await openSqliteStore(path, parts);
  } catch (error) {
    throw asFatal(error, dbUrl);
  }
}

async function copySqlite(dbUrl: string, target: string): Promise<void> {
  const { copySqliteDatabase } = await import('./store/sqlite/copy-database.js');
  await copySqliteDatabase(sqlitePath(dbUrl), target);
}

function asFatal(error: unknown, shownUrl: string): unknown {
  if (!(error instanceof StoreError)) return error;
  return new FatalError('STORE_UNUSABLE', `db.url=${shownUrl}: ${error.message}`, { cause: error });
}

/** @throws ConfigError */
function sqlitePath(dbUrl: string): string {
  const path = dbUrl.slice('sqlite:'.length);
  if (path === ':memory:') throw new ConfigError('db.url', dbUrl, 'servers cannot share a database in memory');
  // In a URL, `//data` is the name of a machine; as a path, it is a folder at the root. Neither is meant.
  if (path === '' || path.includes('\0') || /^\/\/[^/]/.test(path)) throw new ConfigError('db.url', dbUrl, ALLOWED);
  return path;
}
