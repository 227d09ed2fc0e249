import type { ExpressionBuilder, Selectable } from 'kysely';
import { EVENTS_A_BATCH, type EventQuery, type EventRow, type EventStore } from '../event-store.js';
import { checkPageSize, DELETED_A_CALL, deleteById, repeatedToPowerOfTwo } from './batches.js';
import { containing } from './contains.js';
import type { EventTable, Schema } from './schema.js';
import { raiseSequence, sequenceValue } from './sequence.js';
import type { Transactions } from './transactions.js';

const ROWS_A_STATEMENT = 100;

export function eventStore(transactions: Transactions): EventStore {
  const { database } = transactions;
  return {
    addEvents: async batch => {
      if (batch.length > EVENTS_A_BATCH) throw new RangeError(`${batch.length} events; the limit is ${EVENTS_A_BATCH}`);
      if (batch.length === 0) return;
      await transactions.write('addEvents', async db => {
        const known = new Set<string>();
        for (let i = 0; i < batch.length; i += ROWS_A_STATEMENT) {
          const uuids = batch.slice(i, i + ROWS_A_STATEMENT).map(({ uuid }) => uuid);
          const found = await db
            .selectFrom('event')
            .select('uuid')
            .where('uuid', 'in', repeatedToPowerOfTwo(uuids))
            .execute();
          for (const { uuid } of found) known.add(uuid);
        }
        const fresh = batch.filter(({ uuid }) => !known.has(uuid));
        if (fresh.length === 0) return;
        const first = (await raiseSequence(db, 'event', fresh.length)) - fresh.length + 1;
        const now = await database.storeTime(db);
        const rows = fresh.map(({ resourceType, resourceId, ageMs, ...event }, i) => ({
          ...event,
          id: first + i,
          created: now - Math.round(ageMs),
          resource_type: resourceType,
          resource_id: resourceId,
        }));
        for (let i = 0; i < rows.length; i += ROWS_A_STATEMENT) {
          await db
            .insertInto('event')
            .values(rows.slice(i, i + ROWS_A_STATEMENT))
            .execute();
        }
      });
    },

    events: async query => {
      checkPageSize(query.pagesize);
      return transactions.read('events', async db => {
        const matches = db.selectFrom('event').where(eb => eb.and(conditions(eb, query)));
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        const rows = await matches
          .selectAll()
          // What servers write late, as behind an outage of the store, has a later id.
          .orderBy('created', 'desc')
          .orderBy('id', 'desc')
          .limit(query.pagesize)
          .offset((query.page - 1) * query.pagesize)
          .execute();
        return { count: Number(count), rows: rows.map(eventOf) };
      });
    },

    deleteEvents: ({ ageMs, keep }) =>
      transactions.write('deleteEvents', async db => {
        const before = ageMs === undefined ? 0 : (await database.storeTime(db)) - ageMs;
        const lastKept = keep === undefined ? 0 : (await sequenceValue(db, 'event')) - keep;
        const old = await db
          .selectFrom('event')
          .select('id')
          .where(eb => eb.or([eb('id', '<=', lastKept), eb('created', '<', before)]))
          .orderBy('id')
          .limit(DELETED_A_CALL)
          .execute();
        return deleteById(db, 'event', old);
      }),
  };
}

function conditions(eb: ExpressionBuilder<Schema, 'event'>, query: EventQuery) {
  const { level, type, keyword, since } = query;
  return [
    ...(level === undefined ? [] : [eb('level', '=', level)]),
    ...(type === undefined ? [] : [eb('type', '=', type)]),
    ...(keyword === undefined ? [] : [containing(eb, ['description', 'type'], keyword)]),
    ...(since === undefined ? [] : [eb('created', '>=', since)]),
  ];
}

function eventOf({ resource_type, resource_id, ...event }: Selectable<EventTable>): EventRow {
  return { ...event, resourceType: resource_type, resourceId: resource_id };
}
