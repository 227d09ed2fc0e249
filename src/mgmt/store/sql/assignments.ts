import type { ExpressionBuilder, Kysely } from 'kysely';
import {
  type AssignmentAttempt,
  type AssignmentEntry,
  type AssignmentStore,
  assignmentOf,
} from '../assignment-store.js';
import { HOSTS_A_BATCH } from '../host-store.js';
import { bounded, byId, inPieces } from './batches.js';
import { changeTime } from './hosts/rows.js';
import type { Schema } from './schema.js';
import { raiseSequence, sequenceValue, setSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

/**
 * An attempt is ended by whatever raises its counter: each of its own writes raises it, and checks first that no other server
 * has. All of them write that one row, so that Galera, which certifies writes only, lets one of two win.
 */
export function assignmentStore(transactions: Transactions): AssignmentStore {
  const { database } = transactions;
  return {
    assignHosts: (batch, generation) =>
      transactions.write('assignHosts', async db => {
        const committed = await sequenceValue(db, 'assignment_committed');
        if (committed !== generation) return undefined;
        const query = db
          .selectFrom('host')
          .select(['id', 'preferred', 'next_preferred as nextPreferred', 'next_generation as nextGeneration'])
          .where(
            'id',
            'in',
            bounded(batch).map(({ id }) => id),
          )
          .where('removed', 'is', null)
          .orderBy('id');
        const rows = await database.locked(query).execute();
        const standing = new Map(rows.map(row => [row.id, assignmentOf(row, committed)]));
        for (const [preferred, ids] of byPreferred(batch.filter(({ id }) => standing.get(id) === null))) {
          const values = { preferred, changed: changeTime(database) };
          await db.updateTable('host').set(values).where('id', 'in', ids).execute();
        }
        return batch.map(({ id, preferred }) => (standing.has(id) ? (standing.get(id) ?? preferred) : null));
      }),

    beginAssignment: abandonedStep =>
      transactions.several('beginAssignment', async ({ write }) => {
        const begun = await write(async db => {
          const committed = await sequenceValue(db, 'assignment_committed');
          const step = await sequenceValue(db, 'assignment');
          const other = await uncommitted(db, committed).limit(1).executeTakeFirst();
          if (other !== undefined && step !== abandonedStep) return { begun: false, step } as const;
          const generation = await raiseSequence(db, 'assignment');
          return { begun: true, attempt: { generation, step: generation } } as const;
        });
        if (!begun.begun) return begun;
        for (;;) {
          const erased = await write(async db => {
            const committed = await sequenceValue(db, 'assignment_committed');
            const rows = await uncommitted(db, committed)
              .where('next_generation', '<', begun.attempt.generation)
              .limit(HOSTS_A_BATCH)
              .execute();
            if (rows.length === 0) return 0;
            const values = { next_preferred: null, next_generation: null, changed: changeTime(database) };
            const ids = rows.map(({ id }) => id);
            await db.updateTable('host').set(values).where('id', 'in', ids).execute();
            return rows.length;
          });
          if (erased < HOSTS_A_BATCH) return begun;
        }
      }),

    writeAssignments: (attempt, batch) =>
      transactions.write('writeAssignments', async db => {
        const next = await stepOn(db, attempt);
        if (next === undefined) return undefined;
        const committed = await sequenceValue(db, 'assignment_committed');
        for (const entries of inPieces(bounded(batch), ({ id }) => id)) {
          await db
            .updateTable('host')
            .set(eb => ({
              // MySQL assigns from left to right: what is read comes before it is overwritten.
              preferred: committedAssignment(eb, committed),
              next_preferred: byId(entries, ({ preferred }) => preferred),
              next_generation: attempt.generation,
              changed: changeTime(database),
            }))
            .where(
              'id',
              'in',
              entries.map(({ id }) => id),
            )
            .where('removed', 'is', null)
            .execute();
        }
        return next;
      }),
  };
}

/** From now on the attempt's assignments count. @returns false: another attempt has begun meanwhile */
export async function commitAssignments(db: Kysely<Schema>, attempt: AssignmentAttempt): Promise<boolean> {
  if ((await stepOn(db, attempt)) === undefined) return false;
  await setSequence(db, 'assignment_committed', attempt.generation);
  return true;
}

/** @returns undefined when it is not the latest attempt any more */
async function stepOn(db: Kysely<Schema>, attempt: AssignmentAttempt): Promise<AssignmentAttempt | undefined> {
  const step = attempt.step + 1;
  const raised = await db
    .updateTable('sequence')
    .set({ value: step })
    .where('name', '=', 'assignment')
    .where('value', '=', attempt.step)
    .executeTakeFirst();
  return raised.numUpdatedRows === 0n ? undefined : { ...attempt, step };
}

const uncommitted = (db: Kysely<Schema>, committed: number) =>
  db.selectFrom('host').select('id').where('next_generation', '>', committed);

function committedAssignment(eb: ExpressionBuilder<Schema, 'host'>, committed: number) {
  return eb
    .case()
    .when('next_generation', '<=', committed)
    .then(eb.ref('next_preferred'))
    .else(eb.ref('preferred'))
    .end();
}

function byPreferred(batch: readonly AssignmentEntry[]): Map<string, number[]> {
  const ids = new Map<string, number[]>();
  for (const { id, preferred } of batch) ids.set(preferred, [...(ids.get(preferred) ?? []), id]);
  return ids;
}
