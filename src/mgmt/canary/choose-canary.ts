import { type Interruptible, workCounter } from '../../lib/interruptible.js';
import { agentHash } from '../lists/rendezvous.js';
import { hash64, uniformOf } from '../lists/score-hash.js';
import type { AgentRow } from '../store/store.js';

/** A host takes a hash or two, so that a step takes about 2 ms. */
const HOSTS_PER_STEP = 2_000;

/**
 * Chooses the hosts of a canary: those whose hash with its id falls below the percentage, so that each canary has others.
 * At least one of them is Up if any host is. For `runInTurns`.
 * @param percent of the hosts, above 0
 * @returns their indices
 */
export function* chooseCanary(
  hosts: readonly Pick<AgentRow, 'id' | 'status'>[],
  canaryId: number,
  percent: number,
): Interruptible<readonly number[]> {
  const canary = hash64(`canary ${canaryId}`);
  const isStepFull = workCounter(HOSTS_PER_STEP);
  const chosen: number[] = [];
  let hasUp = false;
  /** Of the others: the one with the lowest hash, one that is Up before all that are not. */
  let next: { readonly index: number; readonly hash: number; readonly isUp: boolean } | undefined;
  for (const [index, { id, status }] of hosts.entries()) {
    const hash = uniformOf(agentHash(id), canary);
    const isUp = status === 'Up';
    if (hash < percent / 100) {
      chosen.push(index);
      hasUp ||= isUp;
    } else if (next === undefined || (isUp === next.isUp ? hash < next.hash : isUp)) {
      next = { index, hash, isUp };
    }
    if (isStepFull(1)) yield;
  }
  const isLacking = chosen.length === 0 || !hasUp;
  return isLacking && next !== undefined && (next.isUp || chosen.length === 0) ? [...chosen, next.index] : chosen;
}
