// Failover and failback with real processes: kill -9 the server that an agent is on, start it again, over and over.
// Usage: npm run bench:failover [-- KILLS]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { enrolmentToken } from '../scripts/enrolment-token.js';

const KILLS = Number(process.argv[2] ?? 20);
const CHECK_SECONDS = 3;
const SETTLE_MS = 500;
const EVENT_LIMIT_MS = 60_000;
const PORT = 18_250;
const API_PORT = 18_080;
const PREFERRED = '127.0.0.1';
const ADDRESSES = [PREFERRED, '127.0.0.2', '127.0.0.3'];
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'muster-failover-'));
/** Empty: the settings are all on the command line. */
const serverFile = join(folder, 'mgmt.properties');
writeFileSync(serverFile, '');

interface LogEntry {
  readonly message: string;
  readonly host?: string;
  /** When this process read it, by `performance.now()`. */
  readonly at: number;
}

/** A process of dist/, whose log lines can be waited for. */
class LoggingProcess {
  readonly child: ChildProcess;
  readonly #listeners = new Set<(entry: LogEntry) => void>();

  constructor(script: string, file: string, settings: Readonly<Record<string, string | number>>) {
    const args = Object.entries({ ...settings, 'log.format': 'json' }).map(([key, value]) => `${key}=${value}`);
    const child = spawn(process.execPath, [join(root, 'dist', script), file, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', line => {
      const entry = { ...(JSON.parse(line) as Omit<LogEntry, 'at'>), at: performance.now() };
      for (const listener of this.#listeners) listener(entry);
    });
    this.child = child;
  }

  onEntry(listener: (entry: LogEntry) => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves with the next log line that matches. @throws Error when there is none within `EVENT_LIMIT_MS` */
  next(matches: (entry: LogEntry) => boolean): Promise<LogEntry> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timeout);
        this.#listeners.delete(listener);
      };
      const listener = (entry: LogEntry) => {
        if (!matches(entry)) return;
        finish();
        resolve(entry);
      };
      const timeout = setTimeout(() => {
        finish();
        reject(new Error(`the expected log line did not come within ${EVENT_LIMIT_MS / 1000} s`));
      }, EVENT_LIMIT_MS);
      this.#listeners.add(listener);
    });
  }
}

const servers = new Map<string, LoggingProcess>();

/** Resolves when the server listens for agents. */
async function startServer(address: string): Promise<void> {
  const server = new LoggingProcess('mgmt.js', serverFile, {
    'bind.address': address,
    port: PORT,
    'cluster.node.IP': address,
    'api.address': address,
    'api.port': API_PORT,
    'data.dir': join(folder, address),
    'db.url': `sqlite:${join(folder, 'muster.db')}`,
    host: ADDRESSES.join(','),
    'indirect.agent.lb.check.interval': CHECK_SECONDS,
  });
  servers.set(address, server);
  await server.next(({ message }) => message === 'Listening for agents');
}

const isConnected = ({ message }: LogEntry) => message.startsWith('Connected to the host:');

function summary(values: readonly number[]): string {
  const sorted = [...values].sort((one, other) => one - other).map(Math.round);
  return `median ${sorted[sorted.length >> 1]} ms, from ${sorted[0]} to ${sorted.at(-1)} ms`;
}

async function measure(): Promise<void> {
  for (const address of ADDRESSES) await startServer(address);
  const file = join(folder, 'agent.properties');
  const token = await enrolmentToken(join(folder, PREFERRED, 'cloudstack.ini'));
  writeFileSync(file, `host=${ADDRESSES.join(',')}\nport=${PORT}\nenrollment.token=${token}\n`);
  const agent = new LoggingProcess('agent.js', file, {});
  await agent.next(isConnected);
  let losses = 0;
  agent.onEntry(({ message }) => {
    if (message.startsWith('Lost connection')) losses++;
  });

  const failovers: number[] = [];
  const failbacks: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    // During a failback the old link is still open, and nothing would be lost.
    await sleep(SETTLE_MS);
    const elsewhere = agent.next(isConnected);
    const killedAt = performance.now();
    servers.get(PREFERRED)?.child.kill('SIGKILL');
    failovers.push((await elsewhere).at - killedAt);
    const failback = agent.next(entry => isConnected(entry) && entry.host === PREFERRED);
    await startServer(PREFERRED);
    const listeningAt = performance.now();
    failbacks.push((await failback).at - listeningAt);
  }
  console.log(`failover, ${KILLS} times kill -9 to Ready elsewhere: ${summary(failovers)}`);
  console.log(`failback, listening to Ready on it again (check interval ${CHECK_SECONDS} s): ${summary(failbacks)}`);
  console.log(`links lost: ${losses}, for ${KILLS} kills; each failback kept the old link until the new one was Ready`);
  agent.child.kill('SIGINT');
  await once(agent.child, 'exit');
}

try {
  await measure();
} finally {
  for (const { child } of servers.values()) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
