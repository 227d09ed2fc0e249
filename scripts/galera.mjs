// A three-node MariaDB Galera cluster on this machine, to try Muster on; docs/galera.md tells how.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import mysql from 'mysql2/promise';

const USAGE = `Three MariaDB Galera nodes on 127.0.0.1, in a temporary folder, until Ctrl-C.

Usage: node scripts/galera.mjs [--port N] [--check]

  --port N   the first node's port; the others follow (13306). N+1000 to N+1302 are used as well.
  --check    three store clients write; each node is killed in turn (kill -9) and comes back; nothing may be lost
`;

const NODES = [0, 1, 2];
const DATABASE = 'muster';
const USER = 'muster';
const PROVIDER = '/usr/lib/galera/libgalera_smm.so';
const START_LIMIT_MS = 120_000;

const options = readOptions();
const firstPort = Number(options.port);
const password = randomBytes(9).toString('hex');

/** A node's ports: SQL, group communication, incremental and full state transfer. */
const portsOf = node => ({
  sql: firstPort + node,
  group: firstPort + 1_000 + node,
  increment: firstPort + 1_100 + node,
  full: firstPort + 1_300 + node,
});
const urlFrom = first =>
  `mysql://${USER}:${password}@${NODES.map(i => `127.0.0.1:${portsOf((first + i) % NODES.length).sql}`)}/${DATABASE}`;

class Node {
  #index;
  #folder;
  #process;

  constructor(index, folder) {
    this.#index = index;
    this.#folder = join(folder, `node${index + 1}`);
  }

  get name() {
    return `node ${this.#index + 1}`;
  }

  get port() {
    return portsOf(this.#index).sql;
  }

  install() {
    const { status, stderr } = spawnSync(
      'mariadb-install-db',
      ['--no-defaults', `--datadir=${this.#folder}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
      runAs,
    );
    if (status !== 0) throw new Error(`mariadb-install-db: ${stderr}`);
  }

  /** @param first the node that the cluster begins with */
  async start({ first = false, initFile } = {}) {
    const found = first ? undefined : this.#recoveredPosition();
    const more = [
      ...(first ? ['--wsrep-new-cluster'] : []),
      ...(initFile ? [`--init-file=${initFile}`] : []),
      // What a killed node still has it need not be sent again, and its donor goes on working.
      ...(found ? [`--wsrep-start-position=${found}`] : []),
    ];
    this.#process = spawn(binary('mariadbd'), [...this.#settings(), ...more], { stdio: 'ignore', ...runAs });
    const deadline = performance.now() + START_LIMIT_MS;
    while (!(await this.#isSynced())) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null || performance.now() > deadline) {
        const log = await readFile(`${this.#folder}.log`, 'utf8').catch(() => '');
        throw new Error(`${this.name} does not start:\n${log.slice(-6_000)}`);
      }
      await sleep(100);
    }
  }

  async stop(signal) {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise(resolve => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async query(sql) {
    const connection = await mysql.createConnection({ host: '127.0.0.1', port: this.port, user: USER, password });
    try {
      return (await connection.query(sql))[0];
    } finally {
      await connection.end();
    }
  }

  async #isSynced() {
    try {
      const [row] = await this.query("show status like 'wsrep_local_state_comment'");
      return row?.Value === 'Synced';
    } catch {
      return false;
    }
  }

  #recoveredPosition() {
    if (!existsSync(join(this.#folder, 'grastate.dat'))) return undefined;
    const log = `${this.#folder}.recovery.log`;
    const settings = this.#settings().map(setting =>
      setting.startsWith('--log-error=') ? `--log-error=${log}` : setting,
    );
    spawnSync(binary('mariadbd'), [...settings, '--wsrep-recover'], runAs);
    const { stdout } = spawnSync('sed', ['-n', 's/.*WSREP: Recovered position:\\? *//p', log]);
    const position = String(stdout).trim().split('\n').at(-1);
    return /^[0-9a-f-]{36}:\d+/.test(position ?? '') ? position : undefined;
  }

  #settings() {
    const ports = portsOf(this.#index);
    return [
      '--no-defaults',
      `--datadir=${this.#folder}`,
      `--socket=${this.#folder}.socket`,
      `--pid-file=${this.#folder}.pid`,
      `--log-error=${this.#folder}.log`,
      '--bind-address=127.0.0.1',
      `--port=${ports.sql}`,
      '--skip-name-resolve',
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      // Galera's nodes are each other's safety; only when all lose power at once a second may be lost.
      '--innodb-flush-log-at-trx-commit=2',
      '--innodb-buffer-pool-size=64M',
      '--wsrep-on=ON',
      `--wsrep-provider=${PROVIDER}`,
      '--wsrep-cluster-name=muster',
      `--wsrep-cluster-address=gcomm://${NODES.map(node => `127.0.0.1:${portsOf(node).group}`)}`,
      `--wsrep-node-name=node${this.#index + 1}`,
      `--wsrep-node-address=127.0.0.1:${ports.group}`,
      '--wsrep-sst-method=rsync',
      `--wsrep-sst-receive-address=127.0.0.1:${ports.full}`,
      `--wsrep-provider-options=${[
        `gmcast.listen_addr=tcp://127.0.0.1:${ports.group}`,
        `ist.recv_addr=127.0.0.1:${ports.increment}`,
        // Until a silent node is given up nobody can commit: 5 s by default.
        'evs.keepalive_period=PT0.5S',
        'evs.inactive_check_period=PT0.5S',
        'evs.suspect_timeout=PT2S',
        'evs.inactive_timeout=PT6S',
      ].join(';')}`,
    ];
  }
}

/** Not root: the server refuses to run as that, and rsync would receive the files as nobody. Debian's package has the user. */
const runAs = (() => {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map(flag => Number(spawnSync('id', [flag, 'mysql']).stdout));
  return uid && gid ? { uid, gid } : {};
})();

function binary(name) {
  return existsSync(`/usr/sbin/${name}`) ? `/usr/sbin/${name}` : name;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '13306' },
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1_024 || port > 64_000) throw new Error('--port: allowed is 1024 to 64000');
    return values;
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    return process.exit(1);
  }
}

function requireInstalled() {
  const missing = [binary('mariadbd'), '/usr/bin/rsync', '/usr/bin/lsof', PROVIDER].filter(path => !existsSync(path));
  if (missing.length === 0) return;
  throw new Error(
    `not installed: ${missing.join(', ')}; on Debian: apt-get install mariadb-server galera-4 rsync lsof`,
  );
}

async function requireFreePorts() {
  for (const port of NODES.flatMap(node => Object.values(portsOf(node)))) {
    const taken = await new Promise(resolve => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (taken) throw new Error(`port ${port} on 127.0.0.1 is in use; choose others with --port`);
  }
}

async function startCluster(nodes, folder) {
  const initFile = join(folder, 'first.sql');
  await writeFile(
    initFile,
    `create database ${DATABASE} character set utf8mb4;
create user '${USER}'@'127.0.0.1' identified by '${password}';
grant all on ${DATABASE}.* to '${USER}'@'127.0.0.1';
`,
    { mode: 0o600 },
  );
  if (runAs.uid) {
    await chown(folder, runAs.uid, runAs.gid);
    await chown(initFile, runAs.uid, runAs.gid);
  }
  for (const node of nodes) {
    node.install();
    await node.start({ first: node === nodes[0], ...(node === nodes[0] && { initFile }) });
    console.log(`${node.name} is up on 127.0.0.1:${node.port}`);
  }
}

/** Writes through one store without a pause, and remembers what the store said that it has. */
class Writer {
  hosts = new Map();
  failures = 0;
  longestGapMs = 0;
  #store;
  #name;
  #isStopped = false;
  #done;

  constructor(store, name, zone) {
    this.#store = store;
    this.#name = name;
    this.#done = this.#write(zone);
  }

  async stop() {
    this.#isStopped = true;
    await this.#done;
  }

  async #write(zoneId) {
    const unsaid = { pod: 'pod', cluster: 'cluster', privateIpAddress: null, version: null, hypervisorType: 'KVM' };
    const facts = { ...unsaid, type: 'Routing', zoneId, arch: null, cpus: null, speed: null, ram: null };
    let last = performance.now();
    for (let i = 1; !this.#isStopped; ) {
      const guid = `${this.#name}-${i}`;
      try {
        const { host } = await this.#store.registerHost({ ...facts, guid, name: guid });
        await this.#store.hostReady(host.id, { msid: 1, at: Date.now(), msHostList: null });
        this.hosts.set(guid, host.id);
        const now = performance.now();
        this.longestGapMs = Math.max(this.longestGapMs, now - last);
        last = now;
        i++;
        await sleep(20);
      } catch (error) {
        if (error.name !== 'StoreError') throw error;
        this.failures++;
        await sleep(100);
      }
    }
  }
}

async function check(nodes) {
  const { openStore } = await import('../dist/mgmt/store/open-store.js');
  const { systemClock } = await import('../dist/lib/clock.js');
  const { systemRandom } = await import('../dist/lib/random.js');
  const { silentLog } = await import('../dist/lib/logger.js');
  const open = url => openStore(url, { clock: systemClock, random: systemRandom, log: silentLog });

  // All three at the same moment, on an empty database, each on a node of its own.
  const stores = await Promise.all(NODES.map(node => open(urlFrom(node))));
  const zone = await stores[0].zoneId('default');
  const wrong = [];
  for (const node of nodes) {
    const writers = stores.map((store, i) => new Writer(store, `${node.port}-${i + 1}`, zone));
    await sleep(1_000);
    await node.stop('SIGKILL');
    console.log(`${node.name} was killed`);
    await sleep(8_000);
    for (const [i, { hosts }] of writers.entries()) {
      const before = hosts.size;
      await sleep(1_000);
      if (hosts.size === before) wrong.push(`without ${node.name}, client ${i + 1} cannot write`);
    }
    await node.start();
    console.log(`${node.name} is back`);
    await sleep(1_000);
    for (const writer of writers) await writer.stop();
    console.log(
      writers
        .map(({ hosts, failures, longestGapMs }, i) => {
          return `  client ${i + 1}: ${hosts.size} hosts, longest gap ${Math.round(longestGapMs)} ms, ${failures} failed calls`;
        })
        .join('\n'),
    );
    wrong.push(...(await lost(nodes, writers)));
  }
  for (const store of stores) await store.close();
  return wrong;
}

/** Every node has to have every host that a store said it has, under the same id, and no id twice. */
async function lost(nodes, writers) {
  const wrong = [];
  for (const node of nodes) {
    const rows = await node.query(`select guid, id, epoch from ${DATABASE}.host`);
    const ids = new Map(rows.map(({ guid, id }) => [guid, id]));
    if (new Set(ids.values()).size !== rows.length) wrong.push(`${node.name} has an id twice`);
    for (const { hosts } of writers) {
      for (const [guid, id] of hosts) {
        if (ids.get(guid) !== id) wrong.push(`${node.name}: host ${guid} has id ${ids.get(guid)}, not ${id}`);
      }
    }
  }
  return wrong;
}

async function main() {
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  requireInstalled();
  await requireFreePorts();
  const folder = await mkdtemp(join(tmpdir(), 'muster-galera-'));
  const nodes = NODES.map(index => new Node(index, folder));
  const interrupted = new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve('interrupted'));
  });
  try {
    const starting = startCluster(nodes, folder);
    starting.catch(() => {});
    if ((await Promise.race([starting, interrupted])) === 'interrupted') return 130;
    console.log(`\ndb.url=${urlFrom(0)}\n`);
    if (!options.check) {
      console.log('Ctrl-C stops the cluster and removes it.');
      await interrupted;
      return 0;
    }
    const wrong = await Promise.race([check(nodes), interrupted]);
    if (wrong === 'interrupted') return 130;
    for (const line of wrong) console.error(`WRONG: ${line}`);
    console.log(wrong.length === 0 ? '\nAll writes survived the loss of each node.' : `\n${wrong.length} errors.`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await Promise.all(nodes.map(node => node.stop('SIGKILL')));
    await rm(folder, { recursive: true, force: true });
  }
}

main().then(
  code => process.exit(code),
  error => {
    console.error(error.message);
    process.exit(1);
  },
);
