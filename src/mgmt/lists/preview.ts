import { type Interruptible, runAtOnce, workCounter } from '../../lib/interruptible.js';
import { isSameSet } from '../../lib/same-set.js';
import type { AlgorithmName } from '../config/parameters.js';
import { algorithms } from './algorithms.js';
import { assignAllInSteps } from './assign.js';
import type { Weights } from './rendezvous.js';

/** All of the configuration that lists follow from. */
export interface ListSettings {
  readonly algorithm: AlgorithmName;
  readonly servers: readonly string[];
  readonly weights: Weights;
  /** Belongs to the configuration's version; that of a proposal is the version that it would get. */
  readonly seed: string;
}

export interface ListedAgent {
  readonly hostId: number;
  readonly zoneId: number;
  /**
   * The head of the list that it has now: the one in the host's row with `rendezvous`, otherwise of the list that it last
   * reported or acknowledged. Undefined where nobody knows: then it counts as what the present settings would give it.
   */
  readonly preferred?: string | undefined;
}

export interface Preview {
  readonly agents: number;
  /** How many would have another first host than now. */
  readonly moving: number;
  /** How many agents each server would lead, in the order of the proposed servers. */
  readonly shares: ReadonlyMap<string, number>;
  /** The first host of each agent now, and as proposed, in the order of the agents. */
  readonly before: readonly (string | undefined)[];
  readonly after: readonly (string | undefined)[];
}

/**
 * What a change of the settings would do, before it is made.
 * @param agents all that are not removed: the zones' host ids, which roundrobin needs, are made from them
 */
export function preview(agents: readonly ListedAgent[], now: ListSettings, proposed: ListSettings): Preview {
  return runAtOnce(previewInSteps(agents, now, proposed));
}

/** Likewise, for `runInTurns`. */
export function* previewInSteps(
  agents: readonly ListedAgent[],
  now: ListSettings,
  proposed: ListSettings,
): Interruptible<Preview> {
  const before = yield* presentHosts(agents, now);
  const after = yield* proposedHosts(agents, before, now, proposed);
  const shares = new Map(proposed.servers.map(address => [address, 0]));
  let moving = 0;
  for (const [index, first] of after.entries()) {
    if (first !== undefined) shares.set(first, (shares.get(first) ?? 0) + 1);
    if (first !== before[index]) moving++;
  }
  return { agents: agents.length, moving, shares, before, after };
}

/** Whether lists stay as they are: nothing that they follow from is different, for this algorithm. */
export function giveSameLists(now: ListSettings, proposed: ListSettings): boolean {
  if (now.algorithm !== proposed.algorithm) return false;
  switch (now.algorithm) {
    case 'shuffle':
      // An equal set under the same name is not sent again, whatever the seed.
      return isSameSet(now.servers, proposed.servers);
    case 'rendezvous':
      return (
        isSameSet(now.servers, proposed.servers) &&
        now.servers.every(server => (now.weights.get(server) ?? 1) === (proposed.weights.get(server) ?? 1))
      );
    default:
      return now.servers.join() === proposed.servers.join();
  }
}

type FirstHosts = readonly (string | undefined)[];

function* presentHosts(agents: readonly ListedAgent[], now: ListSettings): Interruptible<FirstHosts> {
  if (agents.every(({ preferred }) => preferred !== undefined)) return agents.map(({ preferred }) => preferred);
  const computed = yield* computedHosts(agents, now);
  return agents.map(({ preferred }, index) => preferred ?? computed[index]);
}

function* proposedHosts(
  agents: readonly ListedAgent[],
  before: FirstHosts,
  now: ListSettings,
  proposed: ListSettings,
): Interruptible<FirstHosts> {
  if (giveSameLists(now, proposed)) return before;
  // From another algorithm too, rendezvous takes agents over where they are.
  return yield* computedHosts(
    agents.map(({ hostId, zoneId }, index) => ({ hostId, zoneId, preferred: before[index] })),
    proposed,
  );
}

function* computedHosts(agents: readonly ListedAgent[], settings: ListSettings): Interruptible<FirstHosts> {
  const { algorithm, servers, weights, seed } = settings;
  if (algorithm === 'rendezvous') return (yield* assignAllInSteps(agents, servers, weights)).preferred;
  const zoneHostIds = zoneHostIdsOf(agents);
  const isStepFull = workCounter(LISTS_PER_STEP);
  const firsts: (string | undefined)[] = [];
  for (const { hostId, zoneId } of agents) {
    const input = { servers, zoneHostIds: zoneHostIds.get(zoneId) ?? [], hostId, seed };
    firsts.push(servers.length === 0 ? undefined : algorithms[algorithm](input)[0]);
    if (isStepFull(1)) yield;
  }
  return firsts;
}

/** A shuffle takes a hash or two: about 2 ms of them. */
const LISTS_PER_STEP = 500;

/** The ids of each zone's hosts, ascending. */
export function zoneHostIdsOf(agents: readonly ListedAgent[]): ReadonlyMap<number, readonly number[]> {
  const zones = new Map<number, number[]>();
  for (const { hostId, zoneId } of agents) {
    const ids = zones.get(zoneId);
    if (ids === undefined) zones.set(zoneId, [hostId]);
    else ids.push(hostId);
  }
  for (const ids of zones.values()) ids.sort((one, other) => one - other);
  return zones;
}
