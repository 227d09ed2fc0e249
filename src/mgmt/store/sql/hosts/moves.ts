import { type ExpressionBuilder, type Kysely, type Selectable, sql } from 'kysely';
import type { HostDisconnectedEntry, HostReadyEntry } from '../../host-store.js';
import { arrivalKind, type MoveRow, type MoveSelection, type MoveStore, type MoveSummary } from '../../move-store.js';
import { ROWS_A_PAGE } from '../../page.js';
import { checkPageSize, DELETED_A_CALL } from '../batches.js';
import { rowWriter } from '../compiled.js';
import type { SqlDatabase } from '../database.js';
import type { HostMoveTable, Schema } from '../schema.js';
import type { Transactions } from '../transactions.js';

/** The records are written with the rows of their hosts: see `MoveRecords`. */
export function hostMoves(transactions: Transactions): MoveStore {
  const { database } = transactions;
  return {
    moves: async query => {
      checkPageSize(query.pagesize);
      return transactions.read('moves', async db => {
        const matches = db.selectFrom('host_move').where(eb => eb.and(conditions(eb, query)));
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        const rows = await matches
          .selectAll()
          .orderBy('at', 'desc')
          .orderBy('host_id', 'desc')
          .orderBy('epoch', 'desc')
          .orderBy('is_loss', 'desc')
          .limit(query.pagesize)
          .offset((query.page - 1) * query.pagesize)
          .execute();
        return { count: Number(count), rows: rows.map(moveOf) };
      });
    },

    moveSummary: query =>
      transactions.read('moveSummary', async db => {
        const matches = () => db.selectFrom('host_move').where(eb => eb.and(conditions(eb, query)));
        const counts = await matches()
          .select(['kind', 'cause'])
          .select(eb => eb.fn.countAll<number>().as('count'))
          .groupBy(['kind', 'cause'])
          .orderBy('kind')
          .orderBy('cause')
          .execute();
        const gaps = await db
          .selectFrom(
            matches()
              .where('gap_ms', 'is not', null)
              .select(['kind', 'cause', 'gap_ms as gap'])
              .select(sql<number>`row_number() over (partition by kind, cause order by gap_ms)`.as('place'))
              .select(sql<number>`count(*) over (partition by kind, cause)`.as('known'))
              .as('ranked'),
          )
          .select(['kind', 'cause'])
          .select(eb => eb.fn.max<number>('gap').as('max'))
          // The least gap that so many hundredths of all gaps do not exceed.
          .select(sql<number>`min(case when place * 100 >= known * 50 then gap end)`.as('p50'))
          .select(sql<number>`min(case when place * 100 >= known * 99 then gap end)`.as('p99'))
          .groupBy(['kind', 'cause'])
          .execute();
        return counts.map(({ kind, cause, count }): MoveSummary => {
          const gap = gaps.find(other => other.kind === kind && other.cause === cause);
          const { p50, p99, max } = gap ?? {};
          return {
            ...{ kind, cause, count: Number(count) },
            gap: gap && { p50: Number(p50), p99: Number(p99), max: Number(max) },
          };
        });
      }),

    deleteMoves: ({ ageMs, keep }) =>
      transactions.write('deleteMoves', async db => {
        const tooOld = (await database.storeTime(db)) - ageMs;
        const oneTooMany = await db
          .selectFrom('host_move')
          .select('at')
          .orderBy('at', 'desc')
          .limit(1)
          .offset(keep)
          .executeTakeFirst();
        const before = Math.max(tooOld, (oneTooMany?.at ?? 0) + 1);
        const old = await db
          .selectFrom('host_move')
          .select(['host_id', 'epoch', 'is_loss'])
          .where('at', '<', before)
          .orderBy('at')
          .limit(DELETED_A_CALL)
          .execute();
        for (let i = 0; i < old.length; i += ROWS_A_STATEMENT) {
          await deleteRecords(db, old.slice(i, i + ROWS_A_STATEMENT));
        }
        return old.length;
      }),
  };
}

const ROWS_A_STATEMENT = 100;

function moveOf({ host_id, epoch, is_loss, from_msid, to_msid, gap_ms, ...row }: Selectable<HostMoveTable>): MoveRow {
  const id = `${host_id}-${epoch}${is_loss === 1 ? '-lost' : ''}`;
  return { ...row, id, hostId: host_id, from: from_msid, to: to_msid, gapMs: gap_ms };
}

function conditions(eb: ExpressionBuilder<Schema, 'host_move'>, query: MoveSelection) {
  const { hostId, msid, kind, cause, since, until } = query;
  return [
    ...(hostId === undefined ? [] : [eb('host_id', '=', hostId)]),
    ...(msid === undefined ? [] : [eb.or([eb('from_msid', '=', msid), eb('to_msid', '=', msid)])]),
    ...(kind === undefined ? [] : [eb('kind', '=', kind)]),
    ...(cause === undefined ? [] : [eb('cause', '=', cause)]),
    ...(since === undefined ? [] : [eb('at', '>=', since)]),
    ...(until === undefined ? [] : [eb('at', '<', until)]),
  ];
}

/** What the row of a host said before it was written. */
export interface FormerOwner {
  readonly epoch: number;
  readonly mgmt_server_id: number | null;
  readonly last_mgmt_server_id: number | null;
  readonly last_ping: number | null;
}

/** The records of moves, written in the transactions that change the rows of their hosts. */
export interface MoveRecords {
  /** Hosts have come to servers. @param former by host id; whose host has no row is left out */
  arrived(
    db: Kysely<Schema>,
    entries: readonly HostReadyEntry[],
    former: ReadonlyMap<number, FormerOwner>,
  ): Promise<void>;
  /** Servers have lost hosts. What no server had is not lost. @param entries at most `ROWS_A_PAGE` */
  lost(db: Kysely<Schema>, entries: readonly Lost[]): Promise<void>;
}

type Lost = Pick<HostDisconnectedEntry, 'id' | 'msid' | 'epoch' | 'cause' | 'ageMs'>;

export function moveRecords(database: SqlDatabase): MoveRecords {
  const insert = rowWriter(database, (db, rows: readonly MoveRecord[]) =>
    db
      .insertInto('host_move')
      .values(rows.map(({ ageMs, ...row }) => ({ ...row, at: sql<number>`${database.now()} - ${ageMs}` }))),
  );
  return {
    async arrived(db, entries, former) {
      const rows = entries.flatMap(({ id, msid, at, arrival, ageMs = 0 }) => {
        const row = former.get(id);
        // The same Ready is written once more: its first writing may have seemed to fail.
        if (row === undefined || (row.mgmt_server_id === msid && row.last_ping === at)) return [];
        const from = row.mgmt_server_id ?? row.last_mgmt_server_id;
        const record: MoveRecord = {
          host_id: id,
          epoch: row.epoch + 1,
          is_loss: 0,
          ageMs: Math.round(ageMs),
          from_msid: from,
          to_msid: msid,
          kind: arrivalKind(arrival, { from, isHeld: row.mgmt_server_id !== null, to: msid }),
          cause: arrival?.cause ?? 'unknown',
          gap_ms: arrival?.gapMs ?? null,
        };
        return record;
      });
      // The server that they have left may have seen the end of its link first: that was no loss.
      const notLost = rows.flatMap(({ host_id, epoch, gap_ms }) =>
        gap_ms === 0 && former.get(host_id)?.mgmt_server_id === null ? [{ host_id, epoch: epoch - 1, is_loss: 1 }] : [],
      );
      if (notLost.length > 0) await deleteRecords(db, notLost);
      await insert(db, rows);
    },

    async lost(db, entries) {
      if (entries.length > ROWS_A_PAGE)
        throw new RangeError(`${entries.length} hosts at once; the limit is ${ROWS_A_PAGE}`);
      const rows = entries.flatMap(({ id, msid, epoch, cause = 'unknown', ageMs = 0 }) => {
        if (msid === null) return [];
        const key = { host_id: id, epoch, is_loss: 1, ageMs: Math.round(ageMs) };
        const record: MoveRecord = { ...key, from_msid: msid, to_msid: null, kind: 'lost', cause, gap_ms: null };
        return record;
      });
      await insert(db, rows);
    },
  };
}

type MoveRecord = Omit<Selectable<HostMoveTable>, 'at'> & { readonly ageMs: number };

type RecordKey = Pick<HostMoveTable, 'host_id' | 'epoch' | 'is_loss'>;

async function deleteRecords(db: Kysely<Schema>, keys: readonly RecordKey[]): Promise<void> {
  await db
    .deleteFrom('host_move')
    .where(eb => eb.or(keys.map(({ host_id, epoch, is_loss }) => eb.and({ host_id, epoch, is_loss }))))
    .execute();
}
