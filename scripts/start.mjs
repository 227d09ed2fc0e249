// A whole cluster on this machine: three management servers and three agents, and a table of who is connected where.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [argument] = process.argv.slice(2);
if (argument?.startsWith('-')) {
  console.log(
    'Usage: npm start [-- FOLDER]\nRuns three management servers and three agents on this machine; FOLDER (cluster) keeps what they write.',
  );
  process.exit(argument === '--help' || argument === '-h' ? 0 : 66);
}
const folder = argument ?? join(root, 'cluster');
const PORT = 8250;
const CHECK_SECONDS = 10;
const SERVERS = [1, 2, 3].map(n => ({
  name: `server-${n}`,
  address: `127.0.0.${n}`,
  home: join(folder, `server-${n}`),
}));
const AGENTS = [1, 2, 3].map(n => ({
  name: `agent-${n}`,
  home: join(folder, `agent-${n}`),
  connected: '',
  list: '',
  state: 'starting',
  since: Date.now(),
}));
const isTerminal = process.stdout.isTTY === true;
const shown = path => relative(process.cwd(), path) || '.';

/** Written once: later runs, and whoever starts a server by hand, use the files as they are. */
function writeOnce(path, lines) {
  if (!existsSync(path)) writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o640 });
}

for (const server of SERVERS) {
  mkdirSync(server.home, { recursive: true });
  server.file = join(server.home, 'mgmt.properties');
  writeOnce(server.file, [
    `# ${server.name} of the cluster that npm start makes`,
    `bind.address=${server.address}`,
    `port=${PORT}`,
    `cluster.node.IP=${server.address}`,
    `data.dir=${shown(join(server.home, 'data'))}`,
    `db.url=sqlite:${shown(join(folder, 'muster.db'))}`,
    `api.address=${server.address}`,
    `log.file=${shown(join(server.home, 'mgmt.log'))}`,
    '# initial values of the global configuration',
    `host=${SERVERS.map(({ address }) => address).join(',')}`,
    'indirect.agent.lb.algorithm=roundrobin',
    `indirect.agent.lb.check.interval=${CHECK_SECONDS}`,
  ]);
}
for (const agent of AGENTS) {
  mkdirSync(agent.home, { recursive: true });
  agent.file = join(agent.home, 'agent.properties');
  // A machine has one host name, and these are three "hypervisors" of one machine.
  const resource = join(agent.home, 'resource.mjs');
  writeOnce(resource, [
    `import { builtInResource } from '${pathToFileURL(join(root, 'dist/agent/index.js'))}';`,
    "const machine = builtInResource('LibvirtComputingResource');",
    `export default { ...machine, startup: () => ({ ...machine.startup(), name: '${agent.name}' }) };`,
  ]);
  writeOnce(agent.file, [
    `# ${agent.name} of the cluster that npm start makes`,
    `host=${SERVERS.map(({ address }) => address).join(',')}`,
    `port=${PORT}`,
    'log.format=json',
    `resource=${shown(resource)}`,
  ]);
}

// ---- processes

const children = new Map();
let stopping = false;

function launch(name, script, file) {
  const child = spawn(process.execPath, [join(root, 'dist', script), file], {
    // Ctrl-C reaches us alone; we end the others in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.set(name, child);
  let complaint = '';
  child.stderr.on('data', chunk => {
    complaint += chunk;
  });
  child.on('exit', code => {
    children.delete(name);
    if (stopping) return;
    if (code === 66 || code === 67) {
      stop(1, `${name} could not go on:\n  ${complaint.trim().replaceAll('\n', '\n  ')}`);
    } else changed(`${name} has ended`);
  });
  return child;
}

/** A server's process, also one that somebody started again from another terminal. */
function serverPid({ name, home }) {
  const child = children.get(name);
  if (child) return child.pid;
  try {
    const { pid } = JSON.parse(readFileSync(join(home, 'data', 'lock'), 'utf8'));
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

async function listening(child, server) {
  const deadline = Date.now() + 20_000;
  const log = join(server.home, 'mgmt.log');
  const from = existsSync(log) ? readFileSync(log).length : 0;
  while (Date.now() < deadline && child.exitCode === null) {
    if (existsSync(log) && readFileSync(log).subarray(from).includes('Listening for agents')) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

function watchAgent(agent) {
  const child = launch(agent.name, 'agent.js', agent.file);
  const log = createWriteStream(join(agent.home, 'agent.log'), { flags: 'a' });
  createInterface({ input: child.stdout }).on('line', line => {
    log.write(`${line}\n`);
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      return;
    }
    follow(agent, event);
  });
}

/** What the agent's log says about where it is. */
function follow(agent, { message, host, list, reason }) {
  if (list) agent.list = list;
  if (message.startsWith('Connected to the host:')) become(agent, 'Ready', host, `${agent.name} is Ready on ${host}`);
  else if (message.startsWith('Lost connection to host:'))
    become(agent, 'lost', '', `${agent.name} lost ${host}: ${reason}`);
  else if (message.startsWith('Reconnecting to host:'))
    become(agent, `trying ${host}`, '', `${agent.name} tries ${host}`);
  else if (message.startsWith('No management server could be reached'))
    become(agent, 'waiting', '', `${agent.name} waits`);
  else if (message.startsWith('Processed new management server list:')) changed(`${agent.name} has the list ${list}`);
}

function become(agent, state, connected, line) {
  Object.assign(agent, { state, connected, since: Date.now() });
  changed(line);
}

// ---- what one sees

const HELP = () => [
  '',
  `Files: ${shown(folder)}. Watch failover and failback from another terminal, in this folder:`,
  `  stop a server:         kill -9 ${serverPid(SERVERS[0]) ?? '…'}   (server-1)`,
  `  start it again:        node dist/mgmt.js ${shown(SERVERS[0].file)}`,
  `  who is where, and why: node dist/admin.js --config ${shown(join(SERVERS[0].home, 'data/cloudstack.ini'))} status`,
  `  … also while server-1 is down: the same with --endpoint http://${SERVERS[2].address}:8080/client/api before status`,
  '  Ctrl-C here ends everything.',
];

function changed(line) {
  if (stopping) return;
  if (isTerminal) draw();
  else console.log(`${new Date().toISOString()} ${line}`);
}

function draw() {
  const age = since => `${Math.floor((Date.now() - since) / 1000)} s`;
  const rows = AGENTS.map(({ name, connected, list, state, since }) => {
    const preferred = list.split(/[,@]/)[0];
    return [name, state, connected, preferred, list.split('@')[0], age(since)];
  });
  const table = format([['agent', 'state', 'connected', 'preferred', 'list', 'for'], ...rows]);
  const servers = format([
    ['server', 'address', 'state', 'process'],
    ...SERVERS.map(server => {
      const pid = serverPid(server);
      return [server.name, `${server.address}:${PORT}`, pid ? 'up' : 'DOWN', pid ? String(pid) : ''];
    }),
  ]);
  process.stdout.write(`\x1b[H\x1b[2J${['Muster', '', ...servers, '', ...table, ...HELP()].join('\n')}\n`);
}

function format(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
  return rows.map(row => `  ${row.map((cell, column) => cell.padEnd(widths[column])).join('  ')}`.trimEnd());
}

// ---- from start to end

async function stop(code, message) {
  if (stopping) process.exit(1);
  stopping = true;
  if (message) console.error(message);
  else console.log('\nStopping …');
  const agents = [...children].filter(([name]) => name.startsWith('agent'));
  await end(agents.map(([, child]) => child.pid));
  await end(SERVERS.map(serverPid).filter(pid => pid !== undefined));
  process.exit(code);
}

/** SIGINT, and SIGKILL to whoever is still there after a while. */
async function end(pids) {
  const alive = () => pids.filter(pid => signal(pid, 0));
  for (const pid of pids) signal(pid, 'SIGINT');
  for (let waited = 0; alive().length > 0 && waited < 8_000; waited += 50) {
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  for (const pid of alive()) signal(pid, 'SIGKILL');
}

function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

process.on('SIGINT', () => stop(0));
process.on('SIGTERM', () => stop(0));
process.on('SIGHUP', () => stop(0));

for (const server of SERVERS) {
  const running = serverPid(server);
  if (running !== undefined) {
    console.error(`${server.name} of ${shown(folder)} runs already, as process ${running}: stop it first.`);
    process.exit(1);
  }
}
for (const server of SERVERS) {
  if (!stopping) await listening(launch(server.name, 'mgmt.js', server.file), server);
}
for (const agent of AGENTS) if (!stopping) watchAgent(agent);
if (stopping) await new Promise(() => {});
if (!isTerminal) console.log(HELP().join('\n'));
else setInterval(() => stopping || draw(), 1000);
