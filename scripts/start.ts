// A whole cluster on this machine: three management servers and three agents, and a table of who is connected where.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { reasonOf } from '#dist/lib/errors.js';
import { lockHolder } from '#dist/lib/files/file-lock.js';
import { parseProperties } from '#dist/lib/files/properties.js';
import { enrolmentToken } from './enrolment-token.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const USAGE = `Usage: npm start [-- [FOLDER] [--ports=AGENTS[,API]]]
Runs three management servers and three agents on this machine. FOLDER (cluster) keeps what they write. Ports: those of the
files in FOLDER (8250,8080); where one is taken, the next that is free.`;
const words = process.argv.slice(2);
const folderWord = words.find(word => !word.startsWith('-'));
const PORTS_OPTION = /^--ports=(\d{1,5})(?:,(\d{1,5}))?$/;
const [, givenPort, givenApiPort] = words.map(word => PORTS_OPTION.exec(word)).find(match => match !== null) ?? [];
const unknown = words.find(word => word !== folderWord && !PORTS_OPTION.test(word));
if (unknown === '--help' || unknown === '-h') {
  console.log(USAGE);
  process.exit(0);
}
if (unknown !== undefined) {
  console.error(`${unknown}${objectionTo(unknown)}\n${USAGE}`);
  process.exit(66);
}
const folder = folderWord ?? join(root, 'cluster');
const PORT = 8250;
const API_PORT = 8080;
/** How many ports behind a taken one are tried. */
const PORTS_TRIED = 100;
/** One Ctrl-C may come twice: from the terminal, and through npm. */
const SAME_SIGNAL_MS = 500;
const CHECK_SECONDS = 10;
const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 8_000;
const LOOK_AGAIN_MS = 50;
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];

interface Server {
  readonly name: string;
  readonly address: string;
  readonly home: string;
  /** Its properties. */
  readonly file: string;
}

interface Agent {
  readonly name: string;
  readonly home: string;
  /** Its properties. */
  readonly file: string;
  /** The host that it has a Ready link with; '' when it has none. */
  connected: string;
  /** As it stands in `host`. */
  list: string;
  state: string;
  /** When it came into this state, in milliseconds since 1970. */
  since: number;
}

const isTerminal = process.stdout.isTTY === true;
const shown = (path: string) => relative(process.cwd(), path) || '.';

const servers = ADDRESSES.map(makeServer);
const agents = [1, 2, 3].map(makeAgent);

// ---- files

function objectionTo(word: string): string {
  if (word.startsWith('--ports=')) return ': one port or two are needed, such as --ports=8250,8080';
  return word.startsWith('-') ? ' is no option' : ' is too much';
}

function makeServer(address: string, index: number): Server {
  const name = `server-${index + 1}`;
  const home = join(folder, name);
  const file = join(home, 'mgmt.properties');
  mkdirSync(home, { recursive: true });
  writeOnce(file, [
    `# ${name} of the cluster that npm start makes`,
    `bind.address=${address}`,
    `port=${PORT}`,
    `cluster.node.IP=${address}`,
    `data.dir=${shown(join(home, 'data'))}`,
    `db.url=sqlite:${shown(join(folder, 'muster.db'))}`,
    `api.address=${address}`,
    `log.file=${shown(join(home, 'mgmt.log'))}`,
    '# initial values of the global configuration',
    `host=${ADDRESSES.join(',')}`,
    'indirect.agent.lb.algorithm=roundrobin',
    `indirect.agent.lb.check.interval=${CHECK_SECONDS}`,
  ]);
  return { name, address, home, file };
}

function makeAgent(number: number): Agent {
  const name = `agent-${number}`;
  const home = join(folder, name);
  const file = join(home, 'agent.properties');
  mkdirSync(home, { recursive: true });
  // The three agents run on one machine, with one host name: each reports a name of its own.
  const resource = join(home, 'resource.mjs');
  writeOnce(resource, [
    `import { builtInResource } from '${pathToFileURL(join(root, 'dist/agent/index.js'))}';`,
    "const machine = builtInResource('LibvirtComputingResource');",
    `export default { ...machine, startup: () => ({ ...machine.startup(), name: '${name}' }) };`,
  ]);
  writeOnce(file, [
    `# ${name} of the cluster that npm start makes`,
    `host=${ADDRESSES.join(',')}`,
    `port=${PORT}`,
    'log.format=json',
    `resource=${shown(resource)}`,
  ]);
  // From an earlier run.
  const list = valueIn(file, 'host') ?? '';
  return {
    name,
    home,
    file,
    connected: '',
    list: list.includes('@') ? list : '',
    state: 'starting',
    since: Date.now(),
  };
}

/** A file that exists stays as it is, so that an operator's changes survive the next run. */
function writeOnce(path: string, lines: readonly string[]): void {
  if (!existsSync(path)) writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
}

/** Of a server: the key for operators. */
function iniOf({ home }: Server): string {
  return join(home, 'data/cloudstack.ini');
}

function valueIn(file: string, key: string): string | undefined {
  return existsSync(file) ? parseProperties(readFileSync(file)).get(key) : undefined;
}

// ---- ports

interface Ports {
  readonly agents: number;
  readonly api: number;
  /** What the command lines need, because the files say something else. */
  readonly serverSettings: readonly string[];
  readonly agentSettings: readonly string[];
}

async function choosePorts(): Promise<Ports> {
  const file = servers[0]?.file ?? '';
  const inFile = { agents: Number(valueIn(file, 'port') ?? PORT), api: Number(valueIn(file, 'api.port') ?? API_PORT) };
  const agents = await freePort('port', inFile.agents, givenPort);
  const api = await freePort('api.port', inFile.api, givenApiPort);
  const port = agents === inFile.agents ? [] : [`port=${agents}`];
  const apiPort = api === inFile.api ? [] : [`api.port=${api}`];
  return { agents, api, serverSettings: [...port, ...apiPort], agentSettings: port };
}

/** The port, or the next one that is free on all addresses. */
async function freePort(key: string, wanted: number, given: string | undefined): Promise<number> {
  const first = given === undefined ? wanted : Number(given);
  for (let port = first; port < first + PORTS_TRIED; port++) {
    const taken = await Promise.all(ADDRESSES.map(address => isTaken(address, port)));
    if (!taken.includes(true)) {
      if (port !== first) console.log(`${key}=${first} is taken on this machine: ${port} is used.`);
      return port;
    }
    if (given !== undefined) break;
  }
  console.error(`${key}=${first} is taken on this machine: name others with -- --ports=AGENTS,API`);
  process.exit(67);
}

function isTaken(address: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen(port, address, () => server.close(() => resolve(false)));
  });
}

function consoleOf(address: string): string {
  return `http://${address}:${ports.api}/`;
}

function endpointOf(address: string): string {
  return `http://${address}:${ports.api}/client/api`;
}

// ---- processes

const children = new Map<string, ChildProcess>();
let isStopping = false;

function launch(name: string, script: string, file: string, settings: readonly string[]) {
  const child = spawn(process.execPath, [join(root, 'dist', script), file, ...settings], {
    // A process group of its own: Ctrl-C reaches only this process, which stops the others in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.set(name, child);
  let errors = '';
  child.stderr.on('data', chunk => {
    errors += chunk;
  });
  child.on('exit', code => {
    children.delete(name);
    if (isStopping) return;
    if (code === 66 || code === 67) {
      stop(1, `${name} could not go on:\n  ${errors.trim().replaceAll('\n', '\n  ')}`);
    } else changed(`${name} has ended`);
  });
  return child;
}

/** Also of a server that somebody started again from another terminal. @returns undefined when it does not run */
function serverPid({ name, home }: Server): number | undefined {
  const child = children.get(name);
  if (child) return child.pid;
  return lockHolder(join(home, 'data', 'lock'));
}

/** Resolves when the server listens for agents, has ended, or has had `START_LIMIT_MS`. */
async function startServer(server: Server): Promise<void> {
  const log = join(server.home, 'mgmt.log');
  const from = existsSync(log) ? readFileSync(log).length : 0;
  console.log(`Starting ${server.name} on ${server.address}:${ports.agents} …`);
  const child = launch(server.name, 'mgmt.js', server.file, ports.serverSettings);
  const deadline = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    if (existsSync(log) && readFileSync(log).subarray(from).includes('Listening for agents')) return;
    await sleep(LOOK_AGAIN_MS);
  }
}

/** The servers let nobody in without a certificate: agents that have none get a token, by which they are given one. */
async function giveTokens(): Promise<void> {
  const newcomers = agents.filter(({ home }) => !existsSync(join(home, 'cloud.crt')));
  const [first] = servers;
  if (newcomers.length === 0 || first === undefined) return;
  try {
    // The file has the port of the run that wrote it.
    const endpoint = endpointOf(first.address);
    const token = await enrolmentToken(iniOf(first), { uses: newcomers.length, endpoint });
    for (const { file } of newcomers) {
      const document = parseProperties(readFileSync(file)).with(new Map([['enrollment.token', token]]));
      writeFileSync(file, document.toBytes());
    }
  } catch (error) {
    console.error(`The agents get no enrolment token: ${reasonOf(error)}`);
  }
}

function startAgent(agent: Agent): void {
  const child = launch(agent.name, 'agent.js', agent.file, ports.agentSettings);
  const log = createWriteStream(join(agent.home, 'agent.log'), { flags: 'a' });
  createInterface({ input: child.stdout }).on('line', line => {
    log.write(`${line}\n`);
    const entry = parseLogLine(line);
    if (entry) follow(agent, entry);
  });
}

/** What `follow` reads of a line of the agent's log. */
interface LogEntry {
  readonly message: string;
  readonly host?: string;
  readonly list?: string;
  readonly reason?: string;
}

function parseLogLine(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}

/** Keeps the agent's row in step with its log. */
function follow(agent: Agent, { message, host = '', list, reason }: LogEntry): void {
  const { name } = agent;
  const become = (state: string, connected: string, line: string) => {
    Object.assign(agent, { state, connected, since: Date.now() });
    changed(line);
  };
  if (list) agent.list = list;
  if (message.startsWith('Connected to the host:')) become('Ready', host, `${name} is Ready on ${host}`);
  else if (message.startsWith('Lost connection to host:')) become('lost', '', `${name} lost ${host}: ${reason}`);
  else if (message.startsWith('Reconnecting to host:')) become(`trying ${host}`, '', `${name} tries ${host}`);
  else if (message.startsWith('No management server could be reached')) become('waiting', '', `${name} waits`);
  else if (message.startsWith('Processed new management server list:')) changed(`${name} has the list ${list}`);
}

// ---- what the terminal shows

function help(): string[] {
  const [first, , third] = servers;
  if (!first || !third) return [];
  const ini = iniOf(first);
  const endpoint = (address: string) => `--endpoint ${endpointOf(address)}`;
  // The file has the port of the run that wrote it.
  const isOther = existsSync(ini) && !readFileSync(ini, 'utf8').includes(`:${ports.api}/`);
  return [
    '',
    `Console: ${consoleOf(first.address)}   (the others: ${servers
      .slice(1)
      .map(({ address }) => consoleOf(address))
      .join(' ')})`,
    `  sign in with key and secret of ${shown(ini)}`,
    '',
    `Files: ${shown(folder)}. Watch failover and failback there, or from another terminal, in this folder:`,
    `  stop a server:         kill -9 ${serverPid(first) ?? '…'}   (server-1)`,
    `  start it again:        ${['node dist/mgmt.js', shown(first.file), ...ports.serverSettings].join(' ')}`,
    `  who is where, and why: node dist/admin.js --config ${shown(ini)} ${isOther ? `${endpoint(first.address)} ` : ''}status`,
    `  … also while server-1 is down: the same with ${endpoint(third.address)} before status`,
    '  Ctrl-C here ends everything.',
  ];
}

function changed(line: string): void {
  if (isStopping) return;
  if (isTerminal) draw();
  else console.log(`${new Date().toISOString()} ${line}`);
}

function draw(): void {
  const agentTable = format([
    ['agent', 'state', 'connected', 'preferred', 'list', 'for'],
    ...agents.map(({ name, connected, list, state, since }) => {
      const [hosts = ''] = list.split('@');
      const [preferred = ''] = hosts.split(',');
      return [name, state, connected, preferred, hosts, `${Math.floor((Date.now() - since) / 1000)} s`];
    }),
  ]);
  const serverTable = format([
    ['server', 'address', 'state', 'process'],
    ...servers.map(server => {
      const pid = serverPid(server);
      return [server.name, `${server.address}:${ports.agents}`, pid ? 'up' : 'DOWN', pid ? String(pid) : ''];
    }),
  ]);
  process.stdout.write(`\x1b[H\x1b[2J${['Muster', '', ...serverTable, '', ...agentTable, ...help()].join('\n')}\n`);
}

function format(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
  return rows.map(row => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd());
}

// ---- stop

let stoppedAt = 0;

async function stop(code: number, message?: string): Promise<void> {
  if (isStopping) {
    if (performance.now() - stoppedAt < SAME_SIGNAL_MS) return;
    // A second Ctrl-C does not wait, and leaves nothing behind.
    for (const pid of allPids()) signal(pid, 'SIGKILL');
    process.exit(1);
  }
  isStopping = true;
  stoppedAt = performance.now();
  if (message) console.error(message);
  else console.log('\nStopping …');
  await end([...children].filter(([name]) => name.startsWith('agent')).map(([, child]) => child.pid));
  await end(servers.map(serverPid));
  process.exit(code);
}

function allPids(): number[] {
  return [...[...children.values()].map(({ pid }) => pid), ...servers.map(serverPid)].filter(pid => pid !== undefined);
}

/** SIGINT, and SIGKILL for those that still run after `STOP_LIMIT_MS`. */
async function end(all: readonly (number | undefined)[]): Promise<void> {
  const pids = all.filter(pid => pid !== undefined);
  const alive = () => pids.filter(pid => signal(pid, 0));
  for (const pid of pids) signal(pid, 'SIGINT');
  const deadline = performance.now() + STOP_LIMIT_MS;
  while (alive().length > 0 && performance.now() < deadline) await sleep(LOOK_AGAIN_MS);
  for (const pid of alive()) signal(pid, 'SIGKILL');
}

/** @returns whether there is such a process */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop(0));
// Nobody reads it any more: the terminal was closed, or the pipe.
process.stdout.on('error', () => isStopping || stop(0));
process.stderr.on('error', () => {});

const running = [
  ...servers.map(server => ({ name: server.name, pid: serverPid(server) })),
  ...agents.map(({ name, file }) => ({ name, pid: lockHolder(`${file}.lock`) })),
].filter(({ pid }) => pid !== undefined);
if (running.length > 0) {
  const names = running.map(({ name }) => name).join(', ');
  const pids = running.map(({ pid }) => pid).join(' ');
  console.error(
    `Of ${shown(folder)} there run already: ${names}. Stop them first: by Ctrl-C of their npm start, or kill ${pids}`,
  );
  process.exit(1);
}
const ports = await choosePorts();
for (const server of servers) if (!isStopping) await startServer(server);
if (!isStopping) await giveTokens();
for (const agent of agents) if (!isStopping) startAgent(agent);
// `stop` ends the process.
if (isStopping) await new Promise(() => {});
if (!isTerminal) console.log(help().join('\n'));
else setInterval(() => isStopping || draw(), 1000);
