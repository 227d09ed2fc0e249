import { withinLimit } from '../../lib/abort.js';
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
export function answersElsewhere(parts: AnswersElsewhereParts, host: LinkElsewhere): Promise<boolean> {
  // A job that has begun is not waited for longer: its server may have died while it carried the job out.
  return withinLimit(
    parts.clock,
    MGMT_LIMITS.guidAnswerElsewhereMs,
    () => askByJob(parts, host),
    () => false,
  );
}

async function askByJob(
  { clock, store, startJob }: AnswersElsewhereParts,
  { hostId, uuid, msid }: LinkElsewhere,
): Promise<boolean> {
  const expiresInMs = MGMT_LIMITS.guidAnswerElsewhereMs;
  try {
    const job = await startJob({ cmd: 'checkHealth', params: { id: uuid }, targetMsid: msid, hostId, expiresInMs });
    return (await jobOutcome(store, clock, job, expiresInMs)).status === 'succeeded';
  } catch (error) {
    // While the store is away, only this server's links are asked.
    if (error instanceof StoreError) return false;
    throw error;
  }
}
