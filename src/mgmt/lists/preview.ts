import { type Interruptible, mapInSteps, workCounter } from '../../lib/interruptible.js';
import { isSameSet } from '../../lib/same-set.js';
import type { AlgorithmName } from '../config/parameters.js';
import { algorithms } from './algorithms.js';
import { assignAllInSteps } from './assign.js';
import type { Weights } from './rendezvous.js';

/** The part of the configuration that lists depend on. */
export interface ListSettings {
  readonly algorithm: AlgorithmName;
  readonly servers: readonly string[];
  readonly weights: Weights;
  /** The generation of the configuration; of a proposal, the generation that it would get. */
  readonly seed: string;
}

/** A host, with what a preview needs of it. */
export interface ListedAgent {
  readonly hostId: number;
  readonly zoneId: number;
  /**
   * Its preferred host now: with `rendezvous` its assignment, otherwise the head of the list that it last reported or
   * acknowledged. Undefined when it is not known: then the present settings say it.
   */
  readonly preferred?: string | undefined;
}

/** What a change of the settings would do. */
export interface Preview {
  /** How many would have another preferred host than now. */
  readonly moving: number;
  /** How many agents would prefer each server, in the order of the proposed servers. */
  readonly shares: ReadonlyMap<string, number>;
  /** The preferred host of each agent now, and as proposed, in the order of the agents. */
  readonly before: readonly (string | undefined)[];
  readonly after: readonly (string | undefined)[];
}

/**
 * Computes what a change of the settings would do. For `runInTurns`.
 * @param agents all hosts that are not removed: the ids of the zones' hosts, which roundrobin needs, are taken from them
 */
export function* previewInSteps(
  agents: readonly ListedAgent[],
  now: ListSettings,
  proposed: ListSettings,
): Interruptible<Preview> {
  const before = yield* presentHosts(agents, now);
  const after = yield* proposedHosts(agents, before, now, proposed);
  const shares = new Map(proposed.servers.map(address => [address, 0]));
  let moving = 0;
  const isStepFull = workCounter(ENTRIES_PER_STEP);
  for (const [index, first] of after.entries()) {
    if (first !== undefined) shares.set(first, (shares.get(first) ?? 0) + 1);
    if (first !== before[index]) moving++;
    if (isStepFull(1)) yield;
  }
  return { moving, shares, before, after };
}

/** Whether a change leaves all lists as they are: nothing that this algorithm depends on is different. */
export function giveSameLists(now: ListSettings, proposed: ListSettings): boolean {
  if (now.algorithm !== proposed.algorithm) return false;
  switch (now.algorithm) {
    case 'shuffle':
      // Agents keep a list of the same servers, whatever the seed.
      return isSameSet(now.servers, proposed.servers);
    case 'rendezvous':
      return (
        isSameSet(now.servers, proposed.servers) &&
        now.servers.every(server => (now.weights.get(server) ?? 1) === (proposed.weights.get(server) ?? 1))
      );
    case 'static':
    case 'roundrobin':
      return now.servers.join() === proposed.servers.join();
  }
}

type FirstHosts = readonly (string | undefined)[];

function* presentHosts(agents: readonly ListedAgent[], now: ListSettings): Interruptible<FirstHosts> {
  const known = yield* mapInSteps(agents, ({ preferred }) => preferred);
  if (!known.includes(undefined)) return known;
  const computed = yield* computedHosts(agents, now);
  return yield* mapInSteps(known, (preferred, index) => preferred ?? computed[index]);
}

function* proposedHosts(
  agents: readonly ListedAgent[],
  before: FirstHosts,
  now: ListSettings,
  proposed: ListSettings,
): Interruptible<FirstHosts> {
  if (giveSameLists(now, proposed)) return before;
  // With rendezvous, agents stay where they are as far as possible, also after another algorithm.
  const placed = yield* mapInSteps(agents, ({ hostId, zoneId }, index) => ({
    hostId,
    zoneId,
    preferred: before[index],
  }));
  return yield* computedHosts(placed, proposed);
}

function* computedHosts(agents: readonly ListedAgent[], settings: ListSettings): Interruptible<FirstHosts> {
  const { algorithm, servers, weights, seed } = settings;
  if (algorithm === 'rendezvous') return (yield* assignAllInSteps(agents, servers, weights)).preferred;
  const zoneHostIds = yield* zoneHostIdsInSteps(agents);
  const isStepFull = workCounter(LISTS_PER_STEP);
  const firsts: (string | undefined)[] = [];
  for (const { hostId, zoneId } of agents) {
    const input = { servers, zoneHostIds: zoneHostIds.get(zoneId) ?? [], hostId, seed };
    firsts.push(servers.length === 0 ? undefined : algorithms[algorithm](input)[0]);
    if (isStepFull(1)) yield;
  }
  return firsts;
}

/** A shuffle takes one or two hashes, so that a step takes about 2 ms. */
const LISTS_PER_STEP = 500;

/** Entries of a list that are looked at in one step, a millisecond or two. */
const ENTRIES_PER_STEP = 5_000;

/** The ids of each zone's hosts, ascending. */
export function* zoneHostIdsInSteps(
  agents: readonly ListedAgent[],
): Interruptible<ReadonlyMap<number, readonly number[]>> {
  const isStepFull = workCounter(ENTRIES_PER_STEP);
  const zones = new Map<number, number[]>();
  for (const { hostId, zoneId } of agents) {
    const ids = zones.get(zoneId);
    if (ids === undefined) zones.set(zoneId, [hostId]);
    else ids.push(hostId);
    if (isStepFull(1)) yield;
  }
  for (const ids of zones.values()) ids.sort((one, other) => one - other);
  return zones;
}
