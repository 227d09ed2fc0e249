import { dateText } from '../../../api/moment.js';
import type { Params, Response } from '../../../api/types.js';
import { commandNames } from '../../commands/command-job.js';
import { resultOf } from '../../jobs/job-outcome.js';
import { readLargePage } from '../../store/pages.js';
import type { JobRow } from '../../store/store.js';
import { dated, present } from '../answers/fields.js';
import { momentOf } from '../answers/moments.js';
import { paging } from '../answers/paging.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts } from './handler.js';
import { hostObject } from './host-object.js';
import { idOf, type Locations, readLocations } from './locations.js';

const STATUS = { pending: 0, running: 0, succeeded: 1, failed: 2, expired: 2 } as const;

export async function queryAsyncJobResult(
  { store }: HandlerParts,
  { jobid }: Params<'queryAsyncJobResult'>,
): Promise<Response<'queryAsyncJobResult'>> {
  const job = await store.job(jobid);
  if (job === undefined) throw invalidParameter('queryAsyncJobResult', 'jobid', jobid, 'there is no job with this id');
  const locations = await readLocations(store);
  return jobObject(job, locations, await answerOf(store, job, locations));
}

export async function listAsyncJobs(
  { store }: HandlerParts,
  params: Params<'listAsyncJobs'>,
): Promise<Response<'listAsyncJobs'>> {
  const command = 'listAsyncJobs';
  const locations = await readLocations(store);
  const msid = idOf(command, 'managementserverid', locations.servers, params.managementserverid, server => server.msid);
  const query = {
    ...paging(command, params),
    ...present({ since: momentOf(command, 'startdate', params.startdate), msid }),
  };
  const { count, rows } = await readLargePage(part => store.jobs(part), query);
  return { count, items: rows.map(row => jobObject(row, locations, resultOf(row))) };
}

function jobObject(
  job: JobRow,
  { servers }: Locations,
  jobresult: Readonly<Record<string, unknown>> | undefined,
): Response<'queryAsyncJobResult'> {
  const server = servers.get(job.runnerMsid ?? job.targetMsid);
  return {
    jobid: job.uuid,
    cmd: job.cmd,
    commands: commandNames(job),
    jobstatus: STATUS[job.status],
    jobprocstatus: 0,
    jobresultcode: job.status === 'expired' ? 530 : (job.resultCode ?? 0),
    jobresulttype: job.completed === null ? undefined : 'object',
    jobresult,
    jobinstanceid: job.hostId === null ? servers.get(job.targetMsid)?.uuid : hostIdOf(job),
    managementserverid: server?.uuid,
    managementservername: server?.name,
    // Of a job that has ended the result tells.
    progress: job.completed === null ? job.progress : undefined,
    createdby: job.createdBy,
    created: dateText(job.created),
    completed: dated(job.completed),
  };
}

/** What the command would have answered, had it been carried out at once; of a job that failed, the error. */
async function answerOf(
  store: HandlerParts['store'],
  job: JobRow,
  locations: Locations,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const result = resultOf(job);
  if (job.status !== 'succeeded' || typeof result?.hostid !== 'string') return result;
  const { rows } = await store.findHosts({ uuid: result.hostid, page: 1, pagesize: 1 });
  const [host] = rows;
  return host === undefined ? undefined : { host: hostObject(host, locations) };
}

/** The id of the host that the job is about, which may be removed by now. */
function hostIdOf({ params }: JobRow): string | undefined {
  // JSON that was written by one of our own servers.
  const { id } = JSON.parse(params) as Readonly<Record<string, unknown>>;
  return typeof id === 'string' ? id : undefined;
}
