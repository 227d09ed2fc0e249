// A world in which everything happens again and again, and what its servers and agents keep of it.
import { type HeapContents, heapContents } from './heap-contents.js';
import { AgentMachine, COUNT } from './agent-machine.js';
import { ask, perform } from './faults.js';
import { Invariants } from './invariants.js';
import { Ledger } from './ledger.js';
import { type Fault, hostList, type Place } from './schedule.js';
import { ServerMachine } from './server-machine.js';
import { SimulatedDisk } from './simulated-disk.js';
import { SimulatedEnd } from './simulated-end.js';
import { SimulatedNetwork } from './simulated-network.js';
import { MachineClock, SimulatedProcess } from './simulated-process.js';
import { Simulation } from './simulation.js';
import { StoreLink } from './store-link.js';
import { Transcript } from './transcript.js';
import { World } from './world.js';

/** After the first one, all that is made once is there. */
const FIRST_ROUNDS = 1;
const MORE_ROUNDS = 5;
/** Then nothing is under way any more. */
const QUIET_MS = 40_000;
/** What grows by less than this in a round follows the moment of the look, not what has happened. */
const LEAST_GROWTH = 0.5;
/** Servers and agents whose memory is looked at: they run from the beginning to the end, and those behind them do not. */
const LOOKED_AT = { servers: 2, agents: 2 };

/** What is the simulation's own, and what of Kysely has the last statement. */
const OUTSIDE = [
  ...[{ name: 'SqliteAdapter' }, { name: 'SqliteQueryCompiler' }],
  ...[AgentMachine, Invariants, Ledger, MachineClock, ServerMachine, SimulatedDisk, SimulatedEnd, SimulatedNetwork],
  ...[SimulatedProcess, Simulation, StoreLink, Transcript, World],
];

/** What is kept of what is over, and where that ends. */
const KEPT: Readonly<Record<string, string>> = {
  'CommandMemory.#entries': 'ids of commands: an hour, and LIMITS.commandIdsKept',
  'RareEvents.#toldAt':
    'what operators are not told again: an hour, and MGMT_LIMITS.refusalEvents, guidPairs, resourceEvents',
  'NetworkAllowance.#buckets': 'what addresses may still do: MGMT_LIMITS.countedNetworks',
  'Alerts.#fights': 'guids in use twice: two hours, and MOST_FIGHTS',
  'Revocations.#serials': 'a revoked certificate counts for ever, and has a row in the store',
};

/**
 * Has everything happen again and again in one world, and compares what its servers and agents have in memory when all is
 * well: it must not grow with what has happened.
 * @returns what did not hold, or where entries are left; undefined: all held, and nothing is left
 */
export async function findLeaks(): Promise<string | undefined> {
  const growth: Growth[] = [];
  const { failure } = await Simulation.tell({ seed: 1, servers: 3, agents: 3 }, async simulation => {
    const before = await contentsAfter(simulation, FIRST_ROUNDS);
    const after = await contentsAfter(simulation, MORE_ROUNDS);
    growth.push(...growthOf(before, after, MORE_ROUNDS).filter(({ what }) => KEPT[what] === undefined));
  });
  if (failure !== undefined || growth.length === 0) return failure;
  const told = growth.map(({ what, perRound }) => `${what}: ${perRound.toFixed(1)}`);
  return `entries that each round leaves: ${told.join('; ')}`;
}

export interface Growth {
  /** As `heapContents` names it. */
  readonly what: string;
  readonly perRound: number;
}

/** What has grown with the rounds, most first; without what is in the entries that have become more. Pure. */
export function growthOf(before: HeapContents, after: HeapContents, rounds: number): readonly Growth[] {
  const growth = [...after]
    .map(([what, count]) => ({ what, perRound: (count - (before.get(what) ?? 0)) / rounds }))
    .filter(({ perRound }) => perRound >= LEAST_GROWTH);
  const isWithin = (inner: string) =>
    growth.some(({ what }) => inner.startsWith(`${what}[]`) || inner.startsWith(`${what}.`));
  return growth
    .filter(({ what }) => !isWithin(what))
    .toSorted((one, other) => other.perRound - one.perRound || (one.what < other.what ? -1 : 1));
}

async function contentsAfter(simulation: Simulation, rounds: number): Promise<HeapContents> {
  for (let round = 0; round < rounds; round++) for (const step of ROUND) await step(simulation);
  await simulation.settles();
  await simulation.goesOn(QUIET_MS);
  const nodes = simulation.servers.slice(0, LOOKED_AT.servers).map(({ node }) => node);
  const agents = simulation.agents.slice(0, LOOKED_AT.agents).map(({ agent }) => agent);
  return heapContents([nodes, agents], OUTSIDE);
}

type Step = (simulation: Simulation) => Promise<void>;

/** Faults happen, and time goes on for so long. */
function happens(ms: number, ...faults: readonly Fault[]): Step {
  return async simulation => {
    for (const fault of faults) perform(simulation, fault);
    await simulation.goesOn(ms);
  };
}

const [SERVER_1, SERVER_2, SERVER_3]: readonly [Place, Place, Place] = [
  { of: 'server', index: 0 },
  { of: 'server', index: 1 },
  { of: 'server', index: 2 },
];
const [AGENT_1, AGENT_2, AGENT_3]: readonly [Place, Place, Place] = [
  { of: 'agent', index: 0 },
  { of: 'agent', index: 1 },
  { of: 'agent', index: 2 },
];

const ALGORITHM = 'indirect.agent.lb.algorithm';
const COMMANDS: readonly Fault[] = [0, 1, 2].flatMap(via =>
  [0, 1].flatMap(agent => [1, 10].map(wait => ({ kind: 'command', via, agent, wait }) as const)),
);

const ROUND: readonly Step[] = [
  happens(1_000, ...COMMANDS, { kind: 'job', via: 1, wait: 10 }, { kind: 'job', via: 0, wait: 1 }),
  // Links are cut, those between servers as well.
  happens(3_000, { kind: 'reset', from: AGENT_1, to: SERVER_1 }, { kind: 'reset', from: AGENT_2, to: SERVER_1 }),
  happens(500, ...COMMANDS, { kind: 'reset', from: SERVER_1, to: SERVER_2 }),
  happens(5_000, { kind: 'reset', from: SERVER_1, to: SERVER_3 }, { kind: 'reset', from: SERVER_2, to: SERVER_1 }),
  happens(4_000, { kind: 'path', from: AGENT_1, to: SERVER_1, state: 'blackhole', isOneWay: false, ms: 3_000 }),
  happens(30_000, { kind: 'path', from: AGENT_2, to: SERVER_1, state: 'stalled', isOneWay: false, ms: 20_000 }),
  happens(30_000, { kind: 'path', from: SERVER_1, to: SERVER_2, state: 'stalled', isOneWay: false, ms: 20_000 }),
  // Lists change, and a server dies that has agents.
  happens(2_000, { kind: 'configure', via: 0, name: 'host', value: hostList([2, 0, 1]), again: undefined }),
  happens(3_000, { kind: 'configure', via: 0, name: 'indirect.agent.lb.check.interval', value: '4', again: '5' }),
  happens(5_000, ...COMMANDS, { kind: 'kill', place: SERVER_3, isPowerCut: true, steps: 0, ms: 20_000 }),
  happens(20_000, { kind: 'configure', via: 0, name: 'host', value: hostList([1, 2, 0]), again: hostList([0, 1, 2]) }),
  happens(4_000, { kind: 'configure', via: 1, name: ALGORITHM, value: 'rendezvous', again: undefined }),
  happens(4_000, { kind: 'rebalance', via: 0 }),
  happens(4_000, { kind: 'canary', via: 0, change: { algorithm: 'static' }, percent: 50, end: 'delete', ms: 1_000 }),
  happens(4_000, { kind: 'canary', via: 0, change: { algorithm: 'static' }, percent: 50, end: 'commit', ms: 1_000 }),
  // Drains, one of which is cancelled while it lasts.
  happens(10_000, { kind: 'maintenance', via: 1, server: 0, ms: 6_000 }),
  happens(8_000, { kind: 'shutdown', via: 0, server: 1, ms: 1_500 }),
  happens(10_000, { kind: 'stop', place: SERVER_3, ms: 2_000 }),
  happens(4_000, { kind: 'store', servers: [0, 1, 2], weather: { kind: 'away' }, ms: 3_000 }),
  happens(5_000, { kind: 'store', servers: [0, 1], weather: { kind: 'unsure', percent: 30 }, ms: 3_000 }, ...COMMANDS),
  // Agents stop and come again, two are one, certificates are others.
  happens(4_000, { kind: 'reconnect', via: 1, agent: 0 }, { kind: 'provision', via: 0, agent: 1 }),
  happens(5_000, { kind: 'stop', place: AGENT_3, ms: 1_000 }),
  happens(12_000, { kind: 'clone', agent: 2, ms: 8_000 }),
  happens(8_000, { kind: 'mix-up', agent: 2, other: 0, ms: 4_000 }),
  happens(15_000, { kind: 'revoke', via: 0, agent: 2, ms: 5_000 }),
  happens(12_000, { kind: 'remove', via: 0, agent: 2, isForced: true, ms: 4_000 }),
  hostsComeAndGo,
  cancelledJob,
  // A server keeps the answers of half a minute for another one, until it has a newer one.
  happens(35_000),
  happens(15_000, ...COMMANDS),
];

/** New hosts come, and are removed: their agents have left before, leave when they are told, or do not hear of it. */
async function hostsComeAndGo(simulation: Simulation): Promise<void> {
  const { agents } = simulation;
  for (const leaves of ['before', 'when it is told', 'later']) {
    const index = agents.length;
    perform(simulation, { kind: 'join', via: 0 });
    await simulation.goesOn(4_000);
    if (leaves === 'before') perform(simulation, { kind: 'leave', agent: index, how: 'stop' });
    if (leaves === 'later') perform(simulation, { kind: 'freeze', place: { of: 'agent', index }, ms: 10_000 });
    await simulation.goesOn(1_000);
    void ask(simulation, 1, 'remove', async ({ operations }) => {
      const { uuid } = await simulation.hostOf(index);
      await operations.removeHost({ hostId: uuid, forced: true });
    });
    await simulation.goesOn(15_000);
    await agents[index]?.takeAway('kill');
  }
}

async function cancelledJob(simulation: Simulation): Promise<void> {
  void ask(simulation, 0, 'a job that is cancelled', async ({ operations }) => {
    const commands = [{ class: COUNT, fields: { token: simulation.newToken('cancelled') } }];
    const { uuid } = await operations.sendCommand({ all: true, commands, wait: 10, maxErrors: -1 });
    await operations.cancelCommand({ jobId: uuid });
  });
  await simulation.goesOn(5_000);
}
