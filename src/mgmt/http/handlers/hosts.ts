import { findHosts } from '../../hosts/find-hosts.js';
import { presentLinks } from '../../hosts/present-links.js';
import type { HostQuery, HostStatus } from '../../store/store.js';
import { invalidParameter } from '../api-error.js';
import { present } from './fields.js';
import type { Handler, HandlerParts } from './handler.js';
import { hostObject } from './host-object.js';
import { idOf, readLocations } from './locations.js';
import { paging } from './paging.js';

const STATES: readonly HostStatus[] = ['Connecting', 'Up', 'Disconnected', 'Removed'];
/** CloudStack has more: a client may ask for them, and there are none. */
const OTHER_STATES = ['Creating', 'Down', 'Alert', 'Error', 'Rebalancing', 'Unknown'];

export function listHosts(parts: HandlerParts): Handler<'listHosts'> {
  const { store } = parts;
  const command = 'listHosts';
  return async params => {
    const places = await readLocations(store);
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
        zoneId: idOf(command, 'zoneid', places.zones, params.zoneid, zone => zone.id),
        podId: idOf(command, 'podid', places.pods, params.podid, pod => pod.id),
        clusterId: idOf(command, 'clusterid', places.clusters, params.clusterid, cluster => cluster.id),
        msid: idOf(command, 'managementserverid', places.servers, params.managementserverid, server => server.msid),
      }),
    };
    const [{ count, rows }, linkOf] = await Promise.all([findHosts(store, query), presentLinks(parts)]);
    return { kind: 'list', count, items: rows.map(row => hostObject(row, places, linkOf(row)?.fact)) };
  };
}

export function reconnectHost({ operations }: HandlerParts): Handler<'reconnectHost'> {
  return async ({ id }) => {
    const job = await operations.reconnectHost({ hostId: id });
    return { kind: 'job', jobid: job.uuid, id };
  };
}

export function deleteHost({ operations }: HandlerParts): Handler<'deleteHost'> {
  return async ({ id, forced }) => {
    const { host, notTold } = await operations.removeHost({ hostId: id, forced });
    const how = notTold === undefined ? '' : `, though its agent could not be told: ${notTold}`;
    return { kind: 'plain', fields: { success: true, displaytext: `host ${host.name} is removed${how}` } };
  };
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
