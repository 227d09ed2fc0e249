import { randomInt, randomUUID } from 'node:crypto';

/**
 * The source of random values, so that tests can use a seeded one. Only this file uses `Math.random` and `randomUUID`.
 */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** An integer, uniform in 0 … bound − 1 and not predictable. `bound` is at most 2^48 − 1. */
  int(bound: number): number;
  /** A random UUID, version 4. */
  uuid(): string;
}

/**
 * Random values of the system.
 * @example
 * systemRandom.uuid(); // '3e1b1a52-…'
 */
export const systemRandom: Random = {
  uniform: () => Math.random(),
  int: bound => randomInt(bound),
  uuid: () => randomUUID(),
};
