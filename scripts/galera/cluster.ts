import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { findProgram } from '../programs/find-program.js';
import { NODE_ADDRESS, NODE_COUNT, type NodePorts, nodePorts } from './ports.js';
import { output, Process } from './processes.js';

const DATABASE = 'muster';
const USER = 'muster';
const START_LIMIT_MS = 120_000;
/** Where distributions have the library; the first is Debian's. */
const PROVIDERS = ['/usr/lib/galera', '/usr/lib64/galera-4', '/usr/lib64/galera'].map(folder =>
  join(folder, 'libgalera_smm.so'),
);
const PROGRAMS = ['mariadbd', 'mariadb-install-db', 'rsync', 'lsof'];

/** @throws Error with what is not installed */
export function requireInstalled(): void {
  const missing = PROGRAMS.filter(name => findProgram(name) === undefined);
  if (findProvider() === undefined) missing.push('libgalera_smm.so');
  if (missing.length === 0) return;
  throw new Error(
    `not installed: ${missing.join(', ')}; on Debian: apt-get install mariadb-server galera-4 rsync lsof`,
  );
}

function findProvider(): string | undefined {
  return PROVIDERS.find(path => existsSync(path));
}

/** As root the user of Debian's package: MariaDB refuses to run as root, and rsync would write the files as nobody. */
const user = process.getuid?.() === 0 ? mysqlUser() : undefined;

function mysqlUser(): { readonly uid: number; readonly gid: number } | undefined {
  const idOf = (flag: string) => Number(spawnSync('id', [flag, 'mysql']).stdout);
  const [uid, gid] = [idOf('-u'), idOf('-g')];
  return uid && gid ? { uid, gid } : undefined;
}

async function giveToUser(path: string): Promise<void> {
  if (user) await chown(path, user.uid, user.gid);
}

/** Three nodes on this machine. */
export class Cluster {
  readonly firstPort: number;
  readonly nodes: readonly GaleraNode[];
  readonly #folder: string;
  readonly #databases: readonly string[];
  readonly #password = randomBytes(9).toString('hex');

  /** @param moreDatabases beside the one that `url` names when it is not told another */
  constructor(firstPort: number, folder: string, moreDatabases: readonly string[] = []) {
    this.firstPort = firstPort;
    this.#folder = folder;
    this.#databases = [DATABASE, ...moreDatabases];
    this.nodes = Array.from(
      { length: NODE_COUNT },
      (_, index) => new GaleraNode(index, firstPort, folder, this.#password),
    );
  }

  /**
   * `db.url`.
   * @param first index of the node that comes first
   */
  url({ first = 0, database = DATABASE } = {}): string {
    const nodes = [...this.nodes.slice(first), ...this.nodes.slice(0, first)];
    return `mysql://${USER}:${this.#password}@${nodes.map(({ port }) => `${NODE_ADDRESS}:${port}`)}/${database}`;
  }

  /** Resolves when all nodes are Synced. @param say gets a line for each node */
  async start(say: (line: string) => void): Promise<void> {
    const initFile = join(this.#folder, 'first.sql');
    const statements = [
      `create user '${USER}'@'127.0.0.1' identified by '${this.#password}'`,
      ...this.#databases.flatMap(database => [
        `create database ${database} character set utf8mb4`,
        `grant all on ${database}.* to '${USER}'@'127.0.0.1'`,
      ]),
    ];
    await writeFile(initFile, statements.map(statement => `${statement};\n`).join(''), { mode: 0o600 });
    for (const path of [this.#folder, initFile]) await giveToUser(path);
    for (const [index, node] of this.nodes.entries()) {
      await node.install();
      await node.start(index === 0 ? ['--wsrep-new-cluster', `--init-file=${initFile}`] : []);
      say(`${node.name} is up on ${NODE_ADDRESS}:${node.port}`);
    }
  }
}

/** One `mariadbd`. */
export class GaleraNode {
  readonly name: string;
  /** SQL. */
  readonly port: number;
  readonly #ports: NodePorts;
  readonly #groupAddresses: readonly string[];
  readonly #folder: string;
  /** One for each node: a server that starts deletes the temporary tables that it finds. */
  readonly #temporaryFolder: string;
  readonly #password: string;
  #process: Process | undefined;

  constructor(index: number, firstPort: number, folder: string, password: string) {
    this.name = `node ${index + 1}`;
    this.#ports = nodePorts(firstPort, index);
    this.port = this.#ports.sql;
    this.#groupAddresses = Array.from(
      { length: NODE_COUNT },
      (_, node) => `${NODE_ADDRESS}:${nodePorts(firstPort, node).group}`,
    );
    this.#folder = join(folder, `node${index + 1}`);
    this.#temporaryFolder = `${this.#folder}.tmp`;
    this.#password = password;
  }

  async install(): Promise<void> {
    await mkdir(this.#temporaryFolder, { recursive: true });
    await giveToUser(this.#temporaryFolder);
    const { end, stderr } = await output(
      findProgram('mariadb-install-db') ?? '',
      [
        '--no-defaults',
        `--datadir=${this.#folder}`,
        `--tmpdir=${this.#temporaryFolder}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ],
      user,
    );
    if (end !== 0) throw new Error(`mariadb-install-db: ${stderr || end}`);
  }

  /** Resolves when it is Synced. @throws Error with the end of its log */
  async start(moreSettings: readonly string[] = []): Promise<void> {
    const child = new Process(findProgram('mariadbd') ?? '', [...this.#settings(), ...moreSettings], user);
    this.#process = child;
    const deadline = performance.now() + START_LIMIT_MS;
    while (!(await this.#isSynced())) {
      if (child.end !== undefined || performance.now() > deadline) {
        const log = await readFile(`${this.#folder}.log`, 'utf8').catch(() => '');
        throw new Error(`${this.name} does not start:\n${log.slice(-6_000)}`);
      }
      await sleep(100);
    }
  }

  /**
   * Starts it again after `kill`, at the position that it has: a node that joins without one gets the whole database,
   * and its donor blocks meanwhile.
   * @returns how it got what it missed
   */
  async comeBack(): Promise<'IST' | 'SST'> {
    const position = await this.#recoveredPosition();
    await this.start(position ? [`--wsrep-start-position=${position}`] : []);
    const log = await readFile(`${this.#folder}.log`, 'utf8');
    const sinceStart = log.slice(log.lastIndexOf('wsrep_load(): loading provider library'));
    return /Receiving IST: [1-9]/.test(sinceStart) ? 'IST' : 'SST';
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** It takes connections and says nothing any more, until `thaw`. */
  freeze(): void {
    this.#process?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process?.signal('SIGCONT');
  }

  /** @returns rows, with all that the cluster has committed by now */
  read(sql: string): Promise<RowDataPacket[]> {
    return this.#query(sql, 'set session wsrep_sync_wait = 1');
  }

  async #query(sql: string, before?: string): Promise<RowDataPacket[]> {
    const login = { host: NODE_ADDRESS, port: this.port, user: USER, password: this.#password };
    const connection = await mysql.createConnection(login);
    try {
      if (before) await connection.query(before);
      const [rows] = await connection.query<RowDataPacket[]>(sql);
      return rows;
    } finally {
      await connection.end();
    }
  }

  async #isSynced(): Promise<boolean> {
    try {
      const [row] = await this.#query("show status like 'wsrep_local_state_comment'");
      return row?.Value === 'Synced';
    } catch {
      return false;
    }
  }

  async #recoveredPosition(): Promise<string | undefined> {
    const log = `${this.#folder}.recovery.log`;
    const settings = this.#settings().map(setting =>
      setting.startsWith('--log-error=') ? `--log-error=${log}` : setting,
    );
    await output(findProgram('mariadbd') ?? '', [...settings, '--wsrep-recover'], user);
    const found = await readFile(log, 'utf8').catch(() => '');
    return [...found.matchAll(/WSREP: Recovered position: *([0-9a-f-]{36}:\d+)/g)].at(-1)?.[1];
  }

  #settings(): string[] {
    const { sql, group, increment, full } = this.#ports;
    return [
      '--no-defaults',
      `--datadir=${this.#folder}`,
      `--tmpdir=${this.#temporaryFolder}`,
      `--socket=${this.#folder}.socket`,
      `--pid-file=${this.#folder}.pid`,
      `--log-error=${this.#folder}.log`,
      `--bind-address=${NODE_ADDRESS}`,
      `--port=${sql}`,
      '--skip-name-resolve',
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      // The other nodes have what a node loses. Only when all lose power at once, a second may be lost.
      '--innodb-flush-log-at-trx-commit=2',
      '--innodb-buffer-pool-size=64M',
      '--wsrep-on=ON',
      `--wsrep-provider=${findProvider()}`,
      '--wsrep-cluster-name=muster',
      `--wsrep-cluster-address=gcomm://${this.#groupAddresses}`,
      `--wsrep-node-name=${this.name.replace(' ', '')}`,
      `--wsrep-node-address=${NODE_ADDRESS}:${group}`,
      '--wsrep-sst-method=rsync',
      `--wsrep-sst-receive-address=${NODE_ADDRESS}:${full}`,
      `--wsrep-provider-options=${[
        `gmcast.listen_addr=tcp://${NODE_ADDRESS}:${group}`,
        `ist.recv_addr=${NODE_ADDRESS}:${increment}`,
        // Until the others give up a silent node nobody can commit: 5 s by default.
        'evs.keepalive_period=PT0.5S',
        'evs.inactive_check_period=PT0.5S',
        'evs.suspect_timeout=PT2S',
        'evs.inactive_timeout=PT6S',
      ].join(';')}`,
    ];
  }
}
