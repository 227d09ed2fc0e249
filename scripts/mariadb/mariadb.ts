import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { findProgram } from '../programs/find-program.js';

/** A `mariadbd` of one's own, on 127.0.0.1. */
export interface MariaDb {
  readonly port: number;
  /** A new, empty database. @returns its `db.url` */
  createDatabase(): Promise<string>;
  /** A `db.url` for a database of this server; other servers may be named before and behind it. */
  url(database: string, more?: { readonly before?: readonly string[]; readonly behind?: readonly string[] }): string;
  /** As its administrator. */
  query(sql: string): Promise<unknown>;
  /** At once and without a farewell. */
  kill(): Promise<void>;
  /** It takes connections and says nothing any more, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** The first time with no data, then with those that it has. @throws Error with the end of its log */
  start(): Promise<void>;
}

/** What a URL has to escape. */
export const PASSWORD = 'p@ss:w/rd%,';
const ENCODED = encodeURIComponent(PASSWORD);

/** @returns whether `mariadbd` can be started on this machine */
export function isInstalled(): boolean {
  return PROGRAMS.every(name => findProgram(name) !== undefined);
}

const PROGRAMS = ['mariadbd', 'mariadb-install-db'];

export interface MariaDbOptions {
  /** Everything of it is there. */
  readonly folder: string;
  readonly port: number;
  /** It takes TLS only, with these PEM files. @default none: what the installed version does by itself */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
}

/** Nothing is started before `start`. */
export function mariaDb({ folder, port, tls }: MariaDbOptions): MariaDb {
  let server: ChildProcess | undefined;
  let databases = 0;
  const administrator = () =>
    mysql.createConnection({
      host: '127.0.0.1',
      port,
      user: 'administrator',
      password: PASSWORD,
      ...(tls !== undefined && { ssl: { rejectUnauthorized: false } }),
    });
  const mariadb: MariaDb = {
    port,
    async createDatabase() {
      const name = `muster_${++databases}`;
      await mariadb.query(`create database ${name}`);
      return mariadb.url(name);
    },
    url(database, { before = [], behind = [] } = {}) {
      return `mysql://muster:${ENCODED}@${[...before, `127.0.0.1:${port}`, ...behind].join(',')}/${database}`;
    },
    async query(sql) {
      const connection = await administrator();
      try {
        const [result] = await connection.query(sql);
        return result;
      } finally {
        await connection.end();
      }
    },
    async kill() {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
      const gone = once(server, 'exit');
      server.kill('SIGKILL');
      await gone;
    },
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    async start() {
      if (!existsSync(dataOf(folder))) await install(folder);
      server = run({ folder, port, tls });
      await isReady(server);
    },
  };
  return mariadb;
}

function dataOf(folder: string): string {
  return join(folder, 'data');
}

const asRoot = () => (process.getuid?.() === 0 ? ['--user=root'] : []);

async function install(folder: string): Promise<void> {
  await promisify(execFile)(findProgram('mariadb-install-db') ?? '', [
    '--no-defaults',
    `--datadir=${dataOf(folder)}`,
    `--tmpdir=${folder}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    ...asRoot(),
  ]);
  const password = PASSWORD.replaceAll("'", "''");
  await writeFile(
    join(folder, 'users.sql'),
    `create user if not exists 'muster'@'127.0.0.1' identified by '${password}';
grant all on \`muster%\`.* to 'muster'@'127.0.0.1';
create user if not exists 'administrator'@'127.0.0.1' identified by '${password}';
grant all on *.* to 'administrator'@'127.0.0.1' with grant option;
`,
  );
}

function run({ folder, port, tls }: MariaDbOptions): ChildProcess {
  return spawn(
    findProgram('mariadbd') ?? '',
    [
      '--no-defaults',
      `--datadir=${dataOf(folder)}`,
      // A server that starts clears the temporary tables of whoever has the same folder for them.
      `--tmpdir=${folder}`,
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'pid')}`,
      `--init-file=${join(folder, 'users.sql')}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--skip-name-resolve',
      '--innodb-buffer-pool-size=32M',
      '--innodb-log-file-size=32M',
      ...(tls === undefined
        ? []
        : [`--ssl-ca=${tls.ca}`, `--ssl-cert=${tls.cert}`, `--ssl-key=${tls.key}`, '--require-secure-transport=ON']),
      ...asRoot(),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
}

/** It says so in its log. */
function isReady(server: ChildProcess): Promise<void> {
  let log = '';
  return new Promise((resolve, reject) => {
    server.stderr?.setEncoding('utf8').on('data', text => {
      log = `${log}${text}`.slice(-4_000);
      if (/mariadbd: ready for connections/i.test(log)) resolve();
    });
    server.once('close', () => reject(new Error(`mariadbd has ended:\n${log}`)));
    server.once('error', reject);
  });
}
