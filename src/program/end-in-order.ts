import { withinLimit } from '../lib/abort.js';
import type { Clock } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';

/** One thing to end, with its name for the log. */
export type EndStep = readonly [what: string, end: () => unknown];

/** A step that has not ended after this is left behind. */
const STEP_LIMIT_MS = 10_000;

/**
 * Ends things one after another. A step that throws, or takes longer than 10 s, is logged, and the next one follows.
 * Never rejects.
 */
export async function endInOrder(steps: readonly EndStep[], { clock, log }: { clock: Clock; log: Log }): Promise<void> {
  for (const [what, end] of steps) {
    try {
      await withinLimit(
        clock,
        STEP_LIMIT_MS,
        async () => end(),
        () => {
          throw new Error(`not within ${STEP_LIMIT_MS / 1000} s`);
        },
      );
    } catch (error) {
      log.error('The stop goes on without this', { what, reason: reasonOf(error) });
    }
  }
}
