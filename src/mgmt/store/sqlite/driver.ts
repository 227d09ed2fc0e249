import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type TransactionSettings,
} from 'kysely';
import type Database from 'libsql';
import type { Clock } from '../../../lib/clock.js';
import { Semaphore } from '../../../lib/semaphore.js';
import { refuseUnkeepable } from '../sql/unkeepable-value.js';

/**
 * Kysely's own SQLite dialect begins every transaction DEFERRED, which can fail half way through when another process
 * writes, and wakes all waiters for each turn. Otherwise this is the same: one connection, used in turns.
 * @param checkFile called before each transaction; throws when the file is not the one that was opened
 */
export function sqliteDialect(database: Database.Database, clock: Clock, checkFile: () => void): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new SqliteDriver(database, clock, checkFile),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Calls of libsql block, and between two of them only promises run: after so long, sockets get their turn. */
const LONGEST_HOLD_MS = 5;

class SqliteDriver implements Driver {
  readonly #database: Database.Database;
  readonly #connection: SqliteConnection;
  readonly #clock: Clock;
  readonly #checkFile: () => void;
  readonly #turns = new Semaphore();
  #leave: () => void = () => {};
  #heldSince = 0;

  constructor(database: Database.Database, clock: Clock, checkFile: () => void) {
    this.#database = database;
    this.#connection = new SqliteConnection(database, clock);
    this.#clock = clock;
    this.#checkFile = checkFile;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    this.#leave = await this.#turns.acquire();
    if (this.#clock.now() - this.#heldSince > LONGEST_HOLD_MS) {
      await this.#clock.turn();
      this.#heldSince = this.#clock.now();
    }
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    this.#leave();
  }

  /** A transaction that will write takes the write lock at once: it either gets it or has done nothing yet. */
  async beginTransaction(_connection: DatabaseConnection, { accessMode }: TransactionSettings): Promise<void> {
    this.#checkFile();
    this.#database.exec(accessMode === 'read only' ? 'BEGIN' : 'BEGIN IMMEDIATE');
  }

  async commitTransaction(): Promise<void> {
    this.#database.exec('COMMIT');
  }

  async rollbackTransaction(): Promise<void> {
    // SQLite has rolled back by itself after a full disk or an I/O error.
    if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
  }

  /** Whoever opened the database closes it. */
  async destroy(): Promise<void> {}
}

/** A value of a statement: the time at which it is carried out, by the clock of this process, in ms since 1970. */
export const NOW = Symbol('now');

class SqliteConnection implements DatabaseConnection {
  readonly #statements: PreparedStatements;
  readonly #clock: Clock;

  constructor(database: Database.Database, clock: Clock) {
    this.#statements = new PreparedStatements(database);
    this.#clock = clock;
  }

  async executeQuery<R>({ sql, parameters: given }: CompiledQuery): Promise<QueryResult<R>> {
    const parameters = given.map(value => (value === NOW ? this.#clock.wallTime() : value));
    parameters.forEach(refuseUnkeepable);
    const { statement, isReader } = this.#statements.of(sql);
    if (isReader) {
      const rows = statement.all(parameters) as Record<string, unknown>[];
      for (const row of rows) withBytes(row);
      // Kysely's types know what the columns hold; the driver cannot.
      return { rows: rows as R[] };
    }
    return { rows: [], numAffectedRows: BigInt(statement.run(parameters).changes) };
  }

  // biome-ignore lint/correctness/useYield: the interface demands it, and it is not used here
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('streaming is not supported');
  }
}

/** Statements by their text, so that each is prepared once; past `MOST_PREPARED` the one that was not used longest goes. */
class PreparedStatements {
  readonly #database: Database.Database;
  /** In the order of their last use. */
  readonly #statements = new Map<string, PreparedStatement>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  of(sql: string): PreparedStatement {
    const prepared = this.#statements.get(sql) ?? this.#prepare(sql);
    this.#statements.delete(sql);
    this.#statements.set(sql, prepared);
    for (const oldest of this.#statements.keys()) {
      if (this.#statements.size <= MOST_PREPARED) break;
      this.#statements.delete(oldest);
    }
    return prepared;
  }

  #prepare(sql: string): PreparedStatement {
    const statement = this.#database.prepare(sql);
    return { statement, isReader: statement.reader };
  }
}

interface PreparedStatement {
  readonly statement: Database.Statement;
  /** It returns rows. */
  readonly isReader: boolean;
}

/** The store has about 80 texts, and more where a text names as many values as a batch has rows. */
const MOST_PREPARED = 250;

/** libsql returns blobs as ArrayBuffer. */
function withBytes(row: Record<string, unknown>): void {
  for (const name in row) {
    const value = row[name];
    if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value);
  }
}
