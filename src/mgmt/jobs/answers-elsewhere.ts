import { withinLimit } from '../../lib/abort.js';
import type { LinkElsewhere } from '../agents/guid-guard.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { StoreError } from '../store/store-error.js';
import { type JobOutcomeParts, jobOutcome } from './job-outcome.js';
import type { StartJob } from './job-request.js';

export interface AnswersElsewhereParts extends JobOutcomeParts {
  readonly startJob: StartJob;
}

/**
 * Has another server ask the link that it has of a host.
 * @returns whether the agent has answered in time
 * @throws StoreError STORE_CLOSED: this server stops
 */
export function answersElsewhere(parts: AnswersElsewhereParts, host: LinkElsewhere): Promise<boolean> {
  // A job that has begun is not waited for longer: its server may have died while it carried the job out.
  return withinLimit(
    parts.clock,
    MGMT_LIMITS.guidAnswerElsewhereMs,
    () => askByJob(parts, host),
    () => false,
  );
}

async function askByJob(parts: AnswersElsewhereParts, { hostId, uuid, msid }: LinkElsewhere): Promise<boolean> {
  const expiresInMs = MGMT_LIMITS.guidAnswerElsewhereMs;
  try {
    const job = await parts.startJob({
      cmd: 'checkHealth',
      params: { id: uuid },
      targetMsid: msid,
      hostId,
      expiresInMs,
    });
    return (await jobOutcome(parts, job, expiresInMs)).status === 'succeeded';
  } catch (error) {
    // While the store is away, only this server's links are asked.
    if (error instanceof StoreError && !parts.stopping.aborted) return false;
    throw error;
  }
}
