export interface BackoffOptions {
  /** The ceiling of the first wait; it doubles with every further failure. */
  readonly baseMs: number;
  /** No wait is ever longer. */
  readonly maxMs: number;
}

/**
 * Full jitter: uniform between 0 and the exponential ceiling, so that ten thousand agents which failed together do not
 * come back together.
 * @param failures 1 for the first failure
 * @param uniform a random number in [0, 1)
 * @returns milliseconds
 */
export function fullJitter(failures: number, { baseMs, maxMs }: BackoffOptions, uniform: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return uniform * ceiling;
}
