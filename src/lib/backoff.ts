/** Bounds of a wait after failures. */
export interface BackoffOptions {
  /** The longest first wait. It doubles with every further failure. */
  readonly baseMs: number;
  /** No wait is ever longer. */
  readonly maxMs: number;
}

/**
 * A wait with exponential backoff and full jitter: uniform between 0 and the ceiling. Agents that fail at the same time
 * then come back at different times.
 * @param failures 1 for the first failure
 * @param uniform a random number in [0, 1)
 * @returns milliseconds
 */
export function fullJitter(failures: number, { baseMs, maxMs }: BackoffOptions, uniform: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return uniform * ceiling;
}
