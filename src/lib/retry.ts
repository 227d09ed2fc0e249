import { type Clock, delay } from './clock.js';

/** Milliseconds between two attempts. */
const RETRY_MS = 2_000;

/**
 * Carries out work, and again every 2 s while it fails with an error that may pass.
 * @param parts.stopping no further attempt is made once it aborts
 * @throws an error that does not pass, or the reason of `stopping`
 */
export async function retryWhile<T>(
  { clock, stopping }: { readonly clock: Clock; readonly stopping: AbortSignal },
  work: () => Promise<T>,
  mayPass: (error: unknown) => boolean,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (stopping.aborted || !mayPass(error)) throw error;
    }
    await delay(clock, RETRY_MS, stopping);
    stopping.throwIfAborted();
  }
}
