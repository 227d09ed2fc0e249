import { type ApiObject, dateText } from '../../../api/envelope.js';
import type { JobRow } from '../../store/store.js';
import { invalidParameter } from '../api-error.js';
import { dated } from './fields.js';
import type { Handler, HandlerParts } from './handler.js';
import { hostObject } from './host-object.js';
import { readLocations } from './locations.js';

const CODES = { pending: 0, running: 0, succeeded: 1, failed: 2 } as const;

export function queryAsyncJobResult({ store }: HandlerParts): Handler<'queryAsyncJobResult'> {
  return async ({ jobid }) => {
    const job = await store.job(jobid);
    if (job === undefined)
      throw invalidParameter('queryAsyncJobResult', 'jobid', jobid, 'there is no job with this id');
    return { kind: 'plain', fields: { ...jobObject(job), ...(await resultOf(store, job)) } };
  };
}

/** What the command would have answered, had it been carried out at once; of a failed one, the error. */
async function resultOf(store: HandlerParts['store'], job: JobRow): Promise<ApiObject> {
  if (job.result === null) return {};
  const result = JSON.parse(job.result) as ApiObject;
  if (job.status !== 'succeeded' || typeof result.hostid !== 'string') return { jobresult: result };
  const { rows } = await store.findHosts({ uuid: result.hostid, page: 1, pagesize: 1 });
  const [host] = rows;
  return host === undefined ? {} : { jobresult: { host: hostObject(host, await readLocations(store)) } };
}

function jobObject(job: JobRow): ApiObject {
  const isDone = job.completed !== null;
  return {
    jobid: job.uuid,
    cmd: job.cmd,
    jobstatus: CODES[job.status],
    jobprocstatus: 0,
    jobresultcode: job.resultCode ?? 0,
    jobresulttype: isDone ? 'object' : undefined,
    progress: job.progress,
    created: dateText(job.created),
    completed: dated(job.completed),
  };
}
