import type { ExpressionBuilder, Kysely } from 'kysely';
import type { HostQuery, HostStore } from '../../host-store.js';
import { ROWS_A_PAGE } from '../../page.js';
import { checkPageSize, repeatedToPowerOfTwo } from '../batches.js';
import { containing } from '../contains.js';
import type { Schema } from '../schema.js';
import type { Transactions } from '../transactions.js';
import { hostOf } from './rows.js';

/** Hosts by what they are, and by their server. */
export function hostSearch(
  transactions: Transactions,
): Pick<HostStore, 'findHosts' | 'agentsOfServer' | 'lastAgentsOfServer' | 'countAgents'> {
  return {
    findHosts: async query => {
      checkPageSize(query.pagesize);
      return transactions.read('findHosts', async db => {
        const matches = db
          .selectFrom('host')
          .where('removed', 'is', null)
          .where(eb => eb.and(conditions(eb, query)));
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        // The ids first, from an index alone: the rows before the page are passed over, not read.
        const ids = await matches
          .where(eb => eb.and(isBehind(eb, query.behind)))
          .select('id')
          .orderBy('name')
          .orderBy('id')
          .limit(query.pagesize)
          .offset((query.page - 1) * query.pagesize)
          .execute();
        const rows = await rowsOf(
          db,
          ids.map(({ id }) => id),
        );
        return { count: Number(count), rows: rows.map(hostOf) };
      });
    },

    agentsOfServer: (msid, after = 0) =>
      transactions.read('agentsOfServer', db => uuids(db, after).where('mgmt_server_id', '=', msid).execute()),

    lastAgentsOfServer: (msid, after = 0) =>
      transactions.read('lastAgentsOfServer', db =>
        uuids(db, after).where('last_mgmt_server_id', '=', msid).where('mgmt_server_id', 'is', null).execute(),
      ),

    countAgents: msid =>
      transactions.read('countAgents', async db => {
        const { count } = await db
          .selectFrom('host')
          .select(eb => eb.fn.countAll<number>().as('count'))
          .where('mgmt_server_id', '=', msid)
          .where('removed', 'is', null)
          .executeTakeFirstOrThrow();
        return Number(count);
      }),
  };
}

const uuids = (db: Kysely<Schema>, after: number) =>
  db
    .selectFrom('host')
    .select(['id', 'uuid'])
    .where('removed', 'is', null)
    .where('id', '>', after)
    .orderBy('id')
    .limit(ROWS_A_PAGE);

function conditions(eb: ExpressionBuilder<Schema, 'host'>, query: HostQuery) {
  const { uuid, name, keyword, status, msid, zoneId, podId, clusterId, tag, type, hypervisor, arch, resourceState } =
    query;
  return [
    ...(uuid === undefined ? [] : [eb('uuid', '=', uuid)]),
    ...(name === undefined ? [] : [eb('name', '=', name)]),
    ...(keyword === undefined ? [] : [containing(eb, ['name', 'private_ip_address'], keyword)]),
    ...(status === undefined ? [] : [status.length === 0 ? eb.lit(1 > 2) : eb('status', 'in', status)]),
    ...(msid === undefined ? [] : [eb('mgmt_server_id', msid === null ? 'is' : '=', msid)]),
    ...(zoneId === undefined ? [] : [eb('data_center_id', '=', zoneId)]),
    ...(podId === undefined ? [] : [eb('pod_id', '=', podId)]),
    ...(clusterId === undefined ? [] : [eb('cluster_id', '=', clusterId)]),
    ...(tag === undefined ? [] : [eb('id', 'in', eb.selectFrom('host_tag').select('host_id').where('tag', '=', tag))]),
    ...(type === undefined ? [] : [eb('type', '=', type)]),
    ...(hypervisor === undefined ? [] : [eb('hypervisor_type', '=', hypervisor)]),
    ...(arch === undefined ? [] : [eb('arch', '=', arch)]),
    ...(resourceState === undefined ? [] : [eb('resource_state', '=', resourceState)]),
  ];
}

/** The first condition follows from the other one: it is what an index can begin at. */
function isBehind(eb: ExpressionBuilder<Schema, 'host'>, host: HostQuery['behind']) {
  if (host === undefined) return [];
  return [eb('name', '>=', host.name), eb.or([eb('name', '>', host.name), eb('id', '>', host.id)])];
}

async function rowsOf(db: Kysely<Schema>, ids: readonly number[]) {
  if (ids.length === 0) return [];
  const rows = await db.selectFrom('host').selectAll().where('id', 'in', repeatedToPowerOfTwo(ids)).execute();
  const byId = new Map(rows.map(row => [row.id, row]));
  return ids.flatMap(id => byId.get(id) ?? []);
}
