import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../child.js';
import type { Sizes } from './conversation.js';
import type { LoadOperations } from './load.js';
import { cpuMs } from './process-stat.js';
import { type MeasuredServer, startFloor, startMuster } from './servers.js';

/** Dials that are under way at a time. */
const DIALS_AT_ONCE = 100;
const PINGS_AT_ONCE = 32;
/** What a server still does behind the last Ready, such as writes to its store. */
const SETTLE_MS = 1_000;

/** One server with so many agents, from its start. */
export interface Sample {
  /** CPU time of the server for one agent, from the accepted connection to Ready. */
  readonly connectCpuMs: number;
  /** Agents that became Ready in a second. */
  readonly connectsPerSecond: number;
  /** CPU time of the server for one ping and its answer. */
  readonly pingCpuMs: number;
  readonly pingsPerSecond: number;
}

/** Whether agents present certificates of their own. */
export type Certificates = 'none' | 'own';

export interface RoundOptions {
  /** The checkout whose server runs. */
  readonly root: string;
  readonly agents: number;
  readonly authority: string;
  /** How many pings are measured. */
  readonly pings: number;
}

type Load = Child<LoadOperations>;

export function openLoad(): Load {
  return new Child<LoadOperations>(new URL('./load.js', import.meta.url));
}

/** New hosts without certificates; then the server starts again, and the same hosts come with certificates. */
export async function measureMuster(
  load: Load,
  options: RoundOptions,
): Promise<Readonly<Record<Certificates, Sample>>> {
  return inFolder(async folder => {
    const serve = () => startMuster({ ...options, folder });
    const none = await measureServer(await serve(), load, options, () => certify(load, options));
    const own = await measureServer(await serve(), load, options);
    await load.do('end', { forget: true });
    return { none, own };
  });
}

/** The same handshakes and packets. */
export async function measureFloor(
  load: Load,
  options: Omit<RoundOptions, 'root'>,
  sizes: Sizes,
): Promise<Readonly<Record<Certificates, Sample>>> {
  const serve = () => startFloor(options.authority, sizes);
  const none = await measureServer(await serve(), load, { ...options, sizes }, () => certify(load, options));
  const own = await measureServer(await serve(), load, { ...options, sizes });
  await load.do('end', { forget: true });
  return { none, own };
}

function certify(load: Load, { authority, agents }: Omit<RoundOptions, 'root'>): Promise<number> {
  return load.do('certify', { authority, count: agents });
}

/** @param before what is done before the links end */
async function measureServer(
  server: MeasuredServer,
  load: Load,
  { agents, authority, pings, sizes }: Omit<RoundOptions, 'root'> & { readonly sizes?: Sizes },
  before: () => Promise<unknown> = async () => {},
): Promise<Sample> {
  try {
    await sleep(SETTLE_MS);
    const atStart = cpuMs(server.pid);
    const request = { port: server.port, count: agents, atOnce: DIALS_AT_ONCE, authority };
    const connectMs = await load.do('connect', sizes ? { ...request, sizes } : request);
    await sleep(SETTLE_MS);
    const atReady = cpuMs(server.pid);
    const times = Math.max(1, Math.round(pings / agents));
    // V8 optimises the code first.
    await load.do('ping', { times: 1, atOnce: PINGS_AT_ONCE });
    const atPings = cpuMs(server.pid);
    const pingMs = await load.do('ping', { times, atOnce: PINGS_AT_ONCE });
    const atEnd = cpuMs(server.pid);
    await before();
    return {
      connectCpuMs: (atReady - atStart) / agents,
      connectsPerSecond: (agents / connectMs) * 1_000,
      pingCpuMs: (atEnd - atPings) / (times * agents),
      pingsPerSecond: ((times * agents) / pingMs) * 1_000,
    };
  } finally {
    await load.do('end', { forget: false });
    await server.stop();
  }
}

/** How long the packets of a conversation with this server are. */
export function sampleSizes(options: Omit<RoundOptions, 'agents' | 'pings'>): Promise<Sizes> {
  return inFolder(async folder => {
    const load = openLoad();
    const server = await startMuster({ ...options, folder });
    try {
      await load.do('connect', { port: server.port, count: 1, atOnce: 1, authority: options.authority });
      await load.do('ping', { times: 1, atOnce: 1 });
      const sizes = await load.do('sizes');
      if (sizes === undefined) throw new Error('there is no agent');
      return sizes;
    } finally {
      load.stop();
      await server.stop();
    }
  });
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
