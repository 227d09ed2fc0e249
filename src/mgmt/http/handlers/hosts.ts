import type { Params, Response } from '../../../api/types.js';
import { mapInSteps, runInTurns } from '../../../lib/interruptible.js';
import { readHosts } from '../../store/pages.js';
import { HOST_STATUSES, type HostQuery, type HostStatus } from '../../store/store.js';
import { gibibytes, present } from '../answers/fields.js';
import { paging } from '../answers/paging.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts, OwnKnowledge } from './handler.js';
import { hostObject } from './host-object.js';
import { idOf, type Locations, locationsInMemory, readLocations } from './locations.js';
import { type KnownQuery, listed, matchingHosts, refuseFilters, whileAway } from './while-away.js';

/** CloudStack's other states: a client may ask for hosts in them, and there are none. */
const OTHER_STATES = ['Down', 'Alert', 'Error', 'Rebalancing', 'Unknown'];

export function listHosts(parts: HandlerParts, params: Params<'listHosts'>): Promise<Response<'listHosts'>> {
  return whileAway(
    parts,
    () => hostsOfStore(parts, params),
    own => hostsOfMemory(parts.clock, own, params),
  );
}

async function hostsOfStore(parts: HandlerParts, params: Params<'listHosts'>): Promise<Response<'listHosts'>> {
  const { clock, store } = parts;
  const command = 'listHosts';
  const locations = await readLocations(store);
  const { zones, pods, clusters, servers } = locations;
  const query: HostQuery = {
    ...paging(command, params),
    ...present({
      uuid: params.id,
      name: params.name,
      keyword: params.keyword,
      status: params.state === undefined ? undefined : statesOf(command, params.state),
      tag: params.tag,
      type: params.type,
      hypervisor: params.hypervisor,
      arch: params.arch,
      resourceState: params.resourcestate,
      zoneId: idOf(command, 'zoneid', zones, params.zoneid, zone => zone.id),
      podId: idOf(command, 'podid', pods, params.podid, pod => pod.id),
      clusterId: idOf(command, 'clusterid', clusters, params.clusterid, cluster => cluster.id),
      msid: idOf(command, 'managementserverid', servers, params.managementserverid, server => server.msid),
    }),
  };
  const [{ count, rows }, linkOf] = await Promise.all([
    readHosts(part => store.findHosts(part), query),
    parts.presentLinks(),
  ]);
  const certificateOf = await parts.hostCertificates(rows.map(({ id }) => id));
  const objects = mapInSteps(rows, row => hostObject(row, locations, linkOf(row)?.link, certificateOf(row.id)));
  return { count, items: await runInTurns(objects, clock) };
}

async function hostsOfMemory(
  clock: HandlerParts['clock'],
  own: OwnKnowledge,
  params: Params<'listHosts'>,
): Promise<Response<'listHosts'>> {
  const command = 'listHosts';
  const { tag, type, hypervisor, arch, resourcestate, zoneid, podid, clusterid } = params;
  refuseFilters(command, { tag, type, hypervisor, arch, resourcestate, zoneid, podid, clusterid });
  const locations = locationsInMemory(own);
  const linkOf = own.links();
  const found = await matchingHosts(clock, await own.hosts(), knownQuery(command, locations, params));
  return listed(clock, found, paging(command, params), row => hostObject(row, locations, linkOf(row)?.link));
}

export async function listHostsMetrics(
  parts: HandlerParts,
  params: Params<'listHostsMetrics'>,
): Promise<Response<'listHostsMetrics'>> {
  const list = await listHosts(parts, params);
  const measured = mapInSteps(list.items, host => {
    const { cpunumber, cpuspeed, memorytotal } = host;
    return {
      ...host,
      cputotalghz: cpunumber && cpuspeed ? `${((cpunumber * cpuspeed) / 1_000).toFixed(2)} Ghz` : undefined,
      memorytotalgb: memorytotal ? gibibytes(memorytotal) : undefined,
    };
  });
  return { ...list, items: await runInTurns(measured, parts.clock) };
}

export async function updateHost(
  parts: HandlerParts,
  { id, hosttags, annotation }: Params<'updateHost'>,
): Promise<Response<'updateHost'>> {
  const row = await parts.operations.updateHost({ hostId: id, tags: hosttags, annotation });
  const locations = await readLocations(parts.store);
  const link = (await parts.presentLinks())(row)?.link;
  return hostObject(row, locations, link, (await parts.hostCertificates([row.id]))(row.id));
}

export async function reconnectHost(
  { operations }: HandlerParts,
  { id }: Params<'reconnectHost'>,
): Promise<Response<'reconnectHost'>> {
  const job = await operations.reconnectHost({ hostId: id });
  return { jobid: job.uuid, id };
}

export async function migrateHost(
  { operations }: HandlerParts,
  { id, managementserverid: serverId }: Params<'migrateHost'>,
): Promise<Response<'migrateHost'>> {
  const job = await operations.migrateHost({ hostId: id, serverId });
  return { jobid: job.uuid, id };
}

export async function diagnoseHost(
  { operations }: HandlerParts,
  { id, hosts }: Params<'diagnoseHost'>,
): Promise<Response<'diagnoseHost'>> {
  const job = await operations.diagnoseHost({ hostId: id, hosts });
  return { jobid: job.uuid, id };
}

export async function deleteHost(
  { operations }: HandlerParts,
  { id, forced }: Params<'deleteHost'>,
): Promise<Response<'deleteHost'>> {
  const { host, notTold } = await operations.removeHost({ hostId: id, forced });
  const how = notTold === undefined ? '' : `, though its agent could not be told: ${notTold}`;
  return { success: true, displaytext: `host ${host.name} is removed${how}` };
}

/** @throws ApiError 431 */
export function statesOf(command: string, text: string): readonly HostStatus[] {
  const isText = (one: string) => one.toLowerCase() === text.toLowerCase();
  const states = HOST_STATUSES.filter(isText);
  if (states.length === 0 && !OTHER_STATES.some(isText)) {
    throw invalidParameter(command, 'state', text, `the states are ${HOST_STATUSES.join(', ')}`);
  }
  return states;
}

/** What hosts are asked for, as far as memory knows it. @throws ApiError 431 */
export function knownQuery(
  command: string,
  { servers }: Locations,
  params: Pick<Params<'listHosts'>, 'id' | 'name' | 'keyword' | 'state' | 'managementserverid'>,
): KnownQuery {
  return {
    id: params.id,
    name: params.name,
    keyword: params.keyword,
    status: params.state === undefined ? undefined : statesOf(command, params.state),
    msid: idOf(command, 'managementserverid', servers, params.managementserverid, server => server.msid),
  };
}
