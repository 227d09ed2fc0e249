import { connect, isIP, type Socket } from 'node:net';
import mysql, { type Connection, type QueryError, type SslOptions } from 'mysql2';
import type { Clock } from '../../../lib/clock.js';
import { MysqlTimeout } from './errors.js';
import type { MysqlHost, MysqlUrl } from './url.js';

export interface MysqlLimits {
  /** To connect, log in and set up the session. */
  readonly connectMs: number;
  /** For each statement. */
  readonly statementMs: number;
}

/** How to log in. */
export interface MysqlAccess extends Pick<MysqlUrl, 'user' | 'password' | 'database'> {
  /** Undefined: no TLS. */
  readonly ssl: SslOptions | undefined;
}

const KEEP_ALIVE_MS = 5_000;

/**
 * The driver tells TLS no name when an address is dialled. Node then compares the certificate with this property of the
 * socket, and without it with `localhost`.
 */
function socketToAddress({ host, port }: MysqlHost): Socket {
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  return Object.assign(socket, { _host: host });
}

/** The node ends a slow statement so much before the client gives it up: the statement has failed, and not the node. */
const SERVER_EARLIER_MS = 500;

/** So much before the client gives a statement up, it has the node end it: MySQL ends nothing but SELECTs by itself. */
const KILL_EARLIER_MS = 250;

interface ServerIdentity {
  readonly version: string;
  readonly node: string;
}

/** A connection with one node, set up for us. After an error on the way to the node it is broken, and not used again. */
export class MysqlSession {
  readonly host: MysqlHost;
  readonly #access: MysqlAccess;
  readonly #raw: Connection;
  readonly #clock: Clock;
  #limitMs: number;
  /** Which process the session is with, as that says. */
  #node: string | undefined;
  #broken = false;

  private constructor(raw: Connection, access: MysqlAccess, host: MysqlHost, clock: Clock, limitMs: number) {
    this.host = host;
    this.#access = access;
    this.#raw = raw;
    this.#clock = clock;
    this.#limitMs = limitMs;
    // What belongs to no statement: the node closed an idle connection.
    raw.on('error', () => this.destroy());
    raw.once('end', () => this.destroy());
  }

  /** @throws what mysql2 throws, or MysqlTimeout */
  static async open(access: MysqlAccess, host: MysqlHost, clock: Clock, limits: MysqlLimits): Promise<MysqlSession> {
    const session = await MysqlSession.#connect(access, host, clock, limits.connectMs);
    try {
      await session.#setUp(limits.statementMs);
    } catch (error) {
      session.destroy();
      throw error;
    }
    session.#limitMs = limits.statementMs;
    return session;
  }

  /** @param limitMs to connect and log in, and for each statement @throws as `open` */
  static async #connect(access: MysqlAccess, host: MysqlHost, clock: Clock, limitMs: number): Promise<MysqlSession> {
    const raw = mysql.createConnection({
      host: host.host,
      port: host.port,
      user: access.user,
      password: access.password,
      database: access.database,
      charset: 'utf8mb4',
      // Beyond 2^53 a text would come, not a number that is nearly right.
      supportBigNumbers: true,
      connectTimeout: limitMs,
      enableKeepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      ...(access.ssl !== undefined && { ssl: access.ssl }),
      ...(access.ssl?.verifyIdentity && isIP(host.host) !== 0 && { stream: () => socketToAddress(host) }),
    });
    const session = new MysqlSession(raw, access, host, clock, limitMs);
    try {
      await session.#bounded(done => raw.connect(error => done(error)), 'no handshake');
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** @returns rows, or what a statement without rows did @throws as `open` */
  run(sql: string, parameters: readonly unknown[] = []): Promise<unknown> {
    return this.#bounded(done => {
      this.#raw.query(sql, [...parameters], (error, result) => done(error, result));
    }, 'no answer');
  }

  /**
   * As `run`. A statement that takes too long is ended by the node, and fails as interrupted: it has failed, and not the
   * node. Not for a commit, of which one could not know then whether it was carried out.
   */
  async runOrInterrupt(sql: string, parameters: readonly unknown[]): Promise<unknown> {
    let interruption: Promise<void> | undefined;
    const timer = this.#clock.after(this.#limitMs - KILL_EARLIER_MS, () => {
      interruption = this.#killQuery();
    });
    try {
      return await this.run(sql, parameters);
    } finally {
      timer.cancel();
      // One that comes late would end the next statement.
      await interruption;
    }
  }

  /** At once, without COM_QUIT: the node rolls back what was not committed. Idempotent. */
  destroy(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#raw.destroy();
  }

  async end(): Promise<void> {
    if (this.#broken) return;
    try {
      await this.#bounded(done => this.#raw.end(error => done(error ?? null)), 'no answer to COM_QUIT');
    } catch {
      // It is over either way.
    }
    this.destroy();
  }

  async #killQuery(): Promise<void> {
    let other: MysqlSession | undefined;
    try {
      other = await MysqlSession.#connect(this.#access, this.host, this.#clock, KILL_EARLIER_MS);
      // Behind a balancer it may be another node, where somebody else has this number.
      if ((await other.#readServer()).node === this.#node) await other.run(`kill query ${this.#raw.threadId}`);
    } catch {
      // The statement's own limit ends the session.
    } finally {
      other?.destroy();
    }
  }

  async #readServer(): Promise<ServerIdentity> {
    const sql = "select version() as version, concat_ws(':', @@hostname, @@port) as node";
    const [server] = (await this.run(sql)) as ServerIdentity[];
    if (server === undefined) throw new Error('the node did not tell its version');
    return server;
  }

  async #setUp(statementMs: number): Promise<void> {
    const { version, node } = await this.#readServer();
    this.#node = node;
    const seconds = Math.ceil(statementMs / 1_000);
    // What does not fit is refused, not cut; backslashes escape, as the driver writes them.
    await this.run(
      "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', " +
        `time_zone = '+00:00', innodb_lock_wait_timeout = 1, lock_wait_timeout = ${seconds}`,
    );
    // No locks on the gaps between rows: hosts that are new at the same moment do not wait for each other.
    await this.run('set session transaction isolation level read committed');
    if (/mariadb/i.test(version)) {
      // On Galera, what was committed on another node is seen here; elsewhere the second setting does nothing.
      await this.run(
        `set session max_statement_time = ${(statementMs - SERVER_EARLIER_MS) / 1_000}, wsrep_sync_wait = 1`,
      );
    } else {
      await this.run(`set session max_execution_time = ${statementMs - SERVER_EARLIER_MS}`);
    }
  }

  /** What ends with an error on the way, or not in time, takes the connection with it. */
  #bounded<T>(start: (done: (error: QueryError | null, result?: T) => void) => void, why: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(this.#limitMs, () => {
        this.destroy();
        reject(new MysqlTimeout(`${why} for ${this.#limitMs} ms`));
      });
      start((error, result) => {
        timer.cancel();
        if (error === null) {
          resolve(result as T);
          return;
        }
        if (error.sqlState === undefined || error.fatal) this.destroy();
        reject(error);
      });
    });
  }
}
