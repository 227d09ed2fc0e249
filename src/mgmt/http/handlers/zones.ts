import type { Listed, Params, Response } from '../../../api/types.js';
import { present } from '../answers/fields.js';
import { hasKeyword, pageOf, paging } from '../answers/paging.js';
import type { HandlerParts } from './handler.js';

/** CloudStack's word; there is no other one here. */
const ALLOCATION_STATE = 'Enabled';

export async function listZones({ store }: HandlerParts, params: Params<'listZones'>): Promise<Response<'listZones'>> {
  const zones = await store.zones();
  const items = zones.map(({ uuid, name }) => ({ id: uuid, name, allocationstate: ALLOCATION_STATE }));
  return matching('listZones', items, params);
}

export async function listPods({ store }: HandlerParts, params: Params<'listPods'>): Promise<Response<'listPods'>> {
  const [zones, pods] = await Promise.all([store.zones(), store.pods()]);
  const items = pods.map(({ uuid, name, zoneId }) => {
    const zone = zones.find(({ id }) => id === zoneId);
    return {
      id: uuid,
      name,
      zoneid: zone?.uuid ?? '',
      zonename: zone?.name ?? '',
      allocationstate: ALLOCATION_STATE,
    };
  });
  return matching('listPods', items, params);
}

export async function listClusters(
  { store }: HandlerParts,
  params: Params<'listClusters'>,
): Promise<Response<'listClusters'>> {
  const [zones, pods, all] = await Promise.all([store.zones(), store.pods(), store.clusters()]);
  const { hypervisor, arch } = params;
  const ids =
    hypervisor === undefined && arch === undefined
      ? undefined
      : new Set(await store.clusterIdsOfHosts(present({ hypervisor, arch })));
  const clusters = all.filter(({ id }) => ids?.has(id) ?? true);
  const items = clusters.map(({ uuid, name, zoneId, podId }) => {
    const zone = zones.find(({ id }) => id === zoneId);
    const pod = pods.find(({ id }) => id === podId);
    return {
      id: uuid,
      name,
      podid: pod?.uuid ?? '',
      podname: pod?.name ?? '',
      zoneid: zone?.uuid ?? '',
      zonename: zone?.name ?? '',
      allocationstate: ALLOCATION_STATE,
    };
  });
  return matching('listClusters', items, params);
}

interface LocationObject {
  readonly id: string;
  readonly name: string;
  readonly zoneid?: string;
  readonly podid?: string;
}

type LocationParams = Omit<Params<'listClusters'>, 'hypervisor' | 'arch'>;

/** They are few rows: all are read, and filtered here. */
function matching<T extends LocationObject>(
  command: string,
  all: readonly T[],
  { id, name, zoneid, podid, keyword, ...page }: LocationParams,
): Listed<T> {
  const found = all.filter(
    one =>
      (id === undefined || one.id === id) &&
      (name === undefined || one.name === name) &&
      (zoneid === undefined || one.zoneid === zoneid) &&
      (podid === undefined || one.podid === podid) &&
      hasKeyword(one.name, keyword),
  );
  return { count: found.length, items: pageOf(found, paging(command, page)) };
}
