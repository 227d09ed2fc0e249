/** How often requests of one address were refused with 401 recently. */
export interface Failures {
  readonly count: number;
  /** When it was counted, in monotonic milliseconds. The count halves with each `HALVED_AFTER_MS` after that. */
  readonly at: number;
}

const FREE = 5;
const STEP_MS = 250;
const LONGEST_MS = 5_000;
const REFUSED_FROM = 100;
const HALVED_AFTER_MS = 30_000;

/** One more failure. */
export function failedAgain(failures: Failures | undefined, now: number): Failures {
  return { count: countAt(failures, now) + 1, at: now };
}

/** By how many milliseconds the next refusal is delayed; undefined: it is given at once, as 429. */
export function heldBackMs(failures: Failures | undefined, now: number): number | undefined {
  const count = countAt(failures, now);
  if (count >= REFUSED_FROM) return undefined;
  return Math.min(LONGEST_MS, Math.max(0, count - FREE) * STEP_MS);
}

function countAt(failures: Failures | undefined, now: number): number {
  return failures === undefined ? 0 : failures.count / 2 ** ((now - failures.at) / HALVED_AFTER_MS);
}
