import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { enrolmentToken } from '../../scripts/enrolment-token.js';
import { Child } from '../child.js';
import { inFolder } from '../clean-up.js';
import { ADDRESS } from './configuration.js';
import type { Sizes } from './conversation.js';
import type { PreloadOperations } from './preload.js';
import { rssBytes } from './process-stat.js';
import { PRELOAD, startFloor, startMuster } from './servers.js';
import { openLoad } from './side.js';

/** A process with agents that are Ready and do nothing; each has a certificate of its own. */
export interface Crowd {
  readonly pid: number;
  /** Collects garbage. */
  collect(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server and, in a new process, so many agents of it. @param folder empty, for both */
export type OpenCrowd = (count: number, folder: string) => Promise<Crowd>;

/**
 * Half of what a fleet gets done on one processor: one that begins with more than it gets done has ever more dials under way, and
 * all of them end by their time limit.
 */
const ENROLLED_PER_SECOND = 20;
/** How much longer the last agent may take. */
const LONGEST_OF_RAMP = 3;
const START_MS = 60_000;
const DIALS_AT_ONCE = 100;

/** `node dist/fleet.js` of a checkout, whose agents get their certificates by a token. @param root its folder */
export function fleetOf(root: string, authority: string): OpenCrowd {
  return async (count, folder) => {
    const server = await startMuster({ root, folder, authority });
    const settings = {
      agents: count,
      host: ADDRESS,
      port: server.port,
      'enrollment.token': await enrolmentToken(server.apiKeyFile, { uses: count }),
      ramp: `${ENROLLED_PER_SECOND}/s`,
      'ping.interval': 3_600,
      'log.format': 'json',
    };
    const file = join(folder, 'fleet.properties');
    writeFileSync(
      file,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    const fleet = fork(join(root, 'dist/fleet.js'), [file], {
      cwd: folder,
      execArgv: ['--expose-gc', '--import', PRELOAD],
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const inside = new Child<PreloadOperations>(fleet);
    const stop = async () => {
      if (fleet.kill('SIGKILL')) await once(fleet, 'exit');
      await server.stop();
    };
    try {
      if (fleet.stdout !== null) await untilReady(fleet.stdout, count);
    } catch (error) {
      await stop();
      throw error;
    }
    return { pid: inside.pid, collect: () => inside.do('collect'), stop };
  };
}

/** Plain node:tls. */
export function plainClients(authority: string, sizes: Sizes): OpenCrowd {
  return async count => {
    const server = await startFloor(authority, sizes);
    const load = openLoad();
    await load.do('certify', { authority, count });
    await load.do('connect', { port: server.port, count, atOnce: DIALS_AT_ONCE, sizes, authority });
    return {
      pid: load.pid,
      collect: () => load.do('collect'),
      async stop() {
        load.stop();
        await server.stop();
      },
    };
  };
}

export interface CrowdOptions {
  /** Ascending. */
  readonly agents: readonly number[];
  /** Agents of the process from which the growth is measured. */
  readonly before: number;
  /** Until everything is written and logged. */
  readonly settleMs: number;
}

/** Memory of the process for each agent, in kB, after garbage collection. @returns for each of `agents` */
export async function measureCrowd(
  open: OpenCrowd,
  { agents, before, settleMs }: CrowdOptions,
): Promise<readonly number[]> {
  const rssWith = (count: number) =>
    inFolder(async folder => {
      const crowd = await open(count, folder);
      try {
        await sleep(settleMs);
        await crowd.collect();
        return rssBytes(crowd.pid);
      } finally {
        await crowd.stop();
      }
    });
  const base = await rssWith(before);
  const perAgent: number[] = [];
  for (const count of agents) perAgent.push(((await rssWith(count)) - base) / (count - before) / 1_024);
  return perAgent;
}

/**
 * Reads the log of a fleet until all agents are Ready, and drops what comes behind that.
 * @throws Error when it ends before, or takes far too long
 */
async function untilReady(log: Readable, count: number): Promise<void> {
  const signal = AbortSignal.timeout(START_MS + (LONGEST_OF_RAMP * count * 1_000) / ENROLLED_PER_SECOND);
  for await (const line of createInterface({ input: log, signal })) {
    if ((JSON.parse(line) as { readonly ready?: number }).ready !== count) continue;
    log.resume();
    return;
  }
  throw new Error('the agents of the fleet are not all Ready');
}
