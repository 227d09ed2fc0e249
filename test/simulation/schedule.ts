import type { Random } from '../../src/lib/random.js';
import type { ListChange } from '../../src/mgmt/lists/list-change.js';
import type { PathState } from './simulated-network.js';
import type { StoreWeather } from './store-link.js';
import type { LineStart } from './transcript.js';

/** The size of a world. */
export interface Shape {
  readonly servers: number;
  readonly agents: number;
}

/** A machine, by its place in the world's list. One that has come later may not be there: then nothing happens. */
export type Place = { readonly of: 'server' | 'agent'; readonly index: number };

/** What happens to a world. What lasts ends after `ms`. */
export type Fault =
  | {
      readonly kind: 'kill';
      readonly place: Place;
      readonly isPowerCut: boolean;
      /** Behind so many things that happen in the process; 0: at once. */
      readonly steps: number;
      readonly ms: number;
    }
  | { readonly kind: 'stop'; readonly place: Place; readonly ms: number }
  | { readonly kind: 'freeze'; readonly place: Place; readonly ms: number }
  | {
      readonly kind: 'path';
      readonly from: Place;
      readonly to: Place;
      readonly state: PathState;
      readonly isOneWay: boolean;
      readonly ms: number;
    }
  | { readonly kind: 'delay'; readonly from: Place; readonly to: Place; readonly delayMs: number; readonly ms: number }
  | { readonly kind: 'reset'; readonly from: Place; readonly to: Place }
  | { readonly kind: 'tear'; readonly ms: number }
  | { readonly kind: 'clock'; readonly place: Place; readonly byMs: number }
  | { readonly kind: 'store'; readonly servers: readonly number[]; readonly weather: StoreWeather; readonly ms: number }
  | { readonly kind: 'disk-full'; readonly agent: number; readonly ms: number }
  | {
      readonly kind: 'configure';
      readonly via: number;
      readonly name: string;
      readonly value: string;
      readonly again: string | undefined;
    }
  /** A change holds for a few hosts; after `ms` for all, or it is taken back, or it stands to the end. */
  | {
      readonly kind: 'canary';
      readonly via: number;
      readonly change: ListChange;
      readonly percent: number;
      readonly end: 'commit' | 'delete' | 'none';
      readonly ms: number;
    }
  | { readonly kind: 'maintenance'; readonly via: number; readonly server: number; readonly ms: number }
  | { readonly kind: 'shutdown'; readonly via: number; readonly server: number; readonly ms: number }
  | { readonly kind: 'rebalance'; readonly via: number }
  | { readonly kind: 'reconnect'; readonly via: number; readonly agent: number }
  | { readonly kind: 'provision'; readonly via: number; readonly agent: number }
  | { readonly kind: 'revoke'; readonly via: number; readonly agent: number; readonly ms: number }
  | { readonly kind: 'mix-up'; readonly agent: number; readonly other: number; readonly ms: number }
  | { readonly kind: 'command'; readonly via: number; readonly agent: number; readonly wait: number }
  | { readonly kind: 'job'; readonly via: number; readonly wait: number }
  | { readonly kind: 'clone'; readonly agent: number; readonly ms: number }
  | { readonly kind: 'join'; readonly via: number }
  | { readonly kind: 'leave'; readonly agent: number; readonly how: 'stop' | 'kill' | 'power-cut' }
  /** Its operator brings the host back after `ms`. */
  | {
      readonly kind: 'remove';
      readonly via: number;
      readonly agent: number;
      readonly isForced: boolean;
      readonly ms: number;
    }
  /** One server after the other is stopped in good order, and started again after `ms`. */
  | {
      readonly kind: 'upgrade';
      readonly servers: readonly number[];
      readonly way: 'maintenance' | 'shutdown' | 'signal';
      readonly ms: number;
    };

export interface Planned {
  /** Milliseconds from the moment at which all were Ready, or from the line that is waited for. */
  readonly at: number;
  /** It is planned when this has happened, the first time in the troubled time. A plan of a seed has none. @default at once */
  readonly after?: LineStart;
  readonly fault: Fault;
}

export const FAULT_KINDS = [
  'kill',
  'stop',
  'freeze',
  'path',
  'delay',
  'reset',
  'tear',
  'clock',
  'store',
  'disk-full',
  'configure',
  'canary',
  'maintenance',
  'shutdown',
  'rebalance',
  'reconnect',
  'provision',
  'revoke',
  'mix-up',
  'command',
  'job',
  'clone',
  'join',
  'leave',
  'remove',
  'upgrade',
] as const satisfies readonly Fault['kind'][];

export type FaultKind = (typeof FAULT_KINDS)[number];

const MOST_FAULTS = 24;
/** Of agents that come later, as many may have faults of their own. */
const MOST_LATER = 3;
/** A process that stands still for so long is waited for: faults do not stop before it goes on. */
const LONG_FREEZE_MS = 100_000;
const ALGORITHMS = ['static', 'roundrobin', 'shuffle', 'rendezvous'];

/** What happens to a world in its troubled time. Pure: the same chance gives the same plan. */
export function planFaults(
  random: Random,
  shape: Shape,
  { kinds, duringMs }: { readonly kinds: readonly FaultKind[]; readonly duringMs: number },
): readonly Planned[] {
  const count = 1 + random.int(MOST_FAULTS);
  const planned: Planned[] = [];
  for (let number = 0; number < count; number++) {
    const kind = pick(random, kinds);
    planned.push({ at: Math.round(random.uniform() * duringMs), fault: faultOf(kind, random, shape) });
  }
  return planned.toSorted((one, other) => one.at - other.at);
}

function faultOf(kind: FaultKind, random: Random, shape: Shape): Fault {
  const server = () => random.int(shape.servers);
  const all = () => Array.from({ length: shape.servers }, (_, index) => index);
  // Or one that has come later.
  const agent = () => random.int(shape.agents + (random.int(4) === 0 ? MOST_LATER : 0));
  const place = (): Place =>
    random.int(3) === 0 ? { of: 'agent', index: agent() } : { of: 'server', index: server() };
  const way = () => {
    const from: Place = random.int(4) === 0 ? { of: 'server', index: server() } : { of: 'agent', index: agent() };
    return { from, to: { of: 'server', index: server() } as Place };
  };
  const lasts = (mostMs: number) => Math.round(random.uniform() ** 2 * mostMs);
  const steps = () => (random.int(2) === 0 ? 0 : 1 + lasts(300));
  switch (kind) {
    case 'kill':
      return { kind, place: place(), isPowerCut: random.int(2) === 0, steps: steps(), ms: lasts(60_000) };
    case 'stop':
      return { kind, place: place(), ms: lasts(30_000) };
    case 'freeze':
      return {
        kind,
        place: place(),
        ms: random.int(12) === 0 ? LONG_FREEZE_MS + lasts(500_000) : 1_000 + lasts(90_000),
      };
    case 'path': {
      const state = pick(random, ['stalled', 'blackhole'] as const);
      return { kind, ...way(), state, isOneWay: random.int(3) === 0, ms: lasts(60_000) };
    }
    case 'delay':
      return { kind, ...way(), delayMs: lasts(5_000), ms: lasts(60_000) };
    case 'reset':
      return { kind, ...way() };
    case 'tear':
      return { kind, ms: lasts(60_000) };
    case 'clock':
      return { kind, place: place(), byMs: Math.round((random.uniform() - 0.5) * 2 * 6 * 3_600_000) };
    case 'store': {
      const weather = pick<StoreWeather>(random, [
        { kind: 'away' },
        { kind: 'slow', ms: 100 + lasts(1_900) },
        { kind: 'unsure', percent: 5 + random.int(40) },
      ]);
      return { kind, servers: random.int(2) === 0 ? all() : [server()], weather, ms: lasts(40_000) };
    }
    case 'disk-full':
      return { kind, agent: agent(), ms: lasts(60_000) };
    case 'configure': {
      const [name, value, other] = changeOf(random, shape);
      return { kind, via: server(), name, value, again: random.int(3) === 0 ? other : undefined };
    }
    case 'canary': {
      const change =
        random.int(2) === 0 ? { host: hostList(shuffled(random, all())) } : { algorithm: pick(random, ALGORITHMS) };
      const end = pick(random, ['commit', 'delete', 'none'] as const);
      return { kind, via: server(), change, percent: 1 + random.int(50), end, ms: lasts(60_000) };
    }
    case 'maintenance':
    case 'shutdown':
      return { kind, via: server(), server: server(), ms: lasts(60_000) };
    case 'rebalance':
      return { kind, via: server() };
    case 'revoke':
      return { kind, via: server(), agent: agent(), ms: lasts(80_000) };
    case 'reconnect':
    case 'provision':
      return { kind, via: server(), agent: agent() };
    case 'mix-up':
      return { kind, agent: agent(), other: agent(), ms: lasts(30_000) };
    case 'command':
      return { kind, via: server(), agent: agent(), wait: 1 + random.int(30) };
    case 'job':
      return { kind, via: server(), wait: 1 + random.int(30) };
    case 'clone':
      return { kind, agent: agent(), ms: lasts(180_000) };
    case 'join':
      return { kind, via: server() };
    case 'leave':
      return { kind, agent: agent(), how: pick(random, ['stop', 'kill', 'power-cut'] as const) };
    case 'remove':
      return { kind, via: server(), agent: agent(), isForced: random.int(2) === 0, ms: lasts(120_000) };
    case 'upgrade': {
      const servers = shuffled(random, all());
      return { kind, servers, way: pick(random, ['maintenance', 'shutdown', 'signal'] as const), ms: lasts(10_000) };
    }
  }
}

function changeOf(random: Random, shape: Shape): readonly [string, string, string] {
  const all = Array.from({ length: shape.servers }, (_, index) => index);
  // One of three leaves servers out.
  const hosts = () =>
    hostList(shuffled(random, all).slice(0, random.int(3) === 0 ? 1 + random.int(shape.servers) : undefined));
  switch (random.int(3)) {
    case 0:
      return ['host', hosts(), hosts()];
    case 1:
      return ['indirect.agent.lb.algorithm', pick(random, ALGORITHMS), pick(random, ALGORITHMS)];
    default:
      return ['indirect.agent.lb.check.interval', String(1 + random.int(10)), String(1 + random.int(10))];
  }
}

/** How long the troubled time of a plan is: a process that stands still for long goes on within it. */
export function troubledMs(planned: readonly Planned[], duringMs: number): number {
  const ends = planned.map(({ at, fault }) =>
    fault.kind === 'freeze' && fault.ms >= LONG_FREEZE_MS ? at + fault.ms + 1 : 0,
  );
  return Math.max(duringMs, ...ends);
}

/** The value of `host` that names these servers, in this order. */
export function hostList(servers: readonly number[]): string {
  return servers.map(index => `192.0.2.${index + 1}`).join(',');
}

function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[random.int(choices.length)];
  if (choice === undefined) throw new RangeError('there is nothing to choose from');
  return choice;
}

function shuffled(random: Random, items: readonly number[]): readonly number[] {
  const result = [...items];
  for (let at = result.length - 1; at > 0; at--) {
    const other = random.int(at + 1);
    [result[at], result[other]] = [result[other] ?? 0, result[at] ?? 0];
  }
  return result;
}
