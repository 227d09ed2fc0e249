import type { ExpressionBuilder, Kysely, Selectable } from 'kysely';
import { JOBS_A_LOOK, type JobOutcome, type JobQuery, type JobRow, type JobStore, type NewJob } from '../job-store.js';
import { checkPageSize, DELETED_A_CALL, deleteById } from './batches.js';
import { compiledOnce } from './compiled.js';
import type { SqlDatabase } from './database.js';
import type { JobTable, Schema } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

const UNFINISHED = ['pending', 'running'] as const;
const FINISHED = ['succeeded', 'failed'] as const;

/** Jobs: each is started by exactly one server, and finished by that one. */
export function jobStore(transactions: Transactions): JobStore {
  const { database, random } = transactions;
  const isInTime = (eb: JobExpressions) => eb.or([eb('expires', 'is', null), eb('expires', '>', database.now())]);
  const pendingOf = compiledOnce((db, { msid }: { readonly msid: number }) =>
    db
      .selectFrom('async_job')
      .selectAll()
      .where('status', '=', 'pending')
      .where(eb => eb.or([eb('target_msid', '=', msid), eb('target_msid', 'is', null)]))
      .where(isInTime)
      .orderBy('id')
      .limit(JOBS_A_LOOK),
  );
  /** Looks find none nearly always: they do not ask for the time then. */
  const jobsOf = async (db: Kysely<Schema>, rows: readonly Selectable<JobTable>[]) => {
    if (rows.length === 0) return [];
    const now = await database.storeTime(db);
    return rows.map(row => jobOf(row, now));
  };
  return {
    createJob: job =>
      transactions.write('createJob', async db => {
        const id = await raiseSequence(db, 'async_job');
        return insertJob(db, job, { id, uuid: random.uuid(), now: await database.storeTime(db) });
      }),

    openJobs: (msid, except) =>
      transactions.read('openJobs', async db => {
        const pending = await pendingOf(db, { msid });
        const started = except.length === 0 ? await runningOf(db, { msid }) : await runningBut(db, msid, except);
        return { pending: await jobsOf(db, pending.rows), running: await jobsOf(db, started.rows) };
      }),

    startJob: (uuid, msid) =>
      transactions.write('startJob', async db => {
        const started = await db
          .updateTable('async_job')
          .set({ status: 'running', runner_msid: msid, started: database.now() })
          .where('uuid', '=', uuid)
          .where('status', '=', 'pending')
          .where(eb => eb.or([eb('target_msid', '=', msid), eb('target_msid', 'is', null)]))
          .where(isInTime)
          .executeTakeFirst();
        return started.numUpdatedRows > 0n;
      }),

    cancelJob: (uuid, { resultCode, result }) =>
      transactions.write('cancelJob', async db => {
        const cancelled = await db
          .updateTable('async_job')
          .set({ status: 'failed', result_code: resultCode, result, completed: database.now() })
          .where('uuid', '=', uuid)
          .where('status', '=', 'pending')
          .executeTakeFirst();
        return cancelled.numUpdatedRows > 0n;
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

    failJobsOfServer: (msid, outcome, keepPending = false) =>
      transactions.write('failJobsOfServer', db => failJobsOf(db, msid, { ...outcome, keepPending, database })),

    releaseJobsOfServer: (msid, beat) =>
      transactions.write('releaseJobsOfServer', async db => {
        const row = await database
          .locked(db.selectFrom('mshost').select('beat').where('msid', '=', msid))
          .executeTakeFirst();
        return row?.beat === beat ? releaseJobsOf(db, msid) : 0;
      }),

    job: uuid =>
      transactions.read('job', async db => {
        const row = await db.selectFrom('async_job').selectAll().where('uuid', '=', uuid).executeTakeFirst();
        return row && jobOf(row, await database.storeTime(db));
      }),

    jobs: async query => {
      checkPageSize(query.pagesize);
      return transactions.read('jobs', async db => {
        const matches = db.selectFrom('async_job').where(eb => eb.and(conditions(eb, query)));
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        const rows = await matches
          .selectAll()
          .orderBy('id', 'desc')
          .limit(query.pagesize)
          .offset((query.page - 1) * query.pagesize)
          .execute();
        const now = await database.storeTime(db);
        return { count: Number(count), rows: rows.map(row => jobOf(row, now)) };
      });
    },

    countPendingJobs: () =>
      transactions.read('countPendingJobs', async db => {
        const rows = await db
          .selectFrom('async_job')
          .select(eb => [eb.fn.coalesce('runner_msid', 'target_msid').as('msid'), eb.fn.countAll<number>().as('count')])
          .where('status', 'in', UNFINISHED)
          .where(eb => eb.or([eb('status', '=', 'running'), isInTime(eb)]))
          .groupBy(eb => eb.fn.coalesce('runner_msid', 'target_msid'))
          .execute();
        const counts = new Map<number, number>();
        for (const { msid, count } of rows) if (msid !== null) counts.set(msid, Number(count));
        return counts;
      }),

    deleteOldJobs: ageMs =>
      transactions.write('deleteOldJobs', async db => {
        const at = (await database.storeTime(db)) - ageMs;
        const old = await db
          .selectFrom('async_job')
          .select('id')
          .where(eb =>
            eb.or([
              eb.and([eb('status', 'in', FINISHED), eb('completed', '<', at)]),
              eb.and([eb('status', '=', 'pending'), eb('expires', '<', at)]),
            ]),
          )
          .limit(DELETED_A_CALL)
          .execute();
        return deleteById(db, 'async_job', old);
      }),
  };
}

function running(db: Kysely<Schema>, msid: number) {
  return db
    .selectFrom('async_job')
    .selectAll()
    .where('status', '=', 'running')
    .where('runner_msid', '=', msid)
    .orderBy('id')
    .limit(JOBS_A_LOOK);
}

const runningOf = compiledOnce((db, { msid }: { readonly msid: number }) => running(db, msid));

const runningBut = async (db: Kysely<Schema>, msid: number, except: readonly string[]) => ({
  rows: await running(db, msid).where('uuid', 'not in', except).execute(),
});

type JobExpressions = ExpressionBuilder<Schema, 'async_job'>;

/** Within a transaction, in which the id was taken from the sequence. */
export async function insertJob(
  db: Kysely<Schema>,
  job: NewJob,
  { id, uuid, now }: { readonly id: number; readonly uuid: string; readonly now: number },
): Promise<JobRow> {
  const row: Selectable<JobTable> = {
    id,
    uuid,
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
    created: now,
    started: null,
    completed: null,
    expires: job.expiresInMs === undefined ? null : now + job.expiresInMs,
    is_resumable: Number(job.isResumable ?? false),
  };
  await db.insertInto('async_job').values(row).execute();
  return jobOf(row, now);
}

interface FailedJobs extends Omit<JobOutcome, 'status'> {
  readonly keepPending: boolean;
  readonly database: SqlDatabase;
}

/**
 * Within a transaction: what the server was carrying out has failed, and what only it could do, too; what another server
 * can go on with waits for one.
 * @returns how many have failed
 */
export async function failJobsOf(
  db: Kysely<Schema>,
  msid: number,
  { resultCode, result, keepPending, database }: FailedJobs,
): Promise<number> {
  await releaseJobsOf(db, msid);
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
}

async function releaseJobsOf(db: Kysely<Schema>, msid: number): Promise<number> {
  const released = await db
    .updateTable('async_job')
    .set({ status: 'pending', runner_msid: null })
    .where('status', '=', 'running')
    .where('runner_msid', '=', msid)
    .where('is_resumable', '=', 1)
    .executeTakeFirst();
  return Number(released.numUpdatedRows);
}

function conditions(eb: JobExpressions, { since, msid }: JobQuery) {
  return [
    ...(since === undefined ? [] : [eb('created', '>=', since)]),
    ...(msid === undefined ? [] : [eb(eb.fn.coalesce('runner_msid', 'target_msid'), '=', msid)]),
  ];
}

/** @param now by the store's clock */
export function jobOf(row: Selectable<JobTable>, now: number): JobRow {
  const isExpired = row.status === 'pending' && row.expires !== null && row.expires <= now;
  return {
    id: row.id,
    uuid: row.uuid,
    cmd: row.cmd,
    params: row.params,
    targetMsid: row.target_msid,
    hostId: row.host_id,
    createdBy: row.created_by,
    status: isExpired ? 'expired' : row.status,
    runnerMsid: row.runner_msid,
    progress: row.progress,
    resultCode: row.result_code,
    result: row.result,
    created: row.created,
    started: row.started,
    completed: isExpired ? row.expires : row.completed,
  };
}
