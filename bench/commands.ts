import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import { inFolder } from './clean-up.js';
import type { ServerOperations } from './command-server.js';
import { median } from './statistics.js';

const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;
const PORT = 18_251;
const JOIN_MS = 120_000;
const IDLE_MS = 4_000;
const ROUNDS = 41;
const SWEEPS = 5;
/** Commands under way at a time, while the CPU of busy servers is measured. */
export const AT_ONCE = 16;
/** What a command through another server may cost at most, in the place of 1 for one to an agent of the server itself. */
export const LIMITS_OF_OWN = { median: 2, cpu: 2.5 } as const;

type Server = Child<ServerOperations>;

/** Of one command. */
export interface CommandRow {
  /** From the call to the outcome, one command after another. */
  readonly medianMs: number;
  /** CPU of both servers together, one command after another: each one wakes them. */
  readonly cpuMs: number;
  /** Likewise, `AT_ONCE` commands at a time. */
  readonly busyCpuMs: number;
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
  return inFolder(folder => measureIn(folder, agents, isQuick));
}

async function measureIn(folder: string, agents: number, isQuick: boolean): Promise<Measured> {
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
  }
}

async function measured(
  servers: readonly Server[],
  [ownHosts = [], otherHosts = [], thirdHosts = []]: readonly (readonly number[])[],
  { agents, isQuick }: { readonly agents: number; readonly isQuick: boolean },
): Promise<Measured> {
  const [caller, owner] = servers;
  if (caller === undefined || owner === undefined) throw new Error('no servers');
  const used = async () => (await caller.do('cpuMs')) + (await owner.do('cpuMs'));
  // Both servers poll the store and answer pings: that is no work of a command.
  const idleBefore = await used();
  await sleep(IDLE_MS);
  const idle = ((await used()) - idleBefore) / IDLE_MS;
  const send = async (hosts: readonly number[], commands: number, atOnce: number) => {
    const before = await used();
    const { medianMs, ms } = await caller.do('send', { hosts, commands, atOnce });
    return { medianMs, cpuMs: ((await used()) - before - idle * ms) / commands };
  };
  const row = async (hosts: readonly number[]): Promise<CommandRow> => {
    const one = await send(hosts, isQuick ? 20 : 150, 1);
    const { cpuMs: busyCpuMs } = await send(hosts, isQuick ? 20 : 300, AT_ONCE);
    return { ...one, busyCpuMs };
  };
  // V8 optimises the code first.
  const places = [ownHosts, otherHosts];
  for (let turn = 0; turn < (isQuick ? 1 : 3); turn++) {
    for (const hosts of places) await send(hosts, isQuick ? 20 : 3_000, AT_ONCE);
  }
  // The two take turns, and so does which one is first.
  const [own, other]: [CommandRow[], CommandRow[]] = [[], []];
  for (let round = 0; round < (isQuick ? 1 : ROUNDS); round++) {
    const steps = [async () => own.push(await row(ownHosts)), async () => other.push(await row(otherHosts))];
    for (const step of round % 2 === 0 ? steps : steps.reverse()) await step();
  }
  const sweeps: Sweep[] = [];
  for (let round = 0; round < (isQuick ? 1 : SWEEPS); round++) {
    const hosts = [...ownHosts, ...otherHosts, ...thirdHosts];
    const { ms, notAnswered } = await caller.do('send', { hosts, commands: hosts.length, atOnce: 50 });
    sweeps.push({ perSecond: (hosts.length / ms) * 1_000, notAnswered, rssMb: await caller.do('rssMb') });
  }
  return { agents, own: medianRow(own), other: medianRow(other), sweeps };
}

/** Of the rounds: other load of the machine then counts little. */
function medianRow(rows: readonly CommandRow[]): CommandRow {
  return {
    medianMs: median(rows.map(({ medianMs }) => medianMs)),
    cpuMs: median(rows.map(({ cpuMs }) => cpuMs)),
    busyCpuMs: median(rows.map(({ busyCpuMs }) => busyCpuMs)),
  };
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
