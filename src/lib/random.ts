import { randomInt, randomUUID } from 'node:crypto';

/** Chance comes in through the door, like time. This is the only file that touches `Math.random`. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform in 0 … bound − 1, unpredictable; `bound` at most 2^48 − 1. */
  int(bound: number): number;
  uuid(): string;
}

export const systemRandom: Random = {
  uniform: () => Math.random(),
  int: bound => randomInt(bound),
  uuid: () => randomUUID(),
};
