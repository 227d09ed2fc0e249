import type { ExpressionBuilder, Kysely } from 'kysely';
import {
  HOSTS_A_BATCH,
  type HostDisconnectedEntry,
  type HostListEntry,
  type HostReadyEntry,
  type HostReadyOutcome,
  type HostStore,
} from '../../host-store.js';
import { bounded, byId, inPieces } from '../batches.js';
import { compiledForList, rowWriter } from '../compiled.js';
import type { Schema } from '../schema.js';
import type { Transactions } from '../transactions.js';
import { moveRecords } from './moves.js';
import { changeTime, type HostColumns } from './rows.js';

/**
 * Which server has which host. A batch is a few statements over many rows, with a
 * CASE for values that differ, so that many agents that connect at once cost few round trips and few commits.
 */
export function hostOwnership(
  transactions: Transactions,
): Pick<HostStore, 'hostsReady' | 'hostsMsHostList' | 'hostsDisconnected' | 'releaseHosts'> {
  const { database } = transactions;
  const moves = moveRecords(database);

  const lockedRows = compiledForList((db, ids: readonly number[]) =>
    database.locked(
      db
        .selectFrom('host')
        .select(['id', 'mgmt_server_id', 'last_mgmt_server_id', 'epoch', 'status', 'last_ping', 'changed'])
        .select(['instance_id', 'link_number'])
        .where('id', 'in', ids)
        .where('removed', 'is', null)
        .orderBy('id'),
    ),
  );

  /** Nobody changes them until the end of the transaction. */
  const ownersOf = async (db: Kysely<Schema>, ids: readonly number[]) => {
    const rows = await lockedRows(db, ids);
    return new Map(rows.map(row => [row.id, row]));
  };

  const writeTaken = rowWriter(database, (db, taken: readonly TakenRow[]) =>
    db
      .updateTable('host')
      .set(eb => ({
        // MySQL assigns from left to right: what is read comes before it is overwritten.
        last_mgmt_server_id: eb
          .case()
          .when(
            'mgmt_server_id',
            '=',
            byId(taken, row => row.msid),
          )
          .then(eb.ref('last_mgmt_server_id'))
          .else(eb.fn.coalesce('mgmt_server_id', 'last_mgmt_server_id'))
          .end(),
        mgmt_server_id: byId(taken, row => row.msid),
        status: 'Up' as const,
        epoch: eb('epoch', '+', 1),
        ms_host_list: byId(taken, row => row.msHostList),
        configuration_version: eb.fn.coalesce(
          byId(taken, row => row.configurationVersion),
          'configuration_version',
        ),
        last_ping: byId(taken, row => row.at),
        instance_id: byId(taken, row => row.instanceId),
        link_address: byId(taken, row => row.linkAddress),
        link_number: byId(taken, row => row.linkNumber),
        disconnected: null,
        disconnect_reason: null,
        changed: changeTime(database),
      }))
      .where('id', 'in', idsOf(taken)),
  );

  const writeListed = rowWriter(database, (db, listed: readonly ListedRow[]) =>
    db
      .updateTable('host')
      .set(eb => ({
        ms_host_list: byId(listed, row => row.msHostList),
        configuration_version: eb.fn.coalesce(
          byId(listed, row => row.configurationVersion),
          'configuration_version',
        ),
        changed: changeTime(database),
      }))
      .where('id', 'in', idsOf(listed)),
  );

  const writeLost = rowWriter(database, (db, lost: readonly LostRow[]) =>
    db
      .updateTable('host')
      .set(eb => ({
        ...released(eb),
        disconnected: byId(lost, row => row.at),
        disconnect_reason: byId(lost, row => row.reason),
        changed: changeTime(database),
      }))
      .where('id', 'in', idsOf(lost)),
  );

  /** @param entries each host once */
  const takeHosts = async (db: Kysely<Schema>, entries: readonly HostReadyEntry[]) => {
    const former = await ownersOf(
      db,
      entries.map(({ id }) => id),
    );
    const outcomes = entries.map(entry => outcomeOf(former.get(entry.id), entry));
    const taken = entries.filter((_, index) => outcomes[index]?.kind === 'taken');
    await writeTaken(db, taken.map(takenRow));
    await moves.arrived(db, taken, former);
    return outcomes;
  };

  /** @param entries each host once */
  const listHosts = async (db: Kysely<Schema>, entries: readonly HostListEntry[]) => {
    const standing = await ownersOf(
      db,
      entries.map(({ id }) => id),
    );
    const isStill = ({ id, epoch }: HostListEntry) => standing.get(id)?.epoch === epoch;
    const listed = entries.filter(isStill);
    await writeListed(
      db,
      listed.map(({ id, msHostList, configurationVersion = null }) => ({ id, msHostList, configurationVersion })),
    );
    return entries.map(isStill);
  };

  /** @param entries each host once */
  const loseHosts = async (db: Kysely<Schema>, entries: readonly HostDisconnectedEntry[]) => {
    const standing = await ownersOf(
      db,
      entries.map(({ id }) => id),
    );
    const isStill = ({ id, msid, epoch, connectingSince }: HostDisconnectedEntry) => {
      const row = standing.get(id);
      if (row === undefined || row.epoch !== epoch || row.mgmt_server_id !== msid) return false;
      return connectingSince === undefined || (row.status === 'Connecting' && row.changed === connectingSince);
    };
    const lost = entries.filter(isStill);
    await writeLost(
      db,
      lost.map(({ id, at, reason }) => ({ id, at, reason })),
    );
    await moves.lost(db, lost);
    return entries.map(isStill);
  };

  /** The batch in one transaction, a piece for each statement. @returns what became of each entry, in their order */
  const inOneTransaction = async <T extends { readonly id: number }, R>(
    operation: string,
    batch: readonly T[],
    write: (db: Kysely<Schema>, entries: readonly T[]) => Promise<readonly R[]>,
  ): Promise<readonly R[]> => {
    const pieces = [...inPieces(bounded(batch), ({ id }) => id)];
    return transactions.write(operation, async db => {
      const results: R[] = [];
      for (const entries of pieces) results.push(...(await write(db, entries)));
      return results;
    });
  };

  return {
    hostsReady: batch => inOneTransaction('hostsReady', batch, takeHosts),
    hostsMsHostList: batch => inOneTransaction('hostsMsHostList', batch, listHosts),
    hostsDisconnected: batch => inOneTransaction('hostsDisconnected', batch, loseHosts),

    releaseHosts: (msid, { at, reason, cause }) =>
      transactions.several('releaseHosts', async ({ write }) => {
        for (let count = 0; ; ) {
          const found = await write(async db => {
            const held = db
              .selectFrom('host')
              .select(['id', 'epoch'])
              .where('mgmt_server_id', '=', msid)
              .where('removed', 'is', null)
              .orderBy('id')
              .limit(HOSTS_A_BATCH);
            const rows = await database.locked(held).execute();
            if (rows.length === 0) return 0;
            await db
              .updateTable('host')
              .set(eb => ({
                ...released(eb),
                disconnected: at,
                disconnect_reason: reason,
                changed: changeTime(database),
              }))
              .where(
                'id',
                'in',
                rows.map(({ id }) => id),
              )
              .execute();
            const lost = rows.map(({ id, epoch }) => ({ id, epoch, msid, cause }));
            await moves.lost(db, lost);
            return rows.length;
          });
          count += found;
          if (found < HOSTS_A_BATCH) return count;
        }
      }),
  };
}

type ListedRow = Pick<HostListEntry, 'id' | 'msHostList'> & { readonly configurationVersion: number | null };

type LostRow = Pick<HostDisconnectedEntry, 'id' | 'at' | 'reason'>;

type TakenRow = ReturnType<typeof takenRow>;

/** What is null in `configurationVersion` stays as it is in the row. */
function takenRow(entry: HostReadyEntry) {
  const { id, msid, msHostList, configurationVersion = null, at } = entry;
  const { instanceId = null, linkAddress = null, linkNumber = null } = entry;
  return { id, msid, msHostList, configurationVersion, at, instanceId, linkAddress, linkNumber };
}

const idsOf = (rows: readonly { readonly id: number }[]) => rows.map(({ id }) => id);

type OwnedRow = Pick<HostColumns, 'mgmt_server_id' | 'epoch' | 'instance_id' | 'link_number'>;

/** @param row undefined: the host was removed */
function outcomeOf(row: OwnedRow | undefined, { msid, instanceId, linkNumber }: HostReadyEntry): HostReadyOutcome {
  if (row === undefined) return { kind: 'removed' };
  const { mgmt_server_id: owner, instance_id, link_number } = row;
  const isElsewhere = owner !== null && owner !== msid;
  const isSameProcess = instance_id !== null && instance_id === instanceId;
  const isLater = link_number !== null && link_number > (linkNumber ?? link_number);
  return isElsewhere && isSameProcess && isLater ? { kind: 'superseded' } : { kind: 'taken', epoch: row.epoch + 1 };
}

/** In this order: MySQL assigns from left to right. */
function released(eb: ExpressionBuilder<Schema, 'host'>) {
  return {
    last_mgmt_server_id: eb.fn.coalesce('mgmt_server_id', 'last_mgmt_server_id'),
    mgmt_server_id: null,
    status: 'Disconnected' as const,
  };
}
