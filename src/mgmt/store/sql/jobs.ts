import type { Selectable } from 'kysely';
import { JOBS_A_LOOK, type JobRow, type JobStore } from '../job-store.js';
import type { JobTable } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

const UNFINISHED = ['pending', 'running'] as const;
const FINISHED = ['succeeded', 'failed'] as const;
const DELETED_A_CALL = 1_000;

/** Jobs: each is started by exactly one server, and finished by that one. */
export function jobStore(transactions: Transactions): JobStore {
  const { database, random } = transactions;
  return {
    createJob: job =>
      transactions.write('createJob', async db => {
        const row: Selectable<JobTable> = {
          id: await raiseSequence(db, 'async_job'),
          uuid: random.uuid(),
          cmd: job.cmd,
          params: job.params,
          target_msid: job.targetMsid,
          host_id: job.hostId,
          created_by: job.createdBy,
          status: 'pending',
          runner_msid: null,
          progress: null,
          result_code: null,
          result: null,
          created: await database.storeTime(db),
          started: null,
          completed: null,
          expires: null,
        };
        await db.insertInto('async_job').values(row).execute();
        return jobOf(row);
      }),

    pendingJobs: msid =>
      transactions.read('pendingJobs', async db => {
        const rows = await db
          .selectFrom('async_job')
          .selectAll()
          .where('status', '=', 'pending')
          .where(eb => eb.or([eb('target_msid', '=', msid), eb('target_msid', 'is', null)]))
          .orderBy('id')
          .limit(JOBS_A_LOOK)
          .execute();
        return rows.map(jobOf);
      }),

    startJob: (uuid, msid) =>
      transactions.write('startJob', async db => {
        const started = await db
          .updateTable('async_job')
          .set({ status: 'running', runner_msid: msid, started: database.now() })
          .where('uuid', '=', uuid)
          .where('status', '=', 'pending')
          .where(eb => eb.or([eb('target_msid', '=', msid), eb('target_msid', 'is', null)]))
          .executeTakeFirst();
        return started.numUpdatedRows > 0n;
      }),

    jobProgress: (uuid, msid, progress) =>
      transactions.write('jobProgress', async db => {
        const written = await db
          .updateTable('async_job')
          .set({ progress })
          .where('uuid', '=', uuid)
          .where('status', '=', 'running')
          .where('runner_msid', '=', msid)
          .executeTakeFirst();
        return written.numUpdatedRows > 0n;
      }),

    finishJob: (uuid, msid, { status, resultCode, result }) =>
      transactions.write('finishJob', async db => {
        const finished = await db
          .updateTable('async_job')
          .set({ status, result_code: resultCode, result, completed: database.now() })
          .where('uuid', '=', uuid)
          .where('status', '=', 'running')
          .where('runner_msid', '=', msid)
          .executeTakeFirst();
        return finished.numUpdatedRows > 0n;
      }),

    failJobsOfServer: (msid, { resultCode, result }, keepPending = false) =>
      transactions.write('failJobsOfServer', async db => {
        const failed = await db
          .updateTable('async_job')
          .set({ status: 'failed', result_code: resultCode, result, completed: database.now() })
          .where(eb => {
            const running = eb.and([eb('status', '=', 'running'), eb('runner_msid', '=', msid)]);
            const pending = eb.and([eb('status', '=', 'pending'), eb('target_msid', '=', msid)]);
            return keepPending ? running : eb.or([running, pending]);
          })
          .executeTakeFirst();
        return Number(failed.numUpdatedRows);
      }),

    job: uuid =>
      transactions.read('job', async db => {
        const row = await db.selectFrom('async_job').selectAll().where('uuid', '=', uuid).executeTakeFirst();
        return row && jobOf(row);
      }),

    countPendingJobs: () =>
      transactions.read('countPendingJobs', async db => {
        const rows = await db
          .selectFrom('async_job')
          .select(eb => [eb.fn.coalesce('runner_msid', 'target_msid').as('msid'), eb.fn.countAll<number>().as('count')])
          .where('status', 'in', UNFINISHED)
          .groupBy(eb => eb.fn.coalesce('runner_msid', 'target_msid'))
          .execute();
        const counts = new Map<number, number>();
        for (const { msid, count } of rows) if (msid !== null) counts.set(msid, Number(count));
        return counts;
      }),

    deleteJobsBefore: at =>
      transactions.write('deleteJobsBefore', async db => {
        const old = await db
          .selectFrom('async_job')
          .select('id')
          .where('status', 'in', FINISHED)
          .where('completed', '<', at)
          .limit(DELETED_A_CALL)
          .execute();
        if (old.length === 0) return 0;
        const ids = old.map(({ id }) => id);
        const deleted = await db.deleteFrom('async_job').where('id', 'in', ids).executeTakeFirst();
        return Number(deleted.numDeletedRows);
      }),
  };
}

function jobOf(row: Selectable<JobTable>): JobRow {
  return {
    id: row.id,
    uuid: row.uuid,
    cmd: row.cmd,
    params: row.params,
    targetMsid: row.target_msid,
    hostId: row.host_id,
    createdBy: row.created_by,
    status: row.status,
    runnerMsid: row.runner_msid,
    progress: row.progress,
    resultCode: row.result_code,
    result: row.result,
    created: row.created,
    started: row.started,
    completed: row.completed,
  };
}
