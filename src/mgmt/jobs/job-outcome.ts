import { type Clock, delay } from '../../lib/clock.js';
import type { JobRow, Store } from '../store/store.js';

const POLL_MS = 250;
const LONGEST_MS = 60_000;

/**
 * Waits up to a minute until a job has an outcome.
 * @returns the job with its outcome; undefined when it takes longer
 * @throws StoreError
 */
export async function jobOutcome(
  store: Pick<Store, 'job'>,
  clock: Clock,
  started: JobRow,
): Promise<JobRow | undefined> {
  const deadline = clock.now() + LONGEST_MS;
  for (;;) {
    const job = (await store.job(started.uuid)) ?? started;
    if (job.status === 'succeeded' || job.status === 'failed') return job;
    if (clock.now() >= deadline) return undefined;
    await delay(clock, POLL_MS);
  }
}

/** The reason of a job that failed. */
export function errorTextOf({ result }: JobRow): string {
  // Written by one of our own servers.
  const { errortext } = (result === null ? {} : JSON.parse(result)) as { errortext?: unknown };
  return typeof errortext === 'string' ? errortext : 'it failed without a reason';
}
