import type { Kysely } from 'kysely';
import type { HostDescription } from '../host-store.js';
import type { LocationStore } from '../location-store.js';
import type { LocationIds } from './hosts/rows.js';
import type { Schema } from './schema.js';
import { lockedSequence, raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

export function locationStore(transactions: Transactions): LocationStore {
  const { random } = transactions;
  return {
    zoneId: name =>
      transactions.several('zoneId', async ({ read, write }) => {
        // Only the first call ever has to write.
        const known = await read(db => zones(db, name).executeTakeFirst());
        return known?.id ?? write(db => zoneIdOf(db, name, random.uuid()));
      }),

    zones: () => transactions.read('zones', db => db.selectFrom('data_center').selectAll().orderBy('id').execute()),

    pods: () =>
      transactions.read('pods', db =>
        db
          .selectFrom('host_pod_ref')
          .select(['id', 'uuid', 'name', 'data_center_id as zoneId'])
          .orderBy('id')
          .execute(),
      ),

    clusters: () =>
      transactions.read('clusters', db =>
        db
          .selectFrom('cluster')
          .select(['id', 'uuid', 'name', 'data_center_id as zoneId', 'pod_id as podId'])
          .select('lb_check_interval as checkIntervalSeconds')
          .orderBy('id')
          .execute(),
      ),

    clusterIdsOfHosts: ({ hypervisor, arch }) =>
      transactions.read('clusterIdsOfHosts', async db => {
        let query = db.selectFrom('host').select('cluster_id').distinct().where('removed', 'is', null);
        if (hypervisor !== undefined) query = query.where('hypervisor_type', '=', hypervisor);
        if (arch !== undefined) query = query.where('arch', '=', arch);
        return (await query.execute()).flatMap(({ cluster_id }) => cluster_id ?? []);
      }),

    setClusterCheckInterval: (clusterId, seconds, expectedVersion) =>
      transactions.write('setClusterCheckInterval', async db => {
        const version = await lockedSequence(transactions.database, db, 'configuration');
        if (version !== expectedVersion) return { done: false, version };
        const cluster = await db
          .selectFrom('cluster')
          .select('lb_check_interval')
          .where('id', '=', clusterId)
          .executeTakeFirst();
        // Clusters are never removed: the caller has read the row of the one that it names.
        if (cluster === undefined || cluster.lb_check_interval === seconds) return { done: true, version };
        await db.updateTable('cluster').set({ lb_check_interval: seconds }).where('id', '=', clusterId).execute();
        return { done: true, version: await raiseSequence(db, 'configuration') };
      }),
  };
}

/** The ids of pods and clusters by their names: looked up once, and made where there are none. Rows never go. */
export class LocationIdCache {
  readonly #known = new Map<string, LocationIds>();

  /** For one transaction. What it finds is kept only when `learn` says that the transaction was committed. */
  finder(db: Kysely<Schema>, uuid: () => string): (host: HostDescription) => Promise<LocationIds> {
    const found = new Map<string, LocationIds>();
    return async ({ zoneId, pod, cluster }) => {
      const key = keyOf(zoneId, pod, cluster);
      const known = this.#known.get(key) ?? found.get(key);
      if (known !== undefined) return known;
      const podId = pod === null ? null : await podIdOf(db, zoneId, pod, uuid());
      const isPlaced = podId !== null && cluster !== null;
      const ids = { podId, clusterId: isPlaced ? await clusterIdOf(db, { zoneId, podId, cluster }, uuid()) : null };
      found.set(key, ids);
      return ids;
    };
  }

  learn({ zoneId, pod, cluster }: HostDescription, ids: LocationIds): void {
    // Agents name them as they like; past this many, each is looked up in the store.
    if (this.#known.size < MOST_KNOWN) this.#known.set(keyOf(zoneId, pod, cluster), ids);
  }
}

const MOST_KNOWN = 10_000;

const keyOf = (...parts: readonly unknown[]) => JSON.stringify(parts);

const zones = (db: Kysely<Schema>, name: string) => db.selectFrom('data_center').select('id').where('name', '=', name);

function zoneIdOf(db: Kysely<Schema>, name: string, uuid: string): Promise<number> {
  const insert = (id: number) => db.insertInto('data_center').values({ id, uuid, name });
  return findOrInsert(db, zones(db, name), 'data_center', insert);
}

function podIdOf(db: Kysely<Schema>, zoneId: number, name: string, uuid: string): Promise<number> {
  const find = db.selectFrom('host_pod_ref').select('id').where('data_center_id', '=', zoneId).where('name', '=', name);
  const insert = (id: number) => db.insertInto('host_pod_ref').values({ id, uuid, name, data_center_id: zoneId });
  return findOrInsert(db, find, 'host_pod_ref', insert);
}

function clusterIdOf(
  db: Kysely<Schema>,
  { zoneId, podId, cluster: name }: { zoneId: number; podId: number; cluster: string },
  uuid: string,
): Promise<number> {
  const find = db.selectFrom('cluster').select('id').where('pod_id', '=', podId).where('name', '=', name);
  const row = { uuid, name, data_center_id: zoneId, pod_id: podId, lb_check_interval: null };
  return findOrInsert(db, find, 'cluster', id => db.insertInto('cluster').values({ ...row, id }));
}

/** @returns the id of the row that `find` finds, or of a new one */
async function findOrInsert(
  db: Kysely<Schema>,
  find: { executeTakeFirst(): Promise<{ readonly id: number } | undefined> },
  table: 'data_center' | 'host_pod_ref' | 'cluster',
  insert: (id: number) => { execute(): Promise<unknown> },
): Promise<number> {
  const found = await find.executeTakeFirst();
  if (found !== undefined) return found.id;
  const id = await raiseSequence(db, table);
  await insert(id).execute();
  return id;
}
