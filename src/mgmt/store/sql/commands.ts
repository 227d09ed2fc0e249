import type { Kysely, Selectable } from 'kysely';
import {
  COMMAND_REASONS,
  COMMANDS_A_CALL,
  type CommandJobMade,
  type CommandOutcomeKind,
  type CommandResultRow,
  type CommandStore,
  type NewCommandJob,
  type NewCommandOutcome,
} from '../command-store.js';
import { checkPageSize, DELETED_A_CALL } from './batches.js';
import { insertJob, jobOf } from './jobs.js';
import type { Schema } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

const ROWS_A_STATEMENT = 100;
/** Rows without a job that are older than this were left by a server that has ended. */
const MADE_WITHIN_MS = 60_000;

/** The job that was reserved. */
interface Reserved {
  readonly id: number;
  readonly uuid: string;
}

export function commandStore(transactions: Transactions): CommandStore {
  const { database, random } = transactions;

  /** Takes the id and the key of a job; its hosts, and the job itself, follow. */
  async function reserve(
    db: Kysely<Schema>,
    { key, digest, hostIds }: NewCommandJob,
  ): Promise<CommandJobMade | Reserved> {
    const created = await database.storeTime(db);
    const known = key === null ? undefined : await byKey(db, key);
    if (known !== undefined) {
      const row = await db.selectFrom('async_job').selectAll().where('id', '=', known.job_id).executeTakeFirst();
      if (row !== undefined) {
        return known.digest === digest ? { kind: 'known', job: jobOf(row, created) } : { kind: 'taken' };
      }
      if (created - known.created < MADE_WITHIN_MS) return { kind: known.digest === digest ? 'being made' : 'taken' };
      await db.updateTable('command_job').set({ job_key: null }).where('job_id', '=', known.job_id).execute();
    }
    const id = await raiseSequence(db, 'async_job');
    const uuid = random.uuid();
    const row = { job_id: id, uuid, job_key: key, digest, total: hostIds.length, created };
    await db.insertInto('command_job').values(row).execute();
    return { id, uuid };
  }

  /** Locks the job. @returns its id; undefined: `msid` does not carry it out */
  async function lockedIf(db: Kysely<Schema>, uuid: string, msid: number): Promise<number | undefined> {
    const job = await locked(db, uuid);
    return isCarriedOutBy(job, msid) ? job?.id : undefined;
  }

  const locked = (db: Kysely<Schema>, uuid: string) =>
    database
      .locked(db.selectFrom('async_job').select(['id', 'status', 'runner_msid']).where('uuid', '=', uuid))
      .executeTakeFirst();

  return {
    createCommandJob: command =>
      transactions.several('createCommandJob', async ({ write }) => {
        const reserved = await write(db => reserve(db, command));
        if ('kind' in reserved) return reserved;
        const { id, uuid } = reserved;
        for (let from = 0; from < command.hostIds.length; from += COMMANDS_A_CALL) {
          await write(async db => {
            const part = command.hostIds.slice(from, from + COMMANDS_A_CALL);
            for (let at = 0; at < part.length; at += ROWS_A_STATEMENT) {
              const rows = part
                .slice(at, at + ROWS_A_STATEMENT)
                .map((hostId, index) => waitingRow(id, from + at + index, hostId));
              await db.insertInto('command').values(rows).execute();
            }
          });
        }
        const job = await write(async db =>
          insertJob(db, command.job, { id, uuid, now: await database.storeTime(db) }),
        );
        return { kind: 'made', job };
      }),

    takeCommands: (uuid, msid, count) =>
      transactions.write('takeCommands', async db => {
        const jobId = await lockedIf(db, uuid, msid);
        if (jobId === undefined) return undefined;
        const rows = await db
          .selectFrom('command')
          .select(['ordinal', 'host_id'])
          .where('job_id', '=', jobId)
          .where('state', '=', 'waiting')
          .orderBy('ordinal')
          .limit(Math.min(count, COMMANDS_A_CALL))
          .execute();
        const [first] = rows;
        const last = rows.at(-1);
        if (first === undefined || last === undefined) return [];
        await db
          .updateTable('command')
          .set({ state: 'taken', msid })
          .where('job_id', '=', jobId)
          .where('ordinal', '>=', first.ordinal)
          .where('ordinal', '<=', last.ordinal)
          .where('state', '=', 'waiting')
          .execute();
        return rows.map(({ host_id: hostId }) => hostId);
      }),

    takenCommands: (uuid, msid) =>
      transactions.read('takenCommands', async db => {
        const job = await db
          .selectFrom('async_job')
          .select(['status', 'runner_msid'])
          .where('uuid', '=', uuid)
          .executeTakeFirst();
        if (!isCarriedOutBy(job, msid)) return undefined;
        const rows = await ofJob(db, uuid)
          .select(['host_id', 'msid', 'reason'])
          .where('state', '=', 'taken')
          .orderBy('ordinal')
          .execute();
        return rows.map(row => ({ hostId: row.host_id, by: row.msid, isRecalled: row.reason !== null }));
      }),

    recalledCommands: uuid =>
      transactions.read('recalledCommands', async db => {
        const rows = await ofJob(db, uuid)
          .select('host_id')
          .where('state', '=', 'taken')
          .where('reason', 'is not', null)
          .execute();
        return rows.map(({ host_id: hostId }) => hostId);
      }),

    giveBackCommands: (uuid, msid, hostIds) =>
      transactions.write('giveBackCommands', async db => {
        const jobId = await lockedIf(db, uuid, msid);
        if (jobId === undefined) return;
        for (let at = 0; at < hostIds.length; at += ROWS_A_STATEMENT) {
          await db
            .updateTable('command')
            .set({ state: 'waiting', msid: null })
            .where('job_id', '=', jobId)
            .where('host_id', 'in', hostIds.slice(at, at + ROWS_A_STATEMENT))
            .where('state', '=', 'taken')
            .where('reason', 'is', null)
            .execute();
        }
      }),

    commandOutcomes: (uuid, outcomes, by) =>
      transactions.write('commandOutcomes', async db => {
        const jobId = await idOf(db, uuid);
        if (jobId === undefined) return;
        const isSaid = by === 'agent' || (await lockedIf(db, uuid, by)) !== undefined;
        for (const outcome of outcomes) if (isSaid || isAnswer(outcome)) await writeOutcome(db, jobId, outcome);
      }),

    cancelCommands: (uuid, reason, by) =>
      transactions.write('cancelCommands', async db => {
        const jobId = await idOf(db, uuid);
        if (jobId === undefined) return undefined;
        // Whoever takes some of them at the same time has them before this, or finds them cancelled.
        const job = await locked(db, uuid);
        if (by !== 'operator' && !isCarriedOutBy(job, by)) return undefined;
        const cancelled = await db
          .updateTable('command')
          .set({ state: 'cancelled', reason })
          .where('job_id', '=', jobId)
          .where('state', '=', 'waiting')
          .executeTakeFirst();
        const ofTaken = db
          .updateTable('command')
          .set({ reason })
          .where('job_id', '=', jobId)
          .where('state', '=', 'taken');
        const recalled = by === 'operator' ? (await ofTaken.executeTakeFirst()).numUpdatedRows : 0n;
        return { cancelled: Number(cancelled.numUpdatedRows), recalled: Number(recalled) };
      }),

    commandSummary: uuid =>
      transactions.read('commandSummary', async db => {
        if ((await idOf(db, uuid)) === undefined) return undefined;
        const rows = await ofJob(db, uuid)
          .select(({ fn }) => [
            'state',
            'is_good',
            fn.countAll<number>().as('count'),
            fn.sum<number | null>(fn<number>('length', ['answers'])).as('length'),
          ])
          .groupBy(['state', 'is_good'])
          .execute();
        const sum = (wanted: (row: (typeof rows)[number]) => boolean) =>
          rows.filter(wanted).reduce((total, { count }) => total + Number(count), 0);
        const inState = (state: string) => sum(row => row.state === state);
        return {
          total: sum(() => true),
          waiting: inState('waiting'),
          taken: inState('taken'),
          answered: inState('answered'),
          failed: sum(row => row.state === 'answered' && row.is_good === 0),
          unsupported: inState('unsupported'),
          refused: inState('refused'),
          cancelled: inState('cancelled'),
          unknown: inState('unknown'),
          answerLength: rows.reduce((total, { length }) => total + Number(length ?? 0), 0),
        };
      }),

    commandReasons: uuid =>
      transactions.read('commandReasons', async db => {
        if ((await idOf(db, uuid)) === undefined) return undefined;
        const groups = await ofJob(db, uuid)
          .select(({ fn }) => [
            'state',
            'reason',
            fn.countAll<number>().as('count'),
            fn.min<number>('host_id').as('first'),
          ])
          .where('state', 'not in', ['waiting', 'taken'])
          .where(eb => eb.or([eb('state', '!=', 'answered'), eb('is_good', '=', 0)]))
          .groupBy(['state', 'reason'])
          .orderBy('count', 'desc')
          .orderBy('first')
          .limit(COMMAND_REASONS)
          .execute();
        if (groups.length === 0) return [];
        const ids = groups.map(({ first }) => Number(first));
        const hosts = await db.selectFrom('host').select(['id', 'name']).where('id', 'in', ids).execute();
        const names = new Map(hosts.map(({ id, name }) => [id, name]));
        return groups.map(({ state, reason, count, first }) => ({
          // Only those are left.
          state: state as CommandOutcomeKind,
          reason,
          hosts: Number(count),
          hostName: names.get(Number(first)) ?? '',
        }));
      }),

    commandResults: async ({ uuid, state, page, pagesize }) => {
      checkPageSize(pagesize);
      return transactions.read('commandResults', async db => {
        if ((await idOf(db, uuid)) === undefined) return undefined;
        const matches = ofJob(db, uuid).$if(state !== undefined, query =>
          query.where('state', '=', state ?? 'waiting'),
        );
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        const rows = await matches
          .innerJoin('host', 'host.id', 'command.host_id')
          .select(['host.uuid as host_uuid', 'host.name as host_name'])
          .selectAll('command')
          .orderBy('ordinal')
          .limit(pagesize)
          .offset((page - 1) * pagesize)
          .execute();
        return {
          count: Number(count),
          rows: rows.map(
            (row): CommandResultRow => ({
              id: row.ordinal,
              hostId: row.host_id,
              hostUuid: row.host_uuid,
              hostName: row.host_name,
              state: row.state,
              isGood: row.is_good === null ? null : row.is_good === 1,
              reason: row.reason,
              answers: row.answers,
              isTruncated: row.is_truncated === 1,
              durationMs: row.duration_ms,
              // Until there is an outcome it is the server that has taken it.
              msid: row.state === 'taken' ? null : row.msid,
            }),
          ),
        };
      });
    },

    deleteOldCommands: ageMs =>
      transactions.write('deleteOldCommands', async db => {
        const before = (await database.storeTime(db)) - ageMs;
        const left = await db
          .selectFrom('command_job')
          .leftJoin('async_job', 'async_job.id', 'command_job.job_id')
          .select('command_job.job_id')
          .where('async_job.id', 'is', null)
          .where('command_job.created', '<', before)
          .executeTakeFirst();
        if (left === undefined) return 0;
        const rows = await db
          .selectFrom('command')
          .select('ordinal')
          .where('job_id', '=', left.job_id)
          .orderBy('ordinal')
          .limit(DELETED_A_CALL)
          .execute();
        const last = rows.at(-1);
        if (last === undefined) {
          await db.deleteFrom('command_job').where('job_id', '=', left.job_id).execute();
          return 1;
        }
        await db.deleteFrom('command').where('job_id', '=', left.job_id).where('ordinal', '<=', last.ordinal).execute();
        return rows.length;
      }),
  };
}

const byKey = (db: Kysely<Schema>, key: string) =>
  db.selectFrom('command_job').select(['job_id', 'digest', 'created']).where('job_key', '=', key).executeTakeFirst();

async function idOf(db: Kysely<Schema>, uuid: string): Promise<number | undefined> {
  const row = await db.selectFrom('command_job').select('job_id').where('uuid', '=', uuid).executeTakeFirst();
  return row?.job_id;
}

const ofJob = (db: Kysely<Schema>, uuid: string) =>
  db
    .selectFrom('command')
    .where('job_id', '=', eb => eb.selectFrom('command_job').select('job_id').where('uuid', '=', uuid));

function waitingRow(jobId: number, ordinal: number, hostId: number) {
  return {
    ...{ job_id: jobId, ordinal, host_id: hostId, state: 'waiting' as const },
    ...{ is_good: null, reason: null, answers: null, is_truncated: 0, duration_ms: null, msid: null },
  };
}

type Runner = Pick<Selectable<Schema['async_job']>, 'status' | 'runner_msid'>;

function isCarriedOutBy(job: Runner | undefined, msid: number): boolean {
  return job?.status === 'running' && job.runner_msid === msid;
}

/** What only the agent can have said. */
function isAnswer({ kind }: NewCommandOutcome): boolean {
  return kind === 'answered' || kind === 'unsupported';
}

/** An outcome stands, unless it is that nobody knows. */
async function writeOutcome(db: Kysely<Schema>, jobId: number, outcome: NewCommandOutcome): Promise<void> {
  const { hostId, kind, isGood, reason, answers, isTruncated, durationMs, msid } = outcome;
  await db
    .updateTable('command')
    .set({
      ...{ state: kind, reason, answers, msid },
      is_good: isGood === null ? null : Number(isGood),
      is_truncated: Number(isTruncated),
      duration_ms: durationMs,
    })
    .where('job_id', '=', jobId)
    .where('host_id', '=', hostId)
    .where('state', 'in', kind === 'unknown' ? ['waiting', 'taken'] : ['waiting', 'taken', 'unknown'])
    .execute();
}
