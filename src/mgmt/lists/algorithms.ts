import { createHash } from 'node:crypto';
import { indexOfId } from '../../lib/sorted-ids.js';
import type { AlgorithmName } from '../config/parameters.js';
import { listFor, type Weights } from './rendezvous.js';

export interface AlgorithmInput {
  /** In the configured order; never empty. */
  readonly servers: readonly string[];
  /** The zone's host ids, ascending. */
  readonly zoneHostIds: readonly number[];
  readonly hostId: number;
  /** Belongs to the configuration's version: a shuffle is the same on every server. */
  readonly seed: string;
  /** The host's assignment, and weights by address; for `rendezvous` only. */
  readonly preferred?: string | undefined;
  readonly weights?: Weights;
}

/** Orders the host list for one agent; the first entry is its preferred host. */
export type Algorithm = (input: AlgorithmInput) => readonly string[];

const asConfigured: Algorithm = ({ servers }) => servers;

/** Rotated left by the host's position in its zone: A,B,C / B,C,A / C,A,B. A host that is not in it counts as the last. */
const roundrobin: Algorithm = ({ servers, zoneHostIds, hostId }) => {
  const start = indexOfId(zoneHostIds, hostId) % servers.length;
  return [...servers.slice(start), ...servers.slice(0, start)];
};

/** Fisher-Yates: every order is as likely as any other. */
const shuffle: Algorithm = ({ servers, seed, hostId }) => {
  const draw = uniformIntegers(`${seed}:${hostId}`);
  const list = [...servers];
  for (let last = list.length - 1; last > 0; last--) {
    const other = draw(last + 1);
    // Both are indices of the list.
    [list[last], list[other]] = [list[other] as string, list[last] as string];
  }
  return list;
};

/** The assigned server, then the others by highest random weight. */
const rendezvous: Algorithm = ({ servers, hostId, preferred, weights = NO_WEIGHTS }) =>
  listFor(hostId, preferred, servers, weights);

const NO_WEIGHTS: Weights = new Map();

/** By the names that travel as `lbAlgorithm`. */
export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = {
  static: asConfigured,
  roundrobin,
  shuffle,
  rendezvous,
};

const DRAWS_PER_BLOCK = 8;

/**
 * Uniform integers that follow from the seed alone: 32-bit words of SHA-256 in counter mode. A hash and no arithmetic
 * generator, since seeds that differ by 1, as host ids do, must not give similar orders.
 */
function uniformIntegers(seed: string): (bound: number) => number {
  let block = Buffer.alloc(0);
  let drawn = 0;
  const word = () => {
    const at = drawn % DRAWS_PER_BLOCK;
    if (at === 0)
      block = createHash('sha256')
        .update(`${seed}:${drawn / DRAWS_PER_BLOCK}`)
        .digest();
    drawn++;
    return block.readUInt32BE(4 * at);
  };
  return bound => {
    // The words above the last whole multiple of `bound` would favour small numbers.
    const usable = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = word();
      if (value < usable) return value % bound;
    }
  };
}
