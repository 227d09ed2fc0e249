import type { Random } from '../../src/lib/random.js';
import { seededRandom } from '../helpers/seeded-random.js';

export const FAULT_KINDS = [
  'kill',
  'freeze',
  'fin',
  'reset',
  'refuse',
  'stall',
  'delay',
  'trickle',
  'blackhole',
  'disk-full',
  'clock',
  'drain',
  'configure',
  'leave-out',
  'rebalance',
  'command',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** Those that end no process. */
export const SOAK_KINDS: readonly FaultKind[] = [
  ...(['fin', 'reset', 'refuse', 'stall', 'delay', 'trickle', 'blackhole'] as const),
  ...(['drain', 'configure', 'leave-out', 'rebalance', 'command'] as const),
];

/** What a fault happens to. `cluster`: to all, by an operator. */
export interface Target {
  readonly of: 'server' | 'agent' | 'database' | 'cluster';
  /** From 0. */
  readonly index: number;
}

/** What happens to real processes. */
export type Fault = { readonly target: Target } & (
  | { readonly kind: Exclude<FaultKind, 'stall' | 'delay' | 'trickle' | 'clock' | 'configure' | 'command'> }
  | { readonly kind: 'stall'; readonly silent: 'toServer' | 'toAgent' | 'both' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'trickle'; readonly bytesPerSecond: number }
  | { readonly kind: 'clock'; readonly byMs: number }
  | { readonly kind: 'configure'; readonly name: string; readonly value: string }
  | { readonly kind: 'command'; readonly wait: number }
);

export interface Planned {
  /** Milliseconds since the faults begin. */
  readonly at: number;
  /** How long it lasts; 0: it is over at once. */
  readonly ms: number;
  readonly fault: Fault;
}

export interface Shape {
  readonly forMs: number;
  /** The addresses of the servers. */
  readonly servers: readonly string[];
  /** Agents in processes of their own. */
  readonly processes: number;
  /** Processes of the store. */
  readonly databases: number;
  /** The store has a disk that can be full. */
  readonly hasStoreDisk: boolean;
  readonly kinds: readonly FaultKind[];
}

const FIRST_AT_MS = 1_000;
const [LEAST_BETWEEN_MS, MOST_BETWEEN_MS] = [300, 3_500];
const [LEAST_LENGTH_MS, MOST_LENGTH_MS] = [1_000, 30_000];
const MOST_CLOCK_MS = 6 * 3_600_000;
const ALGORITHMS = ['static', 'roundrobin', 'shuffle', 'rendezvous'];
const INSTANT: ReadonlySet<FaultKind> = new Set(['fin', 'reset', 'configure', 'rebalance', 'command']);

/**
 * What happens, and when. Pure: the same seed and shape give the same plan. One fault happens to one target at a time, and
 * one server at least has none, and stands in the host list: agents always have somewhere to go. Each kind comes as often as the others.
 */
export function plan(seed: number, shape: Shape): readonly Planned[] {
  const random = seededRandom(seed);
  const planned: Planned[] = [];
  const busyUntil = new Map<string, number>();
  let deck: FaultKind[] = [];
  for (let at = FIRST_AT_MS; at < shape.forMs; at += between(random, LEAST_BETWEEN_MS, MOST_BETWEEN_MS)) {
    if (deck.length === 0) deck = shuffled(random, shape.kinds);
    const kind = deck.pop();
    if (kind === undefined) break;
    const fault = faultOf(kind, random, shape);
    if (fault === undefined) continue;
    const name = nameOf(fault.target);
    const wanted = LEAST_LENGTH_MS + Math.round(random.uniform() ** 2 * (MOST_LENGTH_MS - LEAST_LENGTH_MS));
    const ms = INSTANT.has(kind) ? 0 : Math.min(wanted, shape.forMs - at);
    const busy = [...busyUntil].filter(([, until]) => until >= at).map(([other]) => other);
    const isLastServer =
      fault.target.of === 'server' &&
      busy.filter(other => other !== name && other.startsWith('server')).length >= shape.servers.length - 1;
    if ((busy.includes(name) && fault.target.of !== 'cluster') || isLastServer) continue;
    planned.push({ at, ms, fault });
    busyUntil.set(name, at + ms);
  }
  return planned;
}

/** Such as `server-1`. */
export function nameOf({ of, index }: Target): string {
  return of === 'cluster' ? of : `${of}-${index + 1}`;
}

/** In words, for tables. */
export function describe(fault: Fault): string {
  const { kind, target } = fault;
  const details = Object.entries(fault).filter(([key]) => key !== 'kind' && key !== 'target');
  return [kind, nameOf(target), ...details.map(([key, value]) => `${key}=${value}`)].join(' ');
}

function faultOf(kind: FaultKind, random: Random, shape: Shape): Fault | undefined {
  const { servers, processes, databases } = shape;
  const server = (): Target => ({ of: 'server', index: random.int(servers.length) });
  const agent = (): Target => ({ of: 'agent', index: random.int(processes) });
  const database = (): Target => ({ of: 'database', index: random.int(databases) });
  /** Each equally often, of those that there are. */
  const oneOf = (...choices: readonly (() => Target)[]) =>
    pick(
      random,
      choices.filter(choice => (choice !== agent || processes > 0) && (choice !== database || databases > 0)),
    )();
  switch (kind) {
    case 'kill':
    case 'freeze':
      return { kind, target: oneOf(server, agent, database) };
    case 'disk-full':
      if (shape.hasStoreDisk && random.int(2) === 0) return { kind, target: { of: 'database', index: 0 } };
      return processes > 0 ? { kind, target: agent() } : undefined;
    case 'clock':
      return { kind, target: oneOf(server, agent), byMs: Math.round((random.uniform() - 0.5) * 2 * MOST_CLOCK_MS) };
    case 'stall':
      return { kind, target: server(), silent: pick(random, ['toServer', 'toAgent', 'both'] as const) };
    case 'delay':
      return { kind, target: server(), delayMs: between(random, 50, 3_000) };
    case 'trickle':
      return { kind, target: server(), bytesPerSecond: between(random, 200, 5_000) };
    case 'configure': {
      const [name, value] = changeOf(random, servers);
      return { kind, target: { of: 'cluster', index: 0 }, name, value };
    }
    case 'command':
      return { kind, target: { of: 'cluster', index: 0 }, wait: between(random, 1, 20) };
    case 'rebalance':
      return { kind, target: { of: 'cluster', index: 0 } };
    default:
      return { kind, target: server() };
  }
}

function changeOf(random: Random, servers: readonly string[]): readonly [string, string] {
  switch (random.int(3)) {
    case 0:
      return ['host', shuffled(random, servers).join(',')];
    case 1:
      return ['indirect.agent.lb.algorithm', pick(random, ALGORITHMS)];
    default:
      return ['indirect.agent.lb.check.interval', String(between(random, 1, 10))];
  }
}

function between(random: Random, least: number, most: number): number {
  return least + random.int(most - least + 1);
}

function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[random.int(choices.length)];
  if (choice === undefined) throw new RangeError('there is nothing to choose from');
  return choice;
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map(item => ({ item, place: random.uniform() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item);
}
