import { readFileSync } from 'node:fs';
import type { Goal, Row } from '../rows.js';
import { type Pair, progressOf, takeTurns } from '../statistics.js';
import { newAuthority } from './authority.js';
import { fleetOf, measureCrowd, plainClients } from './fleet.js';
import { measureIdle } from './idle.js';
import { floorSide, musterSide, type Side, sampleSizes } from './side.js';
import { type Certificates, measureStorm, measureStorms, type Storm, type StormAndPings } from './storm.js';

export interface AgentsOptions {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** How many agents a server has while CPU is measured. */
  readonly storms: readonly number[];
  /** How many it has while memory is. */
  readonly idle: readonly number[];
  /** The checkout whose server is measured. */
  readonly root: string;
  /** Another one beside it. @default plain node:tls */
  readonly baseRoot?: string | undefined;
}

interface Figure {
  readonly what: string;
  readonly of: keyof StormAndPings;
  readonly digits: number;
  readonly goal?: Goal;
}

const FIGURES: readonly Figure[] = [
  { what: 'server CPU for an agent to Ready, ms', of: 'connectCpuMs', digits: 2, goal: { atMost: 1.8 } },
  { what: 'server CPU for a 300-byte ping, ms', of: 'pingCpuMs', digits: 3, goal: { atMost: 2.5 } },
  { what: 'agents/s to Ready', of: 'connectsPerSecond', digits: 0, goal: { atLeast: 0.75 } },
  { what: 'CPU of the load for an agent, ms', of: 'loadCpuMs', digits: 2 },
];
const CERTIFICATES: readonly Certificates[] = ['none', 'own'];
const PINGS = 20_000;

/** Until everything behind the last Ready is written, logged and told. */
export function settleMs(isQuick: boolean): number {
  return isQuick ? 50 : 1_000;
}

/** Agents that become Ready, and ping. */
export async function measureAgents({ isQuick, rounds, storms, ...options }: AgentsOptions): Promise<readonly Row[]> {
  return withSides(options, async (here, base, authority) => {
    const rows: Row[] = [];
    for (const agents of storms) {
      const storm = { agents, authority, pings: isQuick ? 100 : PINGS, settleMs: settleMs(isQuick) };
      const sides = { here: () => measureStorms(here, storm), base: () => measureStorms(base, storm) };
      const pairs = await takeTurns(rounds, sides, progressOf(`${agents} agents`, rounds));
      for (const certificates of CERTIFICATES) {
        for (const { of, ...figure } of FIGURES) {
          const values = pairs.map(pair => ({ here: pair.here[certificates][of], base: pair.base[certificates][of] }));
          rows.push({ ...figure, agents, certificates, values });
        }
      }
    }
    return rows.sort((one, other) => orderOf(one) - orderOf(other));
  });
}

/** Sorting keeps the order of numbers of agents. */
function orderOf({ what }: Row): number {
  return FIGURES.findIndex(figure => figure.what === what);
}

/** Memory of agents that do nothing. */
export async function measureIdleAgents({ isQuick, rounds, idle, ...options }: AgentsOptions): Promise<readonly Row[]> {
  const possible = possibleAgents(idle);
  return withSides(options, async (here, base, authority) => {
    const measured = { agents: possible, before: agentsBefore(isQuick), authority, settleMs: settleMs(isQuick) };
    const sides = { here: () => measureIdle(here, measured), base: () => measureIdle(base, measured) };
    const pairs = await takeTurns(rounds, sides, progressOf('idle agents', rounds));
    const figure = { what: 'server memory for an idle agent, kB', certificates: 'shared', goal: { atMost: 1.35 } };
    return memoryRows(figure, possible, pairs);
  });
}

/** Memory of a fleet, whose agents do nothing. */
export async function measureFleets(options: AgentsOptions): Promise<readonly Row[]> {
  const { isQuick, rounds, root, baseRoot } = options;
  const authority = await newAuthority();
  const here = fleetOf(root, authority);
  const base =
    baseRoot === undefined ? plainClients(authority, await sampleSizes(root, authority)) : fleetOf(baseRoot, authority);
  const possible = possibleAgents(options.idle);
  const measured = { agents: possible, before: agentsBefore(isQuick), settleMs: settleMs(isQuick) };
  const sides = { here: () => measureCrowd(here, measured), base: () => measureCrowd(base, measured) };
  const pairs = await takeTurns(rounds, sides, progressOf('fleets', rounds));
  const figure = { what: 'memory of a fleet for an idle agent, kB', certificates: 'own', goal: { atMost: 1.5 } };
  return memoryRows(figure, possible, pairs);
}

/** Agents before memory is measured first: they pay for what is loaded and compiled once. */
function agentsBefore(isQuick: boolean): number {
  return isQuick ? 5 : 100;
}

/** @param pairs what was measured in each round, for each of `agents` */
function memoryRows(
  figure: Omit<Row, 'agents' | 'digits' | 'values'>,
  agents: readonly number[],
  pairs: readonly Pair<readonly number[]>[],
): readonly Row[] {
  return agents.map((count, index) => ({
    ...figure,
    agents: count,
    digits: 1,
    values: pairs.map(({ here, base }) => ({ here: here[index] ?? 0, base: base[index] ?? 0 })),
  }));
}

/** Those of these numbers of agents for which there are open files enough. */
export function possibleAgents(wanted: readonly number[]): readonly number[] {
  return wanted.filter(agents => agents <= openFilesLimit() - FILES_BESIDE);
}

/** Files that a process needs beside the sockets of its agents. */
const FILES_BESIDE = 200;

/** Node raises its own limit to the hard one. */
function openFilesLimit(): number {
  const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard);
}

/** So many agents as CloudStack's server was measured with. */
export async function measureAsCloudStack(
  agents: number,
  { isQuick, rounds, root }: Pick<AgentsOptions, 'isQuick' | 'rounds' | 'root'>,
): Promise<readonly Storm[]> {
  const authority = await newAuthority();
  const side = musterSide(root, authority);
  const storms: Storm[] = [];
  try {
    const begin = progressOf('beside CloudStack', rounds);
    for (let round = 1; round <= rounds; round++) {
      begin(round);
      storms.push(await measureStorm(side, { agents, authority, settleMs: settleMs(isQuick) }));
    }
  } finally {
    side.load.stop();
  }
  return storms;
}

async function withSides<T>(
  { root, baseRoot }: Pick<AgentsOptions, 'root' | 'baseRoot'>,
  measure: (here: Side, base: Side, authority: string) => Promise<T>,
): Promise<T> {
  const authority = await newAuthority();
  const here = musterSide(root, authority);
  const base =
    baseRoot === undefined ? floorSide(authority, await sampleSizes(root, authority)) : musterSide(baseRoot, authority);
  try {
    return await measure(here, base, authority);
  } finally {
    here.load.stop();
    base.load.stop();
  }
}
