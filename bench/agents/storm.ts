import { setTimeout as sleep } from 'node:timers/promises';
import { inFolder } from '../clean-up.js';
import { cpuMs, rssBytes } from './process-stat.js';
import type { MeasuredServer } from './servers.js';
import type { Side } from './side.js';

/** Dials that are under way at a time. */
const DIALS_AT_ONCE = 100;
const PINGS_AT_ONCE = 32;
/** One server with so many agents, from its start. */
export interface Storm {
  /** CPU time of the server for one agent, from the accepted connection to Ready. */
  readonly connectCpuMs: number;
  /** Likewise, of the load. */
  readonly loadCpuMs: number;
  readonly connectsPerSecond: number;
  /** Memory of the server with all agents. */
  readonly rssMb: number;
}

/** A storm, and pings after it. */
export interface StormAndPings extends Storm {
  /** CPU time of the server for one ping and its answer. */
  readonly pingCpuMs: number;
}

/** Whether agents present certificates of their own. */
export type Certificates = 'none' | 'own';

export interface StormOptions {
  readonly agents: number;
  readonly authority: string;
  /** How many pings are measured; they come from all agents in turn. */
  readonly pings: number;
  /** For what a server still does before the first agent, and behind the last Ready, such as writes to its store. */
  readonly settleMs: number;
}

/** New hosts without certificates; then the server starts again, and the same hosts come with certificates of their own. */
export function measureStorms(
  side: Side,
  options: StormOptions,
): Promise<Readonly<Record<Certificates, StormAndPings>>> {
  return inFolder(async folder => {
    const storm = (server: MeasuredServer) => stormAndPings(server, side, options);
    const none = await withServer(side, folder, async server => {
      const measured = await storm(server);
      await side.load.do('certify', { authority: options.authority, count: options.agents });
      return measured;
    });
    const own = await withServer(side, folder, storm);
    await side.load.do('end', { forget: true });
    return { none, own };
  });
}

/** New hosts without certificates. */
export function measureStorm(side: Side, options: Omit<StormOptions, 'pings'>): Promise<Storm> {
  return inFolder(async folder => {
    const measured = await withServer(side, folder, server => storm(server, side, options));
    await side.load.do('end', { forget: true });
    return measured;
  });
}

async function withServer<T>(side: Side, folder: string, use: (server: MeasuredServer) => Promise<T>): Promise<T> {
  const server = await side.start(folder);
  try {
    return await use(server);
  } finally {
    await side.load.do('end', { forget: false });
    await server.stop();
  }
}

async function storm(
  server: MeasuredServer,
  { load, sizes }: Side,
  { agents, authority, settleMs }: Omit<StormOptions, 'pings'>,
): Promise<Storm> {
  await sleep(settleMs);
  const before = { server: cpuMs(server.pid), load: cpuMs(load.pid) };
  const ms = await load.do('connect', { port: server.port, count: agents, atOnce: DIALS_AT_ONCE, authority, sizes });
  const loadCpuMs = (cpuMs(load.pid) - before.load) / agents;
  await sleep(settleMs);
  return {
    connectCpuMs: (cpuMs(server.pid) - before.server) / agents,
    loadCpuMs,
    connectsPerSecond: (agents / ms) * 1_000,
    rssMb: rssBytes(server.pid) / 2 ** 20,
  };
}

async function stormAndPings(server: MeasuredServer, side: Side, options: StormOptions): Promise<StormAndPings> {
  const measured = await storm(server, side, options);
  // V8 optimises the code first.
  await side.load.do('ping', { times: 1, atOnce: PINGS_AT_ONCE });
  const before = cpuMs(server.pid);
  const times = Math.ceil(options.pings / options.agents);
  await side.load.do('ping', { times, atOnce: PINGS_AT_ONCE });
  return { ...measured, pingCpuMs: (cpuMs(server.pid) - before) / (times * options.agents) };
}
