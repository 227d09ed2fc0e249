import { type Interruptible, runAtOnce, workCounter } from '../../lib/interruptible.js';
import { agentHash, byScore, type Contender, contendersOf, scoreOf, type Weights } from './rendezvous.js';
import { type Hash64, uniformOf } from './score-hash.js';

/** An agent, and its preferred server now; undefined when it has none. */
export interface AssignedAgent {
  readonly hostId: number;
  readonly preferred?: string | undefined;
}

/** The agent's preferred server changes from `from` to `to`. */
export interface Change {
  readonly hostId: number;
  readonly from: string | undefined;
  readonly to: string;
}

/** The preferred servers of all agents. */
export interface AssignmentPlan {
  /** By the agent's index; undefined only when there are no servers. */
  readonly preferred: readonly (string | undefined)[];
  /** The agents whose preferred server changes, those that had none among them. */
  readonly changes: readonly Change[];
}

/**
 * The list of a new agent. Its preferred server is the one with the highest score among those below their upper bound.
 * While some server is below its lower bound, it is the one with the highest score among those.
 *
 * It needs the counts alone, not the agents. When the counts are old, because another server assigns agents at the same
 * time, the shares differ by as many agents as that one has assigned meanwhile.
 *
 * @param counts how many agents prefer each server, without this agent; servers that are not in the list are ignored
 */
export function assignNew(
  hostId: number,
  servers: readonly string[],
  weights: Weights,
  counts: ReadonlyMap<string, number>,
): readonly string[] {
  const contenders = contendersOf(servers, weights);
  const shares = contenders.map(({ address }) => counts.get(address) ?? 0);
  const bounds = boundsOf(sum(shares) + 1, contenders);
  const agent = agentHash(hostId);
  const chosen =
    contenders[highestOpen(agent, contenders, shares, lacking(shares, bounds) > 0 ? bounds.least : bounds.most)];
  const order = byScore(agent, contenders).map(({ address }) => address);
  if (chosen === undefined) return order;
  return [chosen.address, ...order.filter(address => address !== chosen.address)];
}

/**
 * Assigns all agents, when servers or weights have changed. An agent stays where it is, unless its server is removed or
 * has too many agents. No more agents move than the bounds need: those whose score rises most by the move, each to the
 * server with its highest score among those below their bound. (It is not those with the lowest score for their present
 * server: then the agents with the highest score for a new server would mostly stay, with the new server as the second of
 * their lists, and most agents of a server that dies would go to it.)
 *
 * The order of agents and servers does not matter. Each server of the cluster computes the same result.
 */
export function assignAll(
  agents: readonly AssignedAgent[],
  servers: readonly string[],
  weights: Weights,
): AssignmentPlan {
  return runAtOnce(assignAllInSteps(agents, servers, weights));
}

/** The same in steps, for `runInTurns`. `agents` must not change until the end. */
export function* assignAllInSteps(
  agents: readonly AssignedAgent[],
  servers: readonly string[],
  weights: Weights,
): Interruptible<AssignmentPlan> {
  const contenders = contendersOf(servers, weights);
  const work: Assigning = {
    agents,
    contenders,
    bounds: boundsOf(agents.length, contenders),
    hashes: [],
    serverOf: new Int16Array(agents.length),
    counts: contenders.map(() => 0),
    isStepFull: workCounter(WORK_PER_STEP),
  };
  const unassigned = yield* keepPresentServers(work);
  const leaving = yield* chooseLeaving(work, unassigned.length);
  yield* assignServers(work, [...unassigned, ...leaving]);
  return yield* assignmentOf(work);
}

/** A unit of work is one score, or one agent that is read. A step takes about 1 ms. */
const WORK_PER_STEP = 10_000;

/** The state of the computation. Agents and servers are indices here. */
interface Assigning {
  readonly agents: readonly AssignedAgent[];
  readonly contenders: readonly Contender[];
  readonly bounds: Bounds;
  readonly hashes: Hash64[];
  /** For each agent the index of its server, or NONE. */
  readonly serverOf: Int16Array;
  /** How many agents prefer each server so far. */
  readonly counts: number[];
  readonly isStepFull: (units: number) => boolean;
}

const NONE = -1;
const NO_HASH: Hash64 = { high: 0, low: 0 };

/** Gives each agent the server that it has now. @returns the agents that have none */
function* keepPresentServers({
  agents,
  contenders,
  hashes,
  serverOf,
  counts,
  isStepFull,
}: Assigning): Interruptible<readonly number[]> {
  const indexOf = new Map(contenders.map(({ address }, server) => [address, server]));
  const unassigned: number[] = [];
  for (const [index, { hostId, preferred }] of agents.entries()) {
    hashes.push(agentHash(hostId));
    const server = (preferred === undefined ? undefined : indexOf.get(preferred)) ?? NONE;
    serverOf[index] = server;
    if (server === NONE) unassigned.push(index);
    else counts[server] = at(counts, server) + 1;
    if (isStepFull(1)) yield;
  }
  return unassigned;
}

/**
 * Chooses the agents that leave their server: as many as it has above its upper bound. If servers below their lower bound
 * need more agents than that, more leave, from servers above their lower bound.
 */
function* chooseLeaving(work: Assigning, unassigned: number): Interruptible<readonly number[]> {
  const { contenders, bounds, hashes, serverOf, counts, isStepFull } = work;
  const excess = counts.map((count, server) => Math.max(0, count - at(bounds.most, server)));
  const free = unassigned + sum(excess);
  const wanted = lacking(counts, bounds);
  let more = Math.max(0, wanted - free);
  const room = wanted >= free ? bounds.least : bounds.most;

  const mayGiveUp = counts.map(
    (count, server) => at(excess, server) > 0 || (more > 0 && count > at(bounds.least, server)),
  );
  const candidates: number[] = [];
  for (const [index, server] of serverOf.entries()) {
    if (server !== NONE && at(mayGiveUp, server)) candidates.push(index);
    if (isStepFull(1)) yield;
  }
  /** From 0, for an agent with a much higher score elsewhere, to 1. */
  const attachment = (index: number) => {
    const agent = at(hashes, index);
    const here = scoreOf(agent, at(contenders, at(serverOf, index)));
    const there = scoreOf(agent, at(contenders, highestOpen(agent, contenders, counts, room)));
    return here / (here + there);
  };
  const staying = [...counts];
  const leaving: number[] = [];
  for (const index of yield* ascending(work, candidates, attachment, contenders.length)) {
    const server = at(serverOf, index);
    if (at(excess, server) > 0) excess[server] = at(excess, server) - 1;
    else if (more > 0 && at(staying, server) > at(bounds.least, server)) more--;
    else continue;
    staying[server] = at(staying, server) - 1;
    leaving.push(index);
    if (isStepFull(1)) yield;
  }
  for (const [server, count] of staying.entries()) counts[server] = count;
  return leaving;
}

/** Gives each agent that moves a server. The last ones go to servers that would stay below their lower bound. */
function* assignServers(work: Assigning, moving: readonly number[]): Interruptible<void> {
  const { contenders, bounds, hashes, serverOf, counts, isStepFull } = work;
  if (contenders.length === 0) return;
  let remaining = moving.length;
  let reserved = lacking(counts, bounds);
  // In the order of hashes: which agents find a server full must not depend on their age.
  for (const index of yield* ascending(work, moving, index => uniformOf(at(hashes, index), NO_HASH), 1)) {
    const limits = reserved >= remaining ? bounds.least : bounds.most;
    const server = highestOpen(at(hashes, index), contenders, counts, limits);
    serverOf[index] = server;
    if (at(counts, server) < at(bounds.least, server)) reserved--;
    counts[server] = at(counts, server) + 1;
    remaining--;
    if (isStepFull(contenders.length)) yield;
  }
}

function* assignmentOf(work: Assigning): Interruptible<AssignmentPlan> {
  const { agents, contenders, serverOf, isStepFull } = work;
  const preferred: (string | undefined)[] = [];
  const changes: Change[] = [];
  for (const [index, { hostId, preferred: from }] of agents.entries()) {
    const to = contenders[at(serverOf, index)]?.address;
    preferred.push(to);
    if (to !== undefined && to !== from) changes.push({ hostId, from, to });
    if (isStepFull(1)) yield;
  }
  return { preferred, changes };
}

/** The lower and the upper bound of each server's agents, by its index. */
interface Bounds {
  readonly least: readonly number[];
  readonly most: readonly number[];
}

/**
 * 5 % below and above the share, rounded to whole agents. Without a lower bound, a server that is added to nine others
 * would get half a share: the nine would only give up what they have above their upper bound.
 */
function boundsOf(agents: number, contenders: readonly Contender[]): Bounds {
  const total = sum(contenders.map(({ weight }) => weight));
  // Weights may be decimal fractions, whose sums have rounding errors. A bound that is a whole number stays one.
  const tolerance = 1e-6;
  return {
    least: contenders.map(({ weight }) => Math.floor((19 * agents * weight) / (20 * total) + tolerance)),
    most: contenders.map(({ weight }) => Math.ceil((21 * agents * weight) / (20 * total) - tolerance)),
  };
}

/** How many agents all servers below their lower bound need together. */
function lacking(counts: readonly number[], { least }: Bounds): number {
  return sum(counts.map((count, server) => Math.max(0, at(least, server) - count)));
}

/** The server with the agent's highest score among those below their limit. Of equal scores, the lower address. */
function highestOpen(
  agent: Hash64,
  contenders: readonly Contender[],
  counts: readonly number[],
  limits: readonly number[],
): number {
  let best = NONE;
  let highest = Number.NEGATIVE_INFINITY;
  // Most of the time is spent in this loop: no iterators.
  for (let server = 0; server < contenders.length; server++) {
    if (at(counts, server) >= at(limits, server)) continue;
    const score = scoreOf(agent, at(contenders, server));
    if (score > highest) {
      best = server;
      highest = score;
    }
  }
  return best;
}

/** Small enough to sort a bucket within a step. */
const MEMBERS_PER_BUCKET = 64;

/**
 * Sorts agents by keys in (0, 1) that are distributed more or less evenly. Equal keys are sorted by host id. It can pause,
 * which Array.sort cannot.
 */
function* ascending(
  { agents, isStepFull }: Assigning,
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

/** The element at an index that is known to be in range. */
function at<T>(list: { readonly [index: number]: T }, index: number): T {
  return list[index] as T;
}
