import { type Interruptible, runAtOnce, workCounter } from '../../lib/interruptible.js';
import { agentHash, byScore, type Contender, contendersOf, scoreOf, type Weights } from './rendezvous.js';
import { type Hash64, uniformOf } from './score-hash.js';

/** An agent, and the server that leads its list now; undefined when it never had one. */
export interface AssignedAgent {
  readonly hostId: number;
  readonly preferred?: string | undefined;
}

/** `to` shall lead the list of the agent, in the place of `from`. */
export interface Change {
  readonly hostId: number;
  readonly from: string | undefined;
  readonly to: string;
}

export interface AssignmentPlan {
  /** By the agent's index; undefined only when there are no servers. */
  readonly preferred: readonly (string | undefined)[];
  /** Of the agents whose server is another than before: the first ones too. */
  readonly changes: readonly Change[];
  /** How many agents each server leads, in the order of `servers`. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * The list of an agent that is new. It leads with the highest score among the servers that are not full; while some
 * server is below what it ought to have at least, with the highest among those.
 *
 * Only counters are looked at, never the agents. When they are a little behind, since another server places agents too,
 * shares stray by as many as that one has placed meanwhile.
 *
 * @param counts how many agents each server leads, without this one; servers that are not in the list are passed over
 */
export function assignNew(
  hostId: number,
  servers: readonly string[],
  weights: Weights,
  counts: ReadonlyMap<string, number>,
): readonly string[] {
  const contenders = contendersOf(servers, weights);
  const led = contenders.map(({ address }) => counts.get(address) ?? 0);
  const bounds = boundsOf(sum(led) + 1, contenders);
  const agent = agentHash(hostId);
  const chosen = contenders[highestOpen(agent, contenders, led, lacking(led, bounds) > 0 ? bounds.least : bounds.most)];
  const order = byScore(agent, contenders).map(({ address }) => address);
  if (chosen === undefined) return order;
  return [chosen.address, ...order.filter(address => address !== chosen.address)];
}

/**
 * Where every agent shall be, when servers or weights have changed. An agent stays where it is, unless its server is gone
 * or must give some up; no more move than the shares need. Those leave whose score gains the most by it, and each goes to
 * the server that it scores highest among those with room. (Were it those that score their old server lowest, the agents
 * that score a new server highest would mostly stay behind, with that one as the second of their lists: it would get most
 * of any dead server's agents.)
 *
 * The order of neither agents nor servers matters, and any server of the cluster gets the same result.
 */
export function assignAll(
  agents: readonly AssignedAgent[],
  servers: readonly string[],
  weights: Weights,
): AssignmentPlan {
  return runAtOnce(assignAllInSteps(agents, servers, weights));
}

/** Likewise, for `runInTurns`. `agents` must stay as it is until the end. */
export function* assignAllInSteps(
  agents: readonly AssignedAgent[],
  servers: readonly string[],
  weights: Weights,
): Interruptible<AssignmentPlan> {
  const contenders = contendersOf(servers, weights);
  const board: Board = {
    agents,
    contenders,
    bounds: boundsOf(agents.length, contenders),
    hashes: [],
    places: new Int16Array(agents.length),
    led: contenders.map(() => 0),
    isStepFull: workCounter(WORK_PER_STEP),
  };
  const homeless = yield* seat(board);
  const leavers = yield* leave(board, homeless.length);
  yield* settle(board, [...homeless, ...leavers]);
  return yield* assignmentOf(board, servers);
}

/** A unit is one score, or one look at an agent: about 1 ms of them. */
const WORK_PER_STEP = 10_000;

/** What the computation is about. Agents and servers go by their indices here, and a place is the index of a server. */
interface Board {
  readonly agents: readonly AssignedAgent[];
  readonly contenders: readonly Contender[];
  readonly bounds: Bounds;
  readonly hashes: Hash64[];
  readonly places: Int16Array;
  /** How many agents each server leads so far. */
  readonly led: number[];
  readonly isStepFull: (work: number) => boolean;
}

const NOWHERE = -1;
const NO_HASH: Hash64 = { high: 0, low: 0 };

/** Everybody where they are. @returns those whose server is none */
function* seat({ agents, contenders, hashes, places, led, isStepFull }: Board): Interruptible<readonly number[]> {
  const placeOf = new Map(contenders.map(({ address }, place) => [address, place]));
  const homeless: number[] = [];
  for (const [index, { hostId, preferred }] of agents.entries()) {
    hashes.push(agentHash(hostId));
    const place = (preferred === undefined ? undefined : placeOf.get(preferred)) ?? NOWHERE;
    places[index] = place;
    if (place === NOWHERE) homeless.push(index);
    else led[place] = at(led, place) + 1;
    if (isStepFull(1)) yield;
  }
  return homeless;
}

/**
 * Those above its most leave a server. If the servers below their least lack more than come free by that, more leave, from
 * any server that has more than its least.
 */
function* leave(board: Board, homeless: number): Interruptible<readonly number[]> {
  const { contenders, bounds, hashes, places, led, isStepFull } = board;
  const excess = led.map((count, place) => Math.max(0, count - at(bounds.most, place)));
  const free = homeless + sum(excess);
  const wanted = lacking(led, bounds);
  let more = Math.max(0, wanted - free);
  const room = wanted >= free ? bounds.least : bounds.most;

  const isDonor = led.map((count, place) => at(excess, place) > 0 || (more > 0 && count > at(bounds.least, place)));
  const candidates: number[] = [];
  for (const [index, place] of places.entries()) {
    if (place !== NOWHERE && at(isDonor, place)) candidates.push(index);
    if (isStepFull(1)) yield;
  }
  /** From 0, for one that is much better off elsewhere, to 1. */
  const attachment = (index: number) => {
    const agent = at(hashes, index);
    const here = scoreOf(agent, at(contenders, at(places, index)));
    const there = scoreOf(agent, at(contenders, highestOpen(agent, contenders, led, room)));
    return here / (here + there);
  };
  const staying = [...led];
  const leavers: number[] = [];
  for (const index of yield* ascending(board, candidates, attachment, contenders.length)) {
    const place = at(places, index);
    if (at(excess, place) > 0) excess[place] = at(excess, place) - 1;
    else if (more > 0 && at(staying, place) > at(bounds.least, place)) more--;
    else continue;
    staying[place] = at(staying, place) - 1;
    leavers.push(index);
    if (isStepFull(1)) yield;
  }
  for (const [place, count] of staying.entries()) led[place] = count;
  return leavers;
}

/** Gives each of those who move a place; the last of them fill up the servers that would be below their least. */
function* settle(board: Board, moving: readonly number[]): Interruptible<void> {
  const { contenders, bounds, hashes, places, led, isStepFull } = board;
  if (contenders.length === 0) return;
  let remaining = moving.length;
  let reserved = lacking(led, bounds);
  // By hash: who finds a server full must not follow from who is older.
  for (const index of yield* ascending(board, moving, index => uniformOf(at(hashes, index), NO_HASH), 1)) {
    const limits = reserved >= remaining ? bounds.least : bounds.most;
    const place = highestOpen(at(hashes, index), contenders, led, limits);
    places[index] = place;
    if (at(led, place) < at(bounds.least, place)) reserved--;
    led[place] = at(led, place) + 1;
    remaining--;
    if (isStepFull(contenders.length)) yield;
  }
}

function* assignmentOf(board: Board, servers: readonly string[]): Interruptible<AssignmentPlan> {
  const { agents, contenders, places, led, isStepFull } = board;
  const preferred: (string | undefined)[] = [];
  const changes: Change[] = [];
  for (const [index, { hostId, preferred: from }] of agents.entries()) {
    const to = contenders[at(places, index)]?.address;
    preferred.push(to);
    if (to !== undefined && to !== from) changes.push({ hostId, from, to });
    if (isStepFull(1)) yield;
  }
  const byAddress = new Map(contenders.map(({ address }, place) => [address, at(led, place)]));
  return { preferred, changes, counts: new Map(servers.map(address => [address, byAddress.get(address) ?? 0])) };
}

/** Between how many agents and how many each server shall lead, by its index. */
interface Bounds {
  readonly least: readonly number[];
  readonly most: readonly number[];
}

/**
 * A twentieth below and above the share, in whole agents. Without a lower bound a server that is added to nine would get
 * half a share: the nine give up no more than what they have too much.
 */
function boundsOf(agents: number, contenders: readonly Contender[]): Bounds {
  const total = sum(contenders.map(({ weight }) => weight));
  // Weights may be decimal fractions, whose sums are off by a hair: what was meant as a whole number is to stay one.
  const hair = 1e-6;
  return {
    least: contenders.map(({ weight }) => Math.floor((19 * agents * weight) / (20 * total) + hair)),
    most: contenders.map(({ weight }) => Math.ceil((21 * agents * weight) / (20 * total) - hair)),
  };
}

/** How many agents the servers below their least need, all together. */
function lacking(led: readonly number[], { least }: Bounds): number {
  return sum(led.map((count, place) => Math.max(0, at(least, place) - count)));
}

/** Of the servers that lead fewer agents than their limit, the one that the agent scores highest; by address on a tie. */
function highestOpen(
  agent: Hash64,
  contenders: readonly Contender[],
  led: readonly number[],
  limits: readonly number[],
): number {
  let best = NOWHERE;
  let highest = Number.NEGATIVE_INFINITY;
  // The hottest loop of all: without iterators.
  for (let place = 0; place < contenders.length; place++) {
    if (at(led, place) >= at(limits, place)) continue;
    const score = scoreOf(agent, at(contenders, place));
    if (score > highest) {
      best = place;
      highest = score;
    }
  }
  return best;
}

/** Small enough that sorting one of them takes no time. */
const MEMBERS_PER_BUCKET = 64;

/**
 * Sorts agents by keys in (0, 1) that are spread more or less evenly, by host id on a tie. It can pause, as
 * Array.sort cannot.
 */
function* ascending(
  { agents, isStepFull }: Board,
  members: readonly number[],
  keyOf: (member: number) => number,
  workPerKey: number,
): Interruptible<readonly number[]> {
  const size = Math.ceil(members.length / MEMBERS_PER_BUCKET);
  const buckets = Array.from({ length: size }, (): { member: number; key: number }[] => []);
  for (const member of members) {
    const key = keyOf(member);
    at(buckets, Math.min(size - 1, Math.floor(key * size))).push({ member, key });
    if (isStepFull(workPerKey)) yield;
  }
  const sorted: number[] = [];
  for (const bucket of buckets) {
    bucket.sort((one, other) => one.key - other.key || at(agents, one.member).hostId - at(agents, other.member).hostId);
    for (const { member } of bucket) sorted.push(member);
    if (isStepFull(bucket.length)) yield;
  }
  return sorted;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** For indices that are in range by the way they were made. */
function at<T>(list: { readonly [index: number]: T }, index: number): T {
  return list[index] as T;
}
