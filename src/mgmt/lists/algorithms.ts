import { createHash } from 'node:crypto';
import { listFor, type Weights } from './rendezvous.js';

export interface PlacementInput {
  /** In the configured order; never empty. */
  readonly servers: readonly string[];
  /** The zone's host ids, ascending. */
  readonly ring: readonly number[];
  readonly hostId: number;
  /** Belongs to the configuration's version: a shuffle is the same on every server. */
  readonly seed: string;
  /** The sticky first server of the host, and weights by address; only `rendezvous` looks at them. */
  readonly preferred?: string | undefined;
  readonly weights?: Weights;
}

/** Orders the host list for one agent; the first entry is its preferred host. */
export type Algorithm = (input: PlacementInput) => readonly string[];

const asConfigured: Algorithm = ({ servers }) => servers;

/** Rotated left, one step further for each agent of the ring: A,B,C / B,C,A / C,A,B. */
const roundrobin: Algorithm = ({ servers, ring, hostId }) => {
  const start = ringIndex(ring, hostId) % servers.length;
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

/** Highest random weight, behind the server that the host keeps. */
const sticky: Algorithm = ({ servers, hostId, preferred, weights = NO_WEIGHTS }) =>
  listFor(hostId, preferred, servers, weights);

const NO_WEIGHTS: Weights = new Map();

/** By the names that travel as `lbAlgorithm`. */
export const algorithms = { static: asConfigured, roundrobin, shuffle, rendezvous: sticky } as const satisfies Record<
  string,
  Algorithm
>;

export type AlgorithmName = keyof typeof algorithms;
export const ALGORITHM_NAMES = Object.keys(algorithms) as readonly AlgorithmName[];

/** Where the id stands in the ring; one that is not in it joins at its end. */
export function ringIndex(ring: readonly number[], hostId: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ring[middle] ?? 0) < hostId) low = middle + 1;
    else high = middle;
  }
  return ring[low] === hostId ? low : ring.length;
}

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
