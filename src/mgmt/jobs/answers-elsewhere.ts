import type { Clock } from '../../lib/clock.js';
import type { LinkElsewhere } from '../agents/guid-guard.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Store } from '../store/store.js';
import { StoreError } from '../store/store-error.js';
import { jobOutcome } from './job-outcome.js';
import type { StartJob } from './job-request.js';

export interface AnswersElsewhereParts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'job' | 'cancelJob'>;
  readonly startJob: StartJob;
}

/** Has another server ask the link that it has of a host. @returns whether the agent has answered in time */
export async function answersElsewhere(
  { clock, store, startJob }: AnswersElsewhereParts,
  { hostId, uuid, msid }: LinkElsewhere,
): Promise<boolean> {
  try {
    const job = await startJob({
      cmd: 'checkHealth',
      params: { id: uuid },
      targetMsid: msid,
      hostId,
      expiresInMs: MGMT_LIMITS.guidAnswerElsewhereMs,
    });
    const outcome = await jobOutcome(store, clock, job, MGMT_LIMITS.guidAnswerElsewhereMs);
    return outcome.status === 'succeeded';
  } catch (error) {
    // While the store is away, only this server's links are asked.
    if (error instanceof StoreError) return false;
    throw error;
  }
}
