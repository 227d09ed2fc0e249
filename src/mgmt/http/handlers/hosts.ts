import type { Params, Response } from '../../../api/types.js';
import { readLargePage } from '../../store/pages.js';
import type { HostQuery, HostStatus } from '../../store/store.js';
import { invalidParameter } from '../api-error.js';
import { present } from './fields.js';
import type { HandlerParts } from './handler.js';
import { hostObject } from './host-object.js';
import { idOf, readLocations } from './locations.js';
import { paging } from './paging.js';

const STATES: readonly HostStatus[] = ['Connecting', 'Up', 'Disconnected', 'Removed'];
/** CloudStack's other states: a client may ask for hosts in them, and there are none. */
const OTHER_STATES = ['Creating', 'Down', 'Alert', 'Error', 'Rebalancing', 'Unknown'];

/** kvm-2 before kvm-10. */
const BY_NAME = new Intl.Collator('en', { numeric: true });

export async function listHosts(parts: HandlerParts, params: Params<'listHosts'>): Promise<Response<'listHosts'>> {
  const { store } = parts;
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
    readLargePage(part => store.findHosts(part), query),
    parts.presentLinks(),
  ]);
  // Pages are cut by id, from an index: all are sorted where one page has all.
  const sorted = rows.toSorted((one, other) => BY_NAME.compare(one.name, other.name) || one.id - other.id);
  return { count, items: sorted.map(row => hostObject(row, locations, linkOf(row)?.link)) };
}

export async function reconnectHost(
  { operations }: HandlerParts,
  { id }: Params<'reconnectHost'>,
): Promise<Response<'reconnectHost'>> {
  const job = await operations.reconnectHost({ hostId: id });
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
  const states = STATES.filter(isText);
  if (states.length === 0 && !OTHER_STATES.some(isText)) {
    throw invalidParameter(command, 'state', text, `the states are ${STATES.join(', ')}`);
  }
  return states;
}
