import type { Selectable } from 'kysely';
import { type AlertNotice, type AlertRow, type AlertStore, OPEN_ALERTS } from '../alert-store.js';
import { checkPageSize, DELETED_A_CALL, deleteById } from './batches.js';
import { containing } from './contains.js';
import type { AlertTable } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

/** Of a notice. */
const NOT_TOLD = { taken_until: null, attempts: 0, reached: null };

export function alertStore(transactions: Transactions): AlertStore {
  const { database } = transactions;
  return {
    raiseAlert: ({ uuid, subject, type, name, description }) =>
      transactions.write('raiseAlert', async db => {
        const standing = await db
          .selectFrom('alert')
          .select('id')
          .where('open_subject', '=', subject)
          .executeTakeFirst();
        if (standing !== undefined) return false;
        const id = await raiseSequence(db, 'alert', 1);
        const created = await database.storeTime(db);
        const none = { cleared: null, ...NOT_TOLD };
        await db
          .insertInto('alert')
          .values({
            id,
            uuid,
            subject,
            open_subject: subject,
            type,
            name,
            description,
            created,
            notice: 'raised',
            ...none,
          })
          .execute();
        return true;
      }),

    clearAlert: subject =>
      transactions.write('clearAlert', async db => {
        const standing = await database
          .locked(db.selectFrom('alert').select(['id', 'notice', 'attempts']).where('open_subject', '=', subject))
          .executeTakeFirst();
        if (standing === undefined) return false;
        // What nobody was told of has no end to tell of.
        const isUntold = standing.notice === 'raised' && standing.attempts === 0;
        const cleared = await database.storeTime(db);
        await db
          .updateTable('alert')
          .set({ open_subject: null, cleared, notice: isUntold ? null : 'cleared', ...NOT_TOLD })
          .where('id', '=', standing.id)
          .execute();
        return true;
      }),

    openAlerts: () =>
      transactions.read('openAlerts', async db => {
        const rows = await db
          .selectFrom('alert')
          .select('subject')
          .where('open_subject', 'is not', null)
          .orderBy('id')
          .limit(OPEN_ALERTS)
          .execute();
        return rows.map(({ subject }) => subject);
      }),

    alerts: async ({ page, pagesize, uuid, type, keyword, isOpen }) => {
      checkPageSize(pagesize);
      return transactions.read('alerts', async db => {
        const matches = db
          .selectFrom('alert')
          .where(eb =>
            eb.and([
              ...(uuid === undefined ? [] : [eb('uuid', '=', uuid)]),
              ...(type === undefined ? [] : [eb('type', '=', type)]),
              ...(keyword === undefined ? [] : [containing(eb, ['description', 'name'], keyword)]),
              ...(isOpen === true ? [eb('open_subject', 'is not', null)] : []),
            ]),
          );
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        const rows = await matches
          .selectAll()
          .orderBy('id', 'desc')
          .limit(pagesize)
          .offset((page - 1) * pagesize)
          .execute();
        return { count: Number(count), rows: rows.map(alertOf) };
      });
    },

    takeAlertNotice: leaseMs =>
      transactions.write('takeAlertNotice', async db => {
        const now = await database.storeTime(db);
        const row = await database
          .locked(
            db
              .selectFrom('alert')
              .selectAll()
              .where('notice', 'is not', null)
              .where(eb => eb.or([eb('taken_until', 'is', null), eb('taken_until', '<=', now)]))
              .orderBy('id')
              .limit(1),
          )
          .executeTakeFirst();
        if (row === undefined || row.notice === null) return undefined;
        const attempts = row.attempts + 1;
        await db
          .updateTable('alert')
          .set({ taken_until: now + leaseMs, attempts })
          .where('id', '=', row.id)
          .execute();
        const reached: readonly string[] = row.reached === null ? [] : JSON.parse(row.reached);
        return { ...alertOf(row), about: row.notice, attempts, reached } satisfies AlertNotice;
      }),

    alertNoticeReached: ({ id, about }, urls) =>
      transactions.write('alertNoticeReached', async db => {
        await db
          .updateTable('alert')
          .set({ reached: JSON.stringify(urls) })
          .where('id', '=', id)
          .where('notice', '=', about)
          .execute();
      }),

    endAlertNotice: ({ id, about }) =>
      transactions.write('endAlertNotice', async db => {
        await db
          .updateTable('alert')
          .set({ notice: null, ...NOT_TOLD })
          .where('id', '=', id)
          .where('notice', '=', about)
          .execute();
      }),

    deleteAlerts: ageMs =>
      transactions.write('deleteAlerts', async db => {
        const before = (await database.storeTime(db)) - ageMs;
        const old = await db
          .selectFrom('alert')
          .select('id')
          .where('cleared', '<', before)
          .orderBy('id')
          .limit(DELETED_A_CALL)
          .execute();
        return deleteById(db, 'alert', old);
      }),
  };
}

function alertOf(row: Selectable<AlertTable>): AlertRow {
  const { id, uuid, subject, type, name, description, created, cleared } = row;
  return { id, uuid, subject, type, name, description, created, cleared };
}
