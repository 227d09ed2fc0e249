import type { Clock } from '../../lib/clock.js';
import { peerText } from '../../lib/text/peer-text.js';
import { pause } from '../store/pause.js';
import type { JobOutcome, JobRow, Store } from '../store/store.js';

const POLL_MS = 250;
/** How long a job whose caller waits may take to be started. Its server looks every two seconds. */
export const STARTED_WITHIN_MS = 30_000;

export interface JobOutcomeParts {
  readonly store: Pick<Store, 'job' | 'cancelJob'>;
  readonly clock: Clock;
  /** Aborted when the server stops: the waits end then. */
  readonly stopping: AbortSignal;
}

/**
 * Waits until a job has ended, which must expire within `startedWithinMs`. A job that no server has started by then is
 * cancelled, so that it is never carried out after its caller has been refused. One that has been started is waited for:
 * it ends, at the latest by being failed when its server is found silent.
 * @returns the job as it is at its end: succeeded, failed or expired
 * @throws StoreError, STORE_CLOSED when the server stops; then the job is cancelled, or expires
 */
export async function jobOutcome(
  parts: JobOutcomeParts,
  started: JobRow,
  startedWithinMs: number = STARTED_WITHIN_MS,
): Promise<JobRow> {
  const { store, clock } = parts;
  const deadline = clock.now() + startedWithinMs;
  const cancel = () => store.cancelJob(started.uuid, failure(NOT_STARTED));
  try {
    for (;;) {
      const job = await store.job(started.uuid);
      if (job === undefined) throw new Error(`job ${started.uuid} is gone`);
      if (job.status !== 'pending' && job.status !== 'running') return job;
      if (job.status === 'pending' && clock.now() >= deadline) await cancel();
      else await pause(parts, POLL_MS);
    }
  } catch (error) {
    await cancel().catch(() => {});
    throw error;
  }
}

const NOT_STARTED = 'the management server that has to do it did not begin in time';

/** An error's outcome: the reason as the store can keep it, and a page can show it. */
export function failure(reason: string): JobOutcome & { readonly status: 'failed' } {
  return { status: 'failed', resultCode: 530, result: JSON.stringify({ errorcode: 530, errortext: peerText(reason) }) };
}

/** What became of a job that has ended, as an object: what its work returned, or the error. Undefined: it has not ended. */
export function resultOf({ status, result }: JobRow): Readonly<Record<string, unknown>> | undefined {
  const text = status === 'expired' ? failure(NOT_STARTED).result : result;
  // JSON that was written by one of our own servers.
  return text === null ? undefined : (JSON.parse(text) as Readonly<Record<string, unknown>>);
}

/** The reason of a job that failed. */
export function errorTextOf(job: JobRow): string {
  const errortext = resultOf(job)?.errortext;
  return typeof errortext === 'string' ? errortext : 'it failed without a reason';
}
