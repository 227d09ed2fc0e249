import { effect } from '@preact/signals';
import { ask, Refusal } from '../api.js';
import { type Job, jobs } from '../live.js';

const FAILED = 2;
const UNDER_WAY = 0;

export function isUnderWay({ jobstatus }: Job): boolean {
  return jobstatus === UNDER_WAY;
}

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
  const { jobstatus, jobresult } = await ask('queryAsyncJobResult', { jobid });
  if (jobstatus !== FAILED) return jobresult ?? {};
  const { errortext } = (jobresult ?? {}) as { readonly errortext?: string };
  throw new Refusal(530, errortext ?? 'The job has failed.');
}

export function JobState({ job }: { readonly job: Job }) {
  const [kind, text] =
    job.jobstatus === UNDER_WAY
      ? ['notice', 'under way']
      : job.jobstatus === FAILED
        ? ['bad', 'failed']
        : ['good', 'done'];
  return <span class={`tag ${kind}`}>{text}</span>;
}

export function errorOf({ jobresult }: Job): string {
  return ((jobresult ?? {}) as { readonly errortext?: string }).errortext ?? '';
}
