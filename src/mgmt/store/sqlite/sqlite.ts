import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Kysely, sql } from 'kysely';
import Database from 'libsql';
import { codeOf } from '../../../lib/errors.js';
import { makeFolder } from '../../../lib/files/make-folder.js';
import { Semaphore } from '../../../lib/semaphore.js';
import {
  type AttemptParts,
  again,
  attempt,
  CALL_LIMIT_MS,
  final,
  type SchemaDialect,
  type SqlDatabase,
  type Verdict,
} from '../sql/database.js';
import type { Schema } from '../sql/schema.js';
import { UnkeepableValue } from '../sql/unkeepable-value.js';
import { StoreError, type StoreErrorCode } from '../store-error.js';
import { NOW, sqliteDialect } from './driver.js';
import { type FileIdentity, FileReplaced, fileIdentity, requireSameFile } from './file-identity.js';

/** How long one call may hold up the event loop while another process commits; `attempt` waits beyond that. */
const BUSY_TIMEOUT_MS = 10;

/** The database, and which file it is in. */
export interface SqliteDatabase extends SqlDatabase {
  readonly file: FileIdentity;
}

/**
 * Opens or makes the database file, and its folder, for this user only.
 * @param expected the file that this process had open before; another one is not opened
 */
export async function openSqlite(path: string, env: AttemptParts, expected?: FileIdentity): Promise<SqliteDatabase> {
  // An absolute path is never taken for `:memory:` or a URI.
  const file = resolve(path);
  if (expected === undefined) await prepareFile(file);
  const open = async () => {
    if (expected !== undefined) requireSameFile(file, expected);
    return connect(file);
  };
  const database = await attempt('open', judge, env, open, env.clock.now() + CALL_LIMIT_MS);
  const identity = expected ?? fileIdentity(file);
  return { ...sqlDatabase(database, env, () => requireSameFile(file, identity)), file: identity };
}

/**
 * The database behind a handle.
 * @param checkFile called before each transaction @throws FileReplaced: its file is not there any more
 */
export function sqlDatabase(database: Database.Database, env: AttemptParts, checkFile: () => void): SqlDatabase {
  const kysely = new Kysely<Schema>({ dialect: sqliteDialect(database, env.clock, checkFile) });
  return {
    kysely,
    judge,
    writers: new Semaphore(),
    schema: schemaDialect,
    mayHang: false,
    rowsAStatement: 1,
    // All servers on this file are on one machine.
    now: () => sql`${NOW}`,
    greatest: (one, other) => sql`max(${one}, ${other})`,
    storeTime: async () => env.clock.wallTime(),
    // Whoever will write has the whole database to itself from the start.
    locked: query => query,
    async close() {
      await kysely.destroy();
      disconnect(database);
    },
  };
}

const schemaDialect: SchemaDialect = {
  async hasColumn(db, table, column) {
    const { rows } = await sql`select 1 from pragma_table_info(${table}) where name = ${column}`.execute(db);
    return rows.length > 0;
  },
  async hasIndex(db, _table, index) {
    const { rows } = await sql`select 1 from sqlite_master where type = 'index' and name = ${index}`.execute(db);
    return rows.length > 0;
  },
  async dropIndex(db, _table, index) {
    await db.schema.dropIndex(index).execute();
  },
};

/** Throws with the reason when SQLite could not write there; its own message is just "14". */
async function prepareFile(file: string): Promise<void> {
  const folder = dirname(file);
  try {
    await makeFolder(folder, 0o700);
    // The write-ahead log lies beside the file, so that the folder has to be writable too.
    await requireWritable(folder);
    // SQLite would make it readable for all; the files beside it take its mode.
    const handle = await open(file, 'a', 0o600);
    await handle.close();
    await requireWritable(file);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(FILE_ERRORS[codeOf(error) ?? ''] ?? 'STORE_UNAVAILABLE', 'open', { cause: error });
  }
}

const FILE_ERRORS: Readonly<Record<string, StoreErrorCode>> = {
  EACCES: 'STORE_READ_ONLY',
  EPERM: 'STORE_READ_ONLY',
  EROFS: 'STORE_READ_ONLY',
  ENOSPC: 'STORE_FULL',
  EDQUOT: 'STORE_FULL',
};

async function requireWritable(path: string): Promise<void> {
  await access(path, constants.W_OK);
  const { mode } = await stat(path);
  // Root may write everywhere, but an operator who took the bit away meant it.
  if ((mode & 0o200) === 0) {
    const cause = new Error(`${path} has mode 0${(mode & 0o777).toString(8)}`);
    throw new StoreError('STORE_READ_ONLY', 'open', { cause });
  }
}

function connect(file: string): Database.Database {
  const database = openHandle(file);
  try {
    // Readers go on while one writes; FULL: what was promised survives a power cut.
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA foreign_keys = ON');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function openHandle(file: string): Database.Database {
  try {
    return new Database(file, { timeout: BUSY_TIMEOUT_MS });
  } catch (error) {
    // Unlike all its other errors, this one is a plain Error.
    throw new StoreError('STORE_UNAVAILABLE', 'open', { cause: error });
  }
}

function disconnect(database: Database.Database): void {
  try {
    // So that after an orderly stop a copy of the one file is a backup.
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // Another process is reading or writing; it does this when it closes.
  }
  database.close();
}

/** By SQLite's primary result codes, the low byte: https://www.sqlite.org/rescode.html */
const PRIMARY_CODES: Readonly<Record<number, Verdict>> = {
  3: final('STORE_READ_ONLY'), // PERM
  5: again('STORE_BUSY'), // BUSY
  6: again('STORE_BUSY'), // LOCKED
  8: final('STORE_READ_ONLY'), // READONLY
  10: final('STORE_UNAVAILABLE'), // IOERR
  11: final('STORE_CORRUPT'), // CORRUPT
  13: final('STORE_FULL'), // FULL
  14: final('STORE_UNAVAILABLE'), // CANTOPEN
  26: final('STORE_CORRUPT'), // NOTADB
};

function judge(error: unknown): Verdict {
  if (error instanceof UnkeepableValue) return final('STORE_VALUE_REFUSED');
  if (error instanceof FileReplaced) return final('STORE_REPLACED');
  if (!(error instanceof Database.SqliteError)) return 'not-ours';
  if (error.code === 'SQLITE_CONSTRAINT_UNIQUE' || error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return again('STORE_BUSY');
  }
  return PRIMARY_CODES[(error.rawCode ?? 0) & 0xff] ?? final('STORE_FAILED');
}
