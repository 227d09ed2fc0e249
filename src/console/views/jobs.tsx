import { effect } from '@preact/signals';
import { ask, Refusal } from '../api.js';
import { jobs } from '../live.js';
import { hasFailed, isUnderWay, type Job, lookOf } from '../model/jobs.js';

/** Waits until the job has ended; the stream tells of it. @returns what came of it @throws Refusal: it has failed */
export async function outcomeOf(jobid: string): Promise<Readonly<Record<string, unknown>>> {
  await new Promise<void>(resolve => {
    const stop = effect(() => {
      const job = jobs.value.find(one => one.jobid === jobid);
      if (job === undefined || isUnderWay(job)) return;
      resolve();
      queueMicrotask(() => stop());
    });
  });
  const job = await ask('queryAsyncJobResult', { jobid });
  if (!hasFailed(job)) return job.jobresult ?? {};
  throw new Refusal(530, lookOf(job).howFar || 'The job has failed.');
}

export function JobState({ job }: { readonly job: Job }) {
  const { kind, state } = lookOf(job);
  return <span class={`tag ${kind}`}>{state}</span>;
}
