import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../scripts/programs/free-port.js';
import { ADDRESS } from '../../agents/configuration.js';
import { cpuMs } from '../../agents/process-stat.js';
import { type MusterServer, startMuster } from '../../agents/servers.js';
import { floorSide, sampleSizes } from '../../agents/side.js';
import { measureStorm } from '../../agents/storm.js';
import { Child } from '../../child.js';
import { inFolder } from '../../clean-up.js';
import { median } from '../../statistics.js';
import { type Outcome, RESTART_MS } from '../situations.js';
import { WAYS, type Way } from '../storm.js';
import type { CrowdOperations } from './crowd.js';
import { monotonicMs } from './monotonic.js';

/** What real storms are measured over. */
export interface RealSizes {
  readonly agents: number;
  /** Servers of the cluster that loses one. */
  readonly servers: number;
  /** Connections that plain node:tls brings to their end in a second, on this machine. */
  readonly rate: number;
  /** The folder of the checkout. */
  readonly root: string;
  readonly authority: string;
}

/** A storm of real connections. */
export interface RealOutcome extends Outcome {
  /** Of all servers that agents come to. */
  readonly serverCpuMs: number;
  /** Of the process that has the agents. */
  readonly agentsCpuMs: number;
}

/** From the last Ready to the loss: a link that was Ready for half a minute ends the backoff of an agent that was turned away before. */
const SETTLE_MS = 31_000;
const WATCHED_MS = 10 * 60_000;
const [FLOOR_AGENTS, FLOOR_RUNS] = [3_000, 5];
const ALGORITHM = 'rendezvous';
/** Agents of a storm are new hosts with addresses of their own, and more than a server is set to have at a time. */
const CROWDED = { 'agent.max.concurrent.new.connections': 0 };

/** Dials of plain node:tls, without certificates, 100 at a time. @returns so many a second, the median of five runs */
export async function measureRate(root: string, authority: string): Promise<number> {
  const side = floorSide(authority, await sampleSizes(root, authority));
  try {
    const rates: number[] = [];
    for (let run = 0; run < FLOOR_RUNS; run++) {
      rates.push((await measureStorm(side, { agents: FLOOR_AGENTS, authority, settleMs: 0 })).connectsPerSecond);
    }
    return median(rates);
  } finally {
    side.load.stop();
  }
}

/** All storms, one after the other. @param tell called as each has ended. @returns those of a situation together */
export async function realOutcomes(
  sizes: RealSizes,
  tell: (outcome: RealOutcome) => void,
): Promise<readonly RealOutcome[]> {
  const outcomes: RealOutcome[] = [];
  const note = (outcome: RealOutcome) => {
    outcomes.push(outcome);
    tell(outcome);
  };
  for (const way of WAYS) {
    await startAndRestart(sizes, way, note);
    note(await death(sizes, way));
  }
  const situations = new Set(outcomes.map(({ situation }) => situation));
  return [...situations].flatMap(name => outcomes.filter(({ situation }) => situation === name));
}

/** All agents of one server start at once; then it is killed, and starts again. */
function startAndRestart(sizes: RealSizes, way: Way, note: (outcome: RealOutcome) => void): Promise<void> {
  return inFolder(async folder => {
    const port = await freePort();
    const start = () => startMuster({ ...sizes, folder, settings: { ...CROWDED, port } });
    let server: MusterServer | undefined = await start();
    const crowd = openCrowd();
    try {
      const lists = Array.from({ length: sizes.agents }, () => [ADDRESS]);
      const began = watch(crowd, [server.pid]);
      await crowd.do('open', { way, algorithm: 'static', lists, port, authority: sizes.authority });
      note(await outcomeOf({ situation: 'all start at once', sizes, way, agents: sizes.agents }, began));
      await quiet(crowd);
      const agents = await crowd.do('watch', { host: ADDRESS });
      await server.kill();
      server = undefined;
      await sleep(RESTART_MS);
      server = await start();
      const { pid } = server;
      const back = { ...watch(crowd, []), serverCpuMs: () => cpuMs(pid) };
      note(await outcomeOf({ situation: 'the only server restarts', sizes, way, agents }, back));
    } finally {
      crowd.stop();
      await server?.stop();
    }
  });
}

/** One of several servers is killed, and the agents that prefer it come to the others. */
function death(sizes: RealSizes, way: Way): Promise<RealOutcome> {
  return inFolder(async folder => {
    const addresses = Array.from({ length: sizes.servers }, (_, index) => `127.0.1.${index + 1}`);
    const [port, crowd] = [await freePort(), openCrowd()];
    const running: MusterServer[] = [];
    try {
      for (const address of addresses) {
        const own = { 'bind.address': address, 'cluster.node.IP': address, 'data.dir': join(folder, address) };
        const settings = { ...CROWDED, ...own, port, host: addresses.join(), 'indirect.agent.lb.algorithm': ALGORITHM };
        running.push(await startMuster({ ...sizes, folder, settings }));
      }
      const lists = Array.from({ length: sizes.agents }, (_, index) => listOf(addresses, index));
      await crowd.do('open', { way, algorithm: ALGORITHM, lists, port, authority: sizes.authority });
      await crowd.do('end', { withinMs: WATCHED_MS });
      await quiet(crowd);
      const [host = ''] = addresses;
      const agents = await crowd.do('watch', { host });
      const [first, ...others] = running;
      const began = watch(
        crowd,
        others.map(({ pid }) => pid),
      );
      running.shift();
      await first?.kill();
      return await outcomeOf({ situation: `one of ${sizes.servers} servers dies`, sizes, way, agents }, began);
    } finally {
      crowd.stop();
      for (const server of running) await server.stop();
    }
  });
}

/** Each server is the first of as many lists, and each other one comes behind it as often as the others. */
function listOf(addresses: readonly string[], index: number): readonly string[] {
  const [first, ...others] = turned(addresses, index);
  return [first ?? '', ...turned(others, Math.floor(index / addresses.length))];
}

function turned<T>(items: readonly T[], by: number): readonly T[] {
  const from = by % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

function openCrowd(): Child<CrowdOperations> {
  return new Child<CrowdOperations>(new URL('./crowd.js', import.meta.url));
}

/** Agents have been Ready for a while, and have pinged. */
async function quiet(crowd: Child<CrowdOperations>): Promise<void> {
  await sleep(SETTLE_MS);
  await crowd.do('ping');
}

/** A storm under way. */
interface Watch {
  readonly crowd: Child<CrowdOperations>;
  /** As `monotonicMs` has it. */
  readonly from: number;
  /** From then on. */
  serverCpuMs(): number;
  agentsCpuMs(): number;
}

/** @param servers the processes whose CPU time is measured */
function watch(crowd: Child<CrowdOperations>, servers: readonly number[]): Watch {
  return {
    crowd,
    from: monotonicMs(),
    serverCpuMs: cpuFromNow(servers),
    agentsCpuMs: cpuFromNow([crowd.pid]),
  };
}

function cpuFromNow(pids: readonly number[]): () => number {
  const total = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const before = total();
  return () => total() - before;
}

async function outcomeOf(
  { situation, sizes, way, agents }: Pick<Outcome, 'situation' | 'way' | 'agents'> & { readonly sizes: RealSizes },
  { crowd, from, serverCpuMs, agentsCpuMs }: Watch,
): Promise<RealOutcome> {
  const { lastReadyAt, ...figures } = await crowd.do('end', { withinMs: WATCHED_MS });
  return {
    ...{ situation, way, agents, floorMs: (agents * 1_000) / sizes.rate },
    figures: { ...figures, lastReadyMs: lastReadyAt - from },
    serverCpuMs: serverCpuMs(),
    agentsCpuMs: agentsCpuMs(),
  };
}
