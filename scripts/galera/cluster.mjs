import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { NODES, nodePorts } from './ports.mjs';
import { output, Process } from './processes.mjs';

/** The store's, and one for the clients that use it without a management server. */
export const DATABASES = { servers: 'muster', clients: 'muster_clients' };

const USER = 'muster';
const START_LIMIT_MS = 120_000;
/** Where distributions have Galera; the first is Debian's. */
const PROVIDERS = ['/usr/lib/galera', '/usr/lib64/galera-4', '/usr/lib64/galera'].map(folder =>
  join(folder, 'libgalera_smm.so'),
);
const PROGRAMS = ['mariadbd', 'mariadb-install-db', 'rsync', 'lsof'];

export function requireInstalled() {
  const missing = PROGRAMS.filter(name => pathOf(name) === undefined);
  if (provider() === undefined) missing.push(PROVIDERS[0]);
  if (missing.length === 0) return;
  throw new Error(
    `not installed: ${missing.join(', ')}; on Debian: apt-get install mariadb-server galera-4 rsync lsof`,
  );
}

function pathOf(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return folders.map(folder => join(folder, program)).find(path => existsSync(path));
}

function provider() {
  return PROVIDERS.find(path => existsSync(path));
}

/** Not root: the server refuses to run as that, and rsync would receive the files as nobody. Debian's package has the user. */
const runAs = (() => {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map(flag => Number(spawnSync('id', [flag, 'mysql']).stdout));
  return uid && gid ? { uid, gid } : {};
})();

export class Cluster {
  firstPort;
  nodes;
  #folder;
  #password = randomBytes(9).toString('hex');

  constructor(firstPort, folder) {
    this.firstPort = firstPort;
    this.#folder = folder;
    this.nodes = NODES.map(index => new Node(index, { firstPort, folder, password: this.#password }));
  }

  /** @param first which node comes first */
  url(first = 0, database = DATABASES.servers) {
    const hosts = NODES.map(i => `127.0.0.1:${this.nodes[(first + i) % NODES.length].port}`);
    return `mysql://${USER}:${this.#password}@${hosts}/${database}`;
  }

  async start() {
    const initFile = join(this.#folder, 'first.sql');
    const lines = [
      `create user '${USER}'@'127.0.0.1' identified by '${this.#password}'`,
      ...Object.values(DATABASES).flatMap(database => [
        `create database ${database} character set utf8mb4`,
        `grant all on ${database}.* to '${USER}'@'127.0.0.1'`,
      ]),
    ];
    await writeFile(initFile, lines.map(line => `${line};\n`).join(''), { mode: 0o600 });
    if (runAs.uid) for (const path of [this.#folder, initFile]) await chown(path, runAs.uid, runAs.gid);
    for (const [index, node] of this.nodes.entries()) {
      await node.install();
      await node.start(index === 0 ? ['--wsrep-new-cluster', `--init-file=${initFile}`] : []);
      console.log(`${node.name} is up on 127.0.0.1:${node.port}`);
    }
  }
}

class Node {
  name;
  port;
  #ports;
  #all;
  #folder;
  /** Of its own: a server that starts clears the temporary tables of whoever has the same folder for them. */
  #temporary;
  #password;
  #process;

  constructor(index, { firstPort, folder, password }) {
    this.name = `node ${index + 1}`;
    this.#ports = nodePorts(firstPort, index);
    this.port = this.#ports.sql;
    this.#all = NODES.map(node => nodePorts(firstPort, node));
    this.#folder = join(folder, `node${index + 1}`);
    this.#temporary = `${this.#folder}.tmp`;
    this.#password = password;
  }

  async install() {
    await mkdir(this.#temporary, { recursive: true });
    if (runAs.uid) await chown(this.#temporary, runAs.uid, runAs.gid);
    const { end, stderr } = await output(
      pathOf('mariadb-install-db'),
      [
        '--no-defaults',
        `--datadir=${this.#folder}`,
        `--tmpdir=${this.#temporary}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ],
      runAs,
    );
    if (end !== 0) throw new Error(`mariadb-install-db: ${stderr || end}`);
  }

  /** Until it is Synced. */
  async start(more = []) {
    this.#process = new Process(pathOf('mariadbd'), [...this.#settings(), ...more], runAs);
    const deadline = performance.now() + START_LIMIT_MS;
    while (!(await this.#isSynced())) {
      if (this.#process.end !== undefined || performance.now() > deadline) {
        const log = await readFile(`${this.#folder}.log`, 'utf8').catch(() => '');
        throw new Error(`${this.name} does not start:\n${log.slice(-6_000)}`);
      }
      await sleep(100);
    }
  }

  /** After a kill: what it still has need not be sent again, and its donor goes on working. @returns how it got the rest */
  async comeBack() {
    const position = await this.#recoveredPosition();
    await this.start(position ? [`--wsrep-start-position=${position}`] : []);
    const log = await readFile(`${this.#folder}.log`, 'utf8');
    const sinceStart = log.slice(log.lastIndexOf('wsrep_load(): loading provider library'));
    return /Receiving IST: [1-9]/.test(sinceStart) ? 'IST' : 'SST';
  }

  kill() {
    return this.#process.kill();
  }

  /** @returns rows, with all that the cluster has committed by now */
  async read(sql) {
    return this.#query(sql, 'set session wsrep_sync_wait = 1');
  }

  async #query(sql, before) {
    const login = { host: '127.0.0.1', port: this.port, user: USER, password: this.#password };
    const connection = await mysql.createConnection(login);
    try {
      if (before) await connection.query(before);
      return (await connection.query(sql))[0];
    } finally {
      await connection.end();
    }
  }

  async #isSynced() {
    try {
      const [row] = await this.#query("show status like 'wsrep_local_state_comment'");
      return row?.Value === 'Synced';
    } catch {
      return false;
    }
  }

  async #recoveredPosition() {
    const log = `${this.#folder}.recovery.log`;
    const settings = this.#settings().map(setting =>
      setting.startsWith('--log-error=') ? `--log-error=${log}` : setting,
    );
    await output(pathOf('mariadbd'), [...settings, '--wsrep-recover'], runAs);
    const found = await readFile(log, 'utf8').catch(() => '');
    return [...found.matchAll(/WSREP: Recovered position: *([0-9a-f-]{36}:\d+)/g)].at(-1)?.[1];
  }

  #settings() {
    const { sql, group, increment, full } = this.#ports;
    return [
      '--no-defaults',
      `--datadir=${this.#folder}`,
      `--tmpdir=${this.#temporary}`,
      `--socket=${this.#folder}.socket`,
      `--pid-file=${this.#folder}.pid`,
      `--log-error=${this.#folder}.log`,
      '--bind-address=127.0.0.1',
      `--port=${sql}`,
      '--skip-name-resolve',
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      // Galera's nodes are each other's safety; only when all lose power at once a second may be lost.
      '--innodb-flush-log-at-trx-commit=2',
      '--innodb-buffer-pool-size=64M',
      '--wsrep-on=ON',
      `--wsrep-provider=${provider()}`,
      '--wsrep-cluster-name=muster',
      `--wsrep-cluster-address=gcomm://${this.#all.map(ports => `127.0.0.1:${ports.group}`)}`,
      `--wsrep-node-name=${this.name.replace(' ', '')}`,
      `--wsrep-node-address=127.0.0.1:${group}`,
      '--wsrep-sst-method=rsync',
      `--wsrep-sst-receive-address=127.0.0.1:${full}`,
      `--wsrep-provider-options=${[
        `gmcast.listen_addr=tcp://127.0.0.1:${group}`,
        `ist.recv_addr=127.0.0.1:${increment}`,
        // Until a silent node is given up nobody can commit: 5 s by default.
        'evs.keepalive_period=PT0.5S',
        'evs.inactive_check_period=PT0.5S',
        'evs.suspect_timeout=PT2S',
        'evs.inactive_timeout=PT6S',
      ].join(';')}`,
    ];
  }
}
