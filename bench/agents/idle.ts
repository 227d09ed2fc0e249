import { setTimeout as sleep } from 'node:timers/promises';
import { inFolder } from '../clean-up.js';
import { rssBytes } from './process-stat.js';
import type { Side } from './side.js';

const DIALS_AT_ONCE = 50;

export interface IdleOptions {
  /** Ascending. */
  readonly agents: readonly number[];
  /** Agents before the first measurement. */
  readonly before: number;
  readonly authority: string;
  /** Until everything is written, logged and told. */
  readonly settleMs: number;
}

/**
 * Memory of the server for each Ready agent that does nothing, in kB, after garbage collection. All present a certificate.
 * @returns for each of `agents`
 */
export function measureIdle(
  { start, load, sizes }: Side,
  { agents, before, authority, settleMs }: IdleOptions,
): Promise<readonly number[]> {
  return inFolder(async folder => {
    const server = await start(folder);
    let connected = 0;
    const rssWith = async (count: number) => {
      const request = { port: server.port, atOnce: DIALS_AT_ONCE, authority, sizes, sharesCertificate: true };
      await load.do('connect', { ...request, count: count - connected });
      connected = count;
      await sleep(settleMs);
      await server.collect();
      return rssBytes(server.pid);
    };
    try {
      const base = await rssWith(before);
      const perAgent: number[] = [];
      for (const count of agents) perAgent.push(((await rssWith(count)) - base) / (count - before) / 1_024);
      return perAgent;
    } finally {
      await load.do('end', { forget: true });
      await server.stop();
    }
  });
}
