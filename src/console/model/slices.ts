import type { Interruptible } from '../../lib/interruptible.js';

export interface SlicesParts {
  /** Milliseconds; never back. */
  elapsed(): number;
  /** Lets the page draw and answer. */
  turn(): Promise<void>;
  /** Asked before each slice. @default it is */
  isWanted?(): boolean;
}

/** A frame has 16 ms, and the page does more in it. */
const SLICE_MS = 8;

/**
 * Carries out a computation in slices, between which the page draws and answers.
 * @returns undefined: it is not wanted any more
 */
export async function inSlices<T>(
  computation: Interruptible<T>,
  { elapsed, turn, isWanted = () => true }: SlicesParts,
): Promise<T | undefined> {
  while (isWanted()) {
    const until = elapsed() + SLICE_MS;
    do {
      const step = computation.next();
      if (step.done) return step.value;
    } while (elapsed() < until);
    await turn();
  }
  return undefined;
}
