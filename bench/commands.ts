import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import type { ServerOperations } from './command-server.js';

const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;
const PORT = 18_251;
const JOIN_MS = 120_000;
const IDLE_MS = 4_000;

type Server = Child<ServerOperations>;

export interface CommandRow {
  readonly medianMs: number;
  /** Of both servers together, for one command. */
  readonly cpuMs: number;
}

export interface Sweep {
  readonly perSecond: number;
  readonly notAnswered: number;
  readonly rssMb: number;
}

export interface Measured {
  readonly agents: number;
  readonly own: CommandRow;
  readonly other: CommandRow;
  readonly sweeps: readonly Sweep[];
}

/** Commands from one server to its own agents and to those of another one, and to all. Three servers and a fleet. */
export async function measureCommands(isQuick: boolean): Promise<Measured> {
  const agents = isQuick ? 30 : 999;
  const folder = mkdtempSync(join(tmpdir(), 'muster-commands-'));
  const servers: Server[] = [];
  const fleets: ChildProcess[] = [];
  try {
    for (const address of ADDRESSES) servers.push(await startServer(address, folder));
    for (const address of ADDRESSES) fleets.push(startFleet(address, agents / ADDRESSES.length, folder));
    const hosts = await joined(servers, agents);
    return await measured(servers, hosts, { agents, isQuick });
  } finally {
    for (const fleet of fleets) {
      fleet.kill('SIGKILL');
      await once(fleet, 'close');
    }
    await Promise.all(servers.map(server => server.do('stop')));
    for (const server of servers) server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measured(
  servers: readonly Server[],
  [ownHosts = [], otherHosts = [], thirdHosts = []]: readonly (readonly number[])[],
  { agents, isQuick }: { readonly agents: number; readonly isQuick: boolean },
): Promise<Measured> {
  const [caller, owner] = servers;
  if (caller === undefined || owner === undefined) throw new Error('no servers');
  const rounds = isQuick ? 1 : 5;
  const commands = isQuick ? 50 : 400;
  const used = async () => (await caller.do('cpuMs')) + (await owner.do('cpuMs'));
  // Both servers poll the store and answer pings: that is no work of a command.
  const idleBefore = await used();
  await sleep(IDLE_MS);
  const idle = ((await used()) - idleBefore) / IDLE_MS;
  const row = async (hosts: readonly number[]): Promise<CommandRow> => {
    const before = await used();
    const { medianMs, ms } = await caller.do('send', { hosts, commands, atOnce: 1 });
    return { medianMs, cpuMs: ((await used()) - before - idle * ms) / commands };
  };
  // V8 optimises the code first.
  for (const hosts of [ownHosts, otherHosts]) await caller.do('send', { hosts, commands, atOnce: 8 });
  const [own, other]: [CommandRow[], CommandRow[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    own.push(await row(ownHosts));
    other.push(await row(otherHosts));
  }
  const sweeps: Sweep[] = [];
  for (let round = 0; round < rounds; round++) {
    const hosts = [...ownHosts, ...otherHosts, ...thirdHosts];
    const { ms, notAnswered } = await caller.do('send', { hosts, commands: hosts.length, atOnce: 50 });
    sweeps.push({ perSecond: (hosts.length / ms) * 1_000, notAnswered, rssMb: await caller.do('rssMb') });
  }
  return { agents, own: median(own), other: median(other), sweeps };
}

/** Of the rounds: other load of the machine then counts little. */
function median(rows: readonly CommandRow[]): CommandRow {
  const of = (values: readonly number[]) => [...values].sort((one, other) => one - other)[values.length >> 1] ?? 0;
  return { medianMs: of(rows.map(({ medianMs }) => medianMs)), cpuMs: of(rows.map(({ cpuMs }) => cpuMs)) };
}

async function startServer(address: string, folder: string): Promise<Server> {
  const server: Server = new Child(new URL('./command-server.js', import.meta.url));
  await server.do('start', {
    'bind.address': address,
    port: String(PORT),
    'cluster.node.IP': address,
    'api.address': address,
    'api.port': '0',
    'api.insecure': 'true',
    'data.dir': join(folder, address),
    'db.url': `sqlite:${join(folder, 'muster.db')}`,
    host: ADDRESSES.join(','),
    'ca.plugin.root.auth.strictness': 'false',
    'agent.max.concurrent.new.connections.per.address': '4096',
  });
  return server;
}

/** Agents that stay on the server that they find first. */
function startFleet(address: string, agents: number, folder: string): ChildProcess {
  const script = fileURLToPath(new URL('../../dist/fleet.js', import.meta.url));
  const settings = [`agents=${agents}`, `host=${address}`, `port=${PORT}`, `guid.prefix=${address}`];
  return spawn(process.execPath, [script, ...settings], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** @returns the hosts of each server, when all agents are there */
async function joined(servers: readonly Server[], agents: number): Promise<readonly (readonly number[])[]> {
  const end = performance.now() + JOIN_MS;
  for (;;) {
    const hosts = await Promise.all(servers.map(server => server.do('hosts')));
    if (hosts.flat().length === agents && hosts.every(({ length }) => length > 0)) return hosts;
    if (performance.now() > end) throw new Error(`only ${hosts.flat().length} of ${agents} agents are there`);
    await sleep(500);
  }
}
