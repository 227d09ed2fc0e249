import type { Kysely } from 'kysely';
import type { HostDescription } from '../host-store.js';
import type { LocationStore } from '../location-store.js';
import { type Calls, current, raise } from './calls.js';
import type { Schema } from './schema.js';

export function locationCalls(calls: Calls): LocationStore {
  const findZone = (db: Kysely<Schema>, name: string) =>
    db.selectFrom('data_center').select('id').where('name', '=', name).executeTakeFirst();
  return {
    zoneId: name =>
      calls.several('zoneId', async ({ read, write }) => {
        // All but the first ask ever need no write.
        const known = await read(db => findZone(db, name));
        if (known !== undefined) return known.id;
        return write(async db => {
          const found = await findZone(db, name);
          if (found !== undefined) return found.id;
          const id = await raise(db, 'data_center');
          await db.insertInto('data_center').values({ id, uuid: calls.random.uuid(), name }).execute();
          return id;
        });
      }),

    zones: () => calls.read('zones', db => db.selectFrom('data_center').selectAll().orderBy('id').execute()),

    pods: () =>
      calls.read('pods', db =>
        db
          .selectFrom('host_pod_ref')
          .select(['id', 'uuid', 'name', 'data_center_id as zoneId'])
          .orderBy('id')
          .execute(),
      ),

    clusters: () =>
      calls.read('clusters', db =>
        db
          .selectFrom('cluster')
          .select(['id', 'uuid', 'name', 'data_center_id as zoneId', 'pod_id as podId'])
          .select('lb_check_interval as checkIntervalSeconds')
          .orderBy('id')
          .execute(),
      ),

    setClusterCheckInterval: (clusterId, seconds) =>
      calls.write('setClusterCheckInterval', async db => {
        const cluster = await db
          .selectFrom('cluster')
          .select('lb_check_interval')
          .where('id', '=', clusterId)
          .executeTakeFirst();
        if (cluster === undefined) return undefined;
        if (cluster.lb_check_interval === seconds) return current(db, 'configuration');
        const version = await raise(db, 'configuration');
        await db.updateTable('cluster').set({ lb_check_interval: seconds }).where('id', '=', clusterId).execute();
        return version;
      }),
  };
}

export interface LocationIds {
  readonly podId: number | null;
  readonly clusterId: number | null;
}

/** The ids of pods and clusters by their names: looked up once, and made where there are none. Rows never go. */
export class LocationIdCache {
  readonly #known = new Map<string, LocationIds>();

  /** Within a transaction; what it finds is kept only when `learn` says that the transaction was committed. */
  async idsOf(db: Kysely<Schema>, { zoneId, pod, cluster }: HostDescription, uuid: () => string): Promise<LocationIds> {
    const known = this.#known.get(keyOf(zoneId, pod, cluster));
    if (known !== undefined) return known;
    if (pod === null) return { podId: null, clusterId: null };
    const podId = await podIdOf(db, zoneId, pod, uuid);
    return { podId, clusterId: cluster === null ? null : await clusterIdOf(db, { zoneId, podId, cluster }, uuid) };
  }

  learn({ zoneId, pod, cluster }: HostDescription, ids: LocationIds): void {
    // Agents name them as they like; past this many, each is looked up in the store.
    if (this.#known.size < MOST_KNOWN) this.#known.set(keyOf(zoneId, pod, cluster), ids);
  }
}

const MOST_KNOWN = 10_000;

const keyOf = (...parts: readonly unknown[]) => JSON.stringify(parts);

async function podIdOf(db: Kysely<Schema>, zoneId: number, name: string, uuid: () => string): Promise<number> {
  const found = await db
    .selectFrom('host_pod_ref')
    .select('id')
    .where('data_center_id', '=', zoneId)
    .where('name', '=', name)
    .executeTakeFirst();
  if (found !== undefined) return found.id;
  const id = await raise(db, 'host_pod_ref');
  await db.insertInto('host_pod_ref').values({ id, uuid: uuid(), name, data_center_id: zoneId }).execute();
  return id;
}

async function clusterIdOf(
  db: Kysely<Schema>,
  { zoneId, podId, cluster: name }: { zoneId: number; podId: number; cluster: string },
  uuid: () => string,
): Promise<number> {
  const found = await db
    .selectFrom('cluster')
    .select('id')
    .where('pod_id', '=', podId)
    .where('name', '=', name)
    .executeTakeFirst();
  if (found !== undefined) return found.id;
  const id = await raise(db, 'cluster');
  const row = { id, uuid: uuid(), name, data_center_id: zoneId, pod_id: podId, lb_check_interval: null };
  await db.insertInto('cluster').values(row).execute();
  return id;
}
