import { createHash } from 'node:crypto';
import type { AlgorithmName } from '../config/parameters.js';
import { indexOfId } from '../hosts/sorted-ids.js';
import { listFor, type Weights } from './rendezvous.js';

/** What the list of one agent depends on. */
export interface AlgorithmInput {
  /** Addresses, in the configured order; never empty. */
  readonly servers: readonly string[];
  /** The zone's host ids, ascending. */
  readonly zoneHostIds: readonly number[];
  readonly hostId: number;
  /** The generation of the configuration: a shuffle is the same on every server. */
  readonly seed: string;
  /** The host's assignment. For `rendezvous` only. */
  readonly preferred?: string | undefined;
  /** Weights of servers by address. For `rendezvous` only. */
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

/** Fisher-Yates: all orders have the same probability. */
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

/** The algorithms by the names that travel as `lbAlgorithm`. */
export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = {
  static: asConfigured,
  roundrobin,
  shuffle,
  rendezvous,
};

const DRAWS_PER_BLOCK = 8;

/**
 * Uniform integers that depend on the seed alone: 32-bit words of SHA-256 in counter mode. It is a hash instead of an
 * arithmetic generator, because seeds that differ by 1, as host ids do, must not give similar orders.
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
    // Words above the last whole multiple of `bound` are not used: small numbers would be more probable.
    const usable = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = word();
      if (value < usable) return value % bound;
    }
  };
}
