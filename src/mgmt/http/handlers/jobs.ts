import { dateText } from '../../../api/moment.js';
import type { Params, Response } from '../../../api/types.js';
import type { JobRow } from '../../store/store.js';
import { invalidParameter } from '../api-error.js';
import { dated } from './fields.js';
import type { HandlerParts } from './handler.js';
import { hostObject } from './host-object.js';
import { readLocations } from './locations.js';

const STATUS = { pending: 0, running: 0, succeeded: 1, failed: 2 } as const;

export async function queryAsyncJobResult(
  { store }: HandlerParts,
  { jobid }: Params<'queryAsyncJobResult'>,
): Promise<Response<'queryAsyncJobResult'>> {
  const job = await store.job(jobid);
  if (job === undefined) throw invalidParameter('queryAsyncJobResult', 'jobid', jobid, 'there is no job with this id');
  return {
    jobid: job.uuid,
    cmd: job.cmd,
    jobstatus: STATUS[job.status],
    jobprocstatus: 0,
    jobresultcode: job.resultCode ?? 0,
    jobresulttype: job.completed === null ? undefined : 'object',
    jobresult: await resultOf(store, job),
    jobinstanceid: await instanceOf(store, job),
    progress: job.progress,
    created: dateText(job.created),
    completed: dated(job.completed),
  };
}

/** What the command would have answered without a job. For a job that has failed, the error. */
async function resultOf(
  store: HandlerParts['store'],
  job: JobRow,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (job.result === null) return undefined;
  const result = jsonObject(job.result);
  if (job.status !== 'succeeded' || typeof result.hostid !== 'string') return result;
  const { rows } = await store.findHosts({ uuid: result.hostid, page: 1, pagesize: 1 });
  const [host] = rows;
  return host === undefined ? undefined : { host: hostObject(host, await readLocations(store)) };
}

/** The id of the host that the job is about, which may have been removed; otherwise the id of its server. */
async function instanceOf(store: HandlerParts['store'], job: JobRow): Promise<string | undefined> {
  if (job.hostId !== null) {
    const { id } = jsonObject(job.params);
    return typeof id === 'string' ? id : undefined;
  }
  return (await store.servers()).find(({ msid }) => msid === job.targetMsid)?.uuid;
}

/** JSON that a management server has written. */
function jsonObject(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
