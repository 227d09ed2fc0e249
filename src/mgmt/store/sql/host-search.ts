import type { ExpressionBuilder, Kysely } from 'kysely';
import { CHANGES_A_PAGE, type HostQuery, type HostStore, type HostsCursor } from '../host-store.js';
import { containing } from './contains.js';
import { changedHostOf, hostOf } from './host-rows.js';
import type { Schema } from './schema.js';
import type { Transactions } from './transactions.js';

/** Hosts by what they are, by their server, and by when they changed. */
export function hostSearch(
  transactions: Transactions,
): Pick<HostStore, 'findHosts' | 'hostsChanged' | 'agentsOfServer'> {
  const { database } = transactions;
  return {
    findHosts: query =>
      transactions.read('findHosts', async db => {
        const matches = db
          .selectFrom('host')
          .where('removed', 'is', null)
          .where(eb => eb.and(conditions(eb, query)));
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        // The ids first, from an index alone: the rows before the page are passed over, not read.
        const ids = await matches
          .select('id')
          .orderBy('id')
          .limit(query.pagesize)
          .offset((query.page - 1) * query.pagesize)
          .execute();
        const rows = await rowsOf(
          db,
          ids.map(({ id }) => id),
        );
        return { count: Number(count), rows: rows.map(hostOf) };
      }),

    hostsChanged: after =>
      transactions.read('hostsChanged', async db => {
        const now = await database.storeTime(db);
        if (after === undefined) return { hosts: [], cursor: { at: now }, more: false };
        const { last } = after;
        const rows = await db
          .selectFrom('host')
          .selectAll()
          .where(eb =>
            last === undefined
              ? eb('changed', '>=', Math.min(after.at, now) - OVERLAP_MS)
              : eb.or([
                  eb('changed', '>', last.changed),
                  eb.and([eb('changed', '=', last.changed), eb('id', '>', last.id)]),
                ]),
          )
          .orderBy('changed')
          .orderBy('id')
          .limit(CHANGES_A_PAGE)
          .execute();
        const end = rows.at(-1);
        const more = rows.length === CHANGES_A_PAGE;
        // A reading of several pages ends where it stood when it began: all that came later is read again.
        const at = last === undefined ? now : after.at;
        const cursor: HostsCursor = more && end ? { at, last: { changed: end.changed, id: end.id } } : { at };
        return { hosts: rows.map(changedHostOf), cursor, more };
      }),

    agentsOfServer: msid =>
      transactions.read('agentsOfServer', async db => {
        const uuids = db.selectFrom('host').select('uuid').where('removed', 'is', null).orderBy('id');
        const agents = await uuids.where('mgmt_server_id', '=', msid).execute();
        const last = await uuids.where('last_mgmt_server_id', '=', msid).where('mgmt_server_id', 'is', null).execute();
        return { agents: agents.map(row => row.uuid), lastAgents: last.map(row => row.uuid) };
      }),
  };
}

/**
 * A write is marked with the time of its statement, and is seen when its transaction ends: mostly at once, at most a
 * call's limit later, and on Galera after the time that the nodes need to give up one that died in between.
 */
const OVERLAP_MS = 10_000;

function conditions(eb: ExpressionBuilder<Schema, 'host'>, query: HostQuery) {
  const { uuid, name, keyword, status, msid, zoneId, podId, clusterId, type, hypervisor, arch, resourceState } = query;
  return [
    ...(uuid === undefined ? [] : [eb('uuid', '=', uuid)]),
    ...(name === undefined ? [] : [eb('name', '=', name)]),
    ...(keyword === undefined ? [] : [containing(eb, ['name', 'private_ip_address'], keyword)]),
    ...(status === undefined ? [] : [status.length === 0 ? eb.lit(1 > 2) : eb('status', 'in', status)]),
    ...(msid === undefined ? [] : [eb('mgmt_server_id', msid === null ? 'is' : '=', msid)]),
    ...(zoneId === undefined ? [] : [eb('data_center_id', '=', zoneId)]),
    ...(podId === undefined ? [] : [eb('pod_id', '=', podId)]),
    ...(clusterId === undefined ? [] : [eb('cluster_id', '=', clusterId)]),
    ...(type === undefined ? [] : [eb('type', '=', type)]),
    ...(hypervisor === undefined ? [] : [eb('hypervisor_type', '=', hypervisor)]),
    ...(arch === undefined ? [] : [eb('arch', '=', arch)]),
    ...(resourceState === undefined ? [] : [eb('resource_state', '=', resourceState)]),
  ];
}

async function rowsOf(db: Kysely<Schema>, ids: readonly number[]) {
  if (ids.length === 0) return [];
  return db.selectFrom('host').selectAll().where('id', 'in', ids).orderBy('id').execute();
}
