// Failover and failback with real processes: kill -9 the server that an agent is on, start it again, over and over.
// Usage: npm run bench:failover [-- KILLS]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const KILLS = Number(process.argv[2] ?? 20);
const CHECK_SECONDS = 3;
const SETTLE_MS = 500;
const PORT = 18_250;
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'muster-failover-'));
const servers = new Map();
/** Who listens to a process's log lines. */
const listeners = new Map();

async function startServer(address) {
  const settings = {
    'bind.address': address,
    port: PORT,
    'cluster.node.IP': address,
    'api.address': address,
    'api.port': 18_080,
    'data.dir': join(folder, address),
    'db.url': `sqlite:${join(folder, 'muster.db')}`,
    host: ADDRESSES.join(','),
    'indirect.agent.lb.check.interval': CHECK_SECONDS,
    'log.format': 'json',
  };
  const child = run('mgmt.js', settings);
  servers.set(address, child);
  await event(child, ({ message }) => message === 'Listening for agents');
}

function run(script, settings, file = join(folder, `${script}.none`)) {
  const args = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  const child = spawn(process.execPath, [join(root, 'dist', script), file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  listeners.set(child, new Set());
  createInterface({ input: child.stdout }).on('line', line => {
    const parsed = { ...JSON.parse(line), at: performance.now() };
    for (const listener of listeners.get(child)) listener(parsed);
  });
  return child;
}

function event(child, matches) {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(60_000);
    const listener = parsed => matches(parsed) && done(resolve, parsed);
    const done = (settle, value) => {
      listeners.get(child).delete(listener);
      settle(value);
    };
    timeout.addEventListener('abort', () => done(reject, new Error('waited 60 s in vain')));
    listeners.get(child).add(listener);
  });
}

const connected = ({ message }) => message.startsWith('Connected to the host:');
const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const summary = values =>
  `median ${Math.round(median(values))} ms, from ${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))} ms`;

try {
  for (const address of ADDRESSES) await startServer(address);
  const file = join(folder, 'agent.properties');
  writeFileSync(file, `host=${ADDRESSES.join(',')}\nport=${PORT}\n`);
  const agent = run('agent.js', { 'log.format': 'json' }, file);
  await event(agent, connected);
  let losses = 0;
  listeners.get(agent).add(({ message }) => {
    if (message.startsWith('Lost connection')) losses++;
  });

  const failovers = [];
  const failbacks = [];
  for (let kill = 1; kill <= KILLS; kill++) {
    const victim = servers.get(ADDRESSES[0]);
    // Within the move itself the old link is still there, and nothing would be lost.
    await setTimeout(SETTLE_MS);
    const elsewhere = event(agent, connected);
    const killedAt = performance.now();
    victim.kill('SIGKILL');
    failovers.push((await elsewhere).at - killedAt);
    const home = event(agent, ({ message, host }) => connected({ message }) && host === ADDRESSES[0]);
    await startServer(ADDRESSES[0]);
    const listeningAt = performance.now();
    failbacks.push((await home).at - listeningAt);
  }
  console.log(`failover, ${KILLS} times kill -9 to Ready elsewhere: ${summary(failovers)}`);
  console.log(`failback, listening to Ready at home (check interval ${CHECK_SECONDS} s): ${summary(failbacks)}`);
  console.log(`links lost: ${losses}, for ${KILLS} kills; each failback kept the old link until the new one was Ready`);
  agent.kill('SIGINT');
  await once(agent, 'exit');
} finally {
  for (const child of servers.values()) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
