import { setTimeout as sleep } from 'node:timers/promises';
import { findApiKeyPair } from '#dist/admin/api-key-file.js';
import { call } from '#dist/admin/client.js';
import { systemClock } from '#dist/lib/clock.js';
import { systemRandom } from '#dist/lib/random.js';
import type { Child } from '../child.js';
import { inFolder } from '../clean-up.js';
import type { Goal } from '../rows.js';
import { median, progressOf } from '../statistics.js';
import { newAuthority } from './authority.js';
import { type AgentsOptions, possibleAgents, settleMs } from './index.js';
import type { LoadOperations } from './load.js';
import type { LoopStops } from './preload.js';
import { cpuMs, rssBytes } from './process-stat.js';
import { type MusterServer, startMuster } from './servers.js';
import { openLoad } from './side.js';

/** One figure of the changes of a host list. */
export interface ListFigure {
  /** With its unit. */
  readonly what: string;
  readonly agents: number;
  readonly digits: number;
  /** Of the first change since the server has started. */
  readonly first?: number | undefined;
  /** Of those after it. */
  readonly values: readonly number[];
  readonly goal?: (Goal & { readonly judged: number; readonly unit: string }) | undefined;
}

/** Agents that come before memory is measured first: they pay for what is loaded and compiled once. */
const AGENTS_BEFORE = 100;
/** V8 has optimised the code when so many agents were told: the changes that are measured come after that. */
const TOLD_BEFORE = 10_000;
const DIALS_AT_ONCE = 100;
/** The list has one of them beside the server's address, in turn. All agents keep their preferred host. */
const SECOND_ADDRESSES = ['127.0.0.2', '127.0.0.3'] as const;
/** How long the idle server is measured, in the times that it takes to settle. */
const SETTLED_IDLE = 5;
const LONGEST_S = 5;
const LONGEST_STOP_MS = 50;
/** What an agent of the largest number may cost in the place of one of the smallest. */
const FLAT = 1.1;

interface Change extends LoopStops {
  /** From the call of the API to the last agent that is told. */
  readonly seconds: number;
  /** CPU time of the server for one agent, with what is written to the store. */
  readonly cpuMs: number;
  /** For one agent. */
  readonly lists: number;
}

interface Measured {
  readonly agents: number;
  readonly first: Change;
  readonly later: readonly Change[];
  readonly agentKb: number;
}

type ListsOptions = Pick<AgentsOptions, 'isQuick' | 'rounds' | 'idle' | 'root'>;

/** Changes of `host`, each of which every agent of one server is told. */
export async function measureLists(options: ListsOptions): Promise<readonly ListFigure[]> {
  const load = openLoad();
  try {
    const measured: Measured[] = [];
    for (const agents of possibleAgents(options.idle)) {
      measured.push(await inFolder(folder => measureIn(folder, load, agents, options)));
    }
    return figuresOf(measured);
  } finally {
    load.stop();
  }
}

async function measureIn(
  folder: string,
  load: Child<LoadOperations>,
  agents: number,
  { isQuick, rounds, root }: ListsOptions,
): Promise<Measured> {
  const authority = await newAuthority();
  const server = await startMuster({ root, folder, authority });
  const settle = () => sleep(settleMs(isQuick));
  const connect = async (count: number) => {
    await load.do('connect', { port: server.port, count, atOnce: DIALS_AT_ONCE, authority });
    await settle();
  };
  const collectedBytes = async () => {
    await server.collect();
    return rssBytes(server.pid);
  };
  try {
    const before = Math.min(AGENTS_BEFORE, agents >> 1);
    await connect(before);
    const bytesBefore = await collectedBytes();
    await connect(agents - before);
    await server.inside.do('watchLoop');
    const change = await changer(server, load, { agents, settle });
    const first = await change();
    const warmUps = isQuick ? 0 : Math.ceil(TOLD_BEFORE / agents) - 1;
    for (let warmUp = 0; warmUp < warmUps; warmUp++) await change();
    const later: Change[] = [];
    const begin = progressOf(`lists of ${agents} agents`, rounds);
    for (let round = 1; round <= rounds; round++) {
      begin(round);
      later.push(await change());
    }
    const agentKb = ((await collectedBytes()) - bytesBefore) / (agents - before) / 1_024;
    return { agents, first, later, agentKb };
  } finally {
    await load.do('end', { forget: true });
    await server.stop();
  }
}

interface ChangerOptions {
  readonly agents: number;
  settle(): Promise<void>;
}

/** @returns changes the list once */
async function changer(
  { pid, inside, apiKeyFile }: MusterServer,
  load: Child<LoadOperations>,
  { agents, settle }: ChangerOptions,
): Promise<() => Promise<Change>> {
  const key = await findApiKeyPair({ config: apiKeyFile, endpoint: undefined, environment: {}, home: '' });
  const parts = { clock: systemClock, random: systemRandom };
  const used = async (what: () => Promise<void>) => {
    const [start, before] = [performance.now(), cpuMs(pid)];
    await what();
    return { ms: performance.now() - start, cpuMs: cpuMs(pid) - before };
  };
  // The server polls the store: that is no work of a change.
  const idle = await used(async () => {
    for (let settled = 0; settled < SETTLED_IDLE; settled++) await settle();
  });
  let changes = 0;
  return async () => {
    const second = SECOND_ADDRESSES[changes++ % SECOND_ADDRESSES.length];
    const params = new Map([
      ['name', 'host'],
      ['value', `127.0.0.1,${second}`],
    ]);
    await load.do('lists');
    await inside.do('loopStops');
    let seconds = Number.NaN;
    const all = await used(async () => {
      const start = performance.now();
      await Promise.all([load.do('told'), call(key, 'updateConfiguration', params, parts)]);
      seconds = (performance.now() - start) / 1_000;
      await settle();
    });
    return {
      seconds,
      cpuMs: (all.cpuMs - (idle.cpuMs / idle.ms) * all.ms) / agents,
      lists: (await load.do('lists')) / agents,
      ...(await inside.do('loopStops')),
    };
  };
}

function figuresOf(measured: readonly Measured[]): readonly ListFigure[] {
  const [smallest, largest] = [measured[0], measured.at(-1)];
  const each = (
    what: string,
    digits: number,
    of: (change: Change) => number,
    goal?: (all: readonly number[], measured: Measured) => ListFigure['goal'],
  ): readonly ListFigure[] =>
    measured.map(one => {
      const [first, values] = [of(one.first), one.later.map(of)];
      return { what, agents: one.agents, digits, first, values, goal: goal?.([first, ...values], one) };
    });
  /** Only for the largest number of agents, and only when there is a smaller one. */
  const flat = (one: Measured, of: (measured: Measured) => number): ListFigure['goal'] =>
    smallest === undefined || one === smallest || one !== largest
      ? undefined
      : { atMost: FLAT, judged: of(one) / of(smallest), unit: ` × ${smallest.agents.toLocaleString('en-US')}` };
  const medianCpu = ({ later }: Measured) => median(later.map(({ cpuMs }) => cpuMs));
  const worst = (atMost: number, unit: string) => (all: readonly number[]) => ({
    atMost,
    judged: Math.max(...all),
    unit,
  });
  return [
    ...each('until the last agent is told, s', 2, ({ seconds }) => seconds, worst(LONGEST_S, ' s')),
    ...each('lists that an agent is told', 2, ({ lists }) => lists, worst(1, '')),
    ...each(
      'server CPU for an agent, ms',
      3,
      change => change.cpuMs,
      (_, one) => flat(one, medianCpu),
    ),
    ...each('event loop stopped longest, ms', 0, ({ longestMs }) => longestMs),
    ...each(
      'of it, without a processor not counted, ms',
      0,
      ({ longestOwnMs }) => longestOwnMs,
      worst(LONGEST_STOP_MS, ' ms'),
    ),
    ...measured.map(one => ({
      what: 'server memory for an agent, kB',
      agents: one.agents,
      digits: 1,
      values: [one.agentKb],
      goal: flat(one, ({ agentKb }) => agentKb),
    })),
  ];
}
