import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely';
import type { SslOptions } from 'mysql2';
import type { Clock } from '../../../lib/clock.js';
import { Semaphore } from '../../../lib/semaphore.js';
import { refuseUnkeepable } from '../sql/unkeepable-value.js';
import { MysqlHostError, nodeErrorOf } from './errors.js';
import { MysqlNodes } from './nodes.js';
import { type MysqlAccess, type MysqlLimits, MysqlSession } from './session.js';
import type { MysqlHost, MysqlUrl } from './url.js';

/** Sessions at once: enough to keep a node busy, and a hundred servers do not use up its connections. */
const POOL_SIZE = 8;

/**
 * A bounded pool of sessions with whichever node works. Kysely's own driver knows one address, and would hand out
 * sessions with a node that has become read-only or left its cluster.
 */
export class MysqlDriver implements Driver {
  readonly #access: MysqlAccess;
  readonly #clock: Clock;
  readonly #limits: MysqlLimits;
  readonly #hosts: MysqlNodes;
  readonly #idle: MysqlSession[] = [];
  readonly #pool = new Semaphore(POOL_SIZE);
  #isDestroyed = false;

  constructor(url: MysqlUrl, ssl: SslOptions | undefined, clock: Clock, limits: MysqlLimits) {
    this.#access = { ...url, ssl };
    this.#clock = clock;
    this.#limits = limits;
    this.#hosts = new MysqlNodes(url.hosts);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<MysqlConnection> {
    const release = await this.#pool.acquire();
    try {
      const session = this.#takeIdle() ?? (await this.#connect());
      return new MysqlConnection(session, release, error => this.#sessionFailed(session, error));
    } catch (error) {
      release();
      throw error;
    }
  }

  async releaseConnection({ session, release }: MysqlConnection): Promise<void> {
    // A call that was given up may still have been waiting when the store was closed.
    if (session.host === this.#hosts.current && !this.#isDestroyed) this.#idle.push(session);
    else void session.end();
    release();
  }

  async beginTransaction(connection: MysqlConnection, { accessMode }: TransactionSettings): Promise<void> {
    // All that one call reads is of one moment.
    if (accessMode === 'read only') {
      await connection.run('set transaction isolation level repeatable read, read only');
    }
    await connection.run('start transaction');
  }

  async commitTransaction(connection: MysqlConnection): Promise<void> {
    try {
      await connection.run('commit');
    } catch (error) {
      // It is not known whether it was committed, so it must not be carried out anew.
      throw error instanceof MysqlHostError ? error.butNotAgain() : error;
    }
    this.#hosts.worked(connection.session.host);
  }

  async rollbackTransaction({ session }: MysqlConnection): Promise<void> {
    // The reason for it is on its way to the caller, and must not be replaced.
    if (!session.broken) await session.run('rollback').catch(() => session.destroy());
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await Promise.all(this.#idle.splice(0).map(session => session.end()));
  }

  #takeIdle(): MysqlSession | undefined {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      if (session.broken) continue;
      if (session.host === this.#hosts.current) return session;
      void session.end();
    }
    return undefined;
  }

  /** Asks each node once. */
  async #connect(): Promise<MysqlSession> {
    for (let tries = 1; ; tries++) {
      const host = this.#hosts.current;
      try {
        return await MysqlSession.open(this.#access, host, this.#clock, this.#limits);
      } catch (error) {
        const failure = this.#hostFailed(host, error);
        if (tries >= this.#hosts.count) throw failure;
      }
    }
  }

  #sessionFailed(session: MysqlSession, error: unknown): unknown {
    if (nodeErrorOf(error) === undefined) return error;
    session.destroy();
    return this.#hostFailed(session.host, error);
  }

  #hostFailed(host: MysqlHost, error: unknown): MysqlHostError {
    return new MysqlHostError(host, nodeErrorOf(error) ?? 'STORE_UNAVAILABLE', this.#hosts.failed(host), error);
  }
}

/** A session in the hands of one transaction. */
class MysqlConnection implements DatabaseConnection {
  readonly session: MysqlSession;
  /** Gives its place in the pool back. */
  readonly release: () => void;
  readonly #failed: (error: unknown) => unknown;

  /** @param failed told of every error; it gives the one to throw */
  constructor(session: MysqlSession, release: () => void, failed: (error: unknown) => unknown) {
    this.session = session;
    this.release = release;
    this.#failed = failed;
  }

  async run(sql: string): Promise<unknown> {
    try {
      return await this.session.run(sql);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    parameters.forEach(refuseUnkeepable);
    const result = await this.#query(sql, parameters.map(asBuffer));
    if (Array.isArray(result)) {
      for (const row of result) withBytes(row);
      // Kysely's types know what the columns hold; the driver cannot.
      return { rows: result as R[] };
    }
    // Rows that matched, whether or not they changed: mysql2 asks for that by CLIENT_FOUND_ROWS.
    const { affectedRows = 0 } = result as { affectedRows?: number };
    return { rows: [], numAffectedRows: BigInt(affectedRows) };
  }

  async #query(sql: string, parameters: readonly unknown[]): Promise<unknown> {
    try {
      return await this.session.runOrInterrupt(sql, parameters);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  // biome-ignore lint/correctness/useYield: the interface demands it, and it is not used here
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('streaming is not supported');
  }
}

/** mysql2 writes a Uint8Array as if it were an object. */
function asBuffer(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

function withBytes(row: Record<string, unknown>): void {
  for (const name in row) {
    const value = row[name];
    if (Buffer.isBuffer(value)) row[name] = new Uint8Array(value);
  }
}
