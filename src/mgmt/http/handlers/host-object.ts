import type { ResponseObject } from '../../../api/types.js';
import type { LinkStatus } from '../../hosts/link-status.js';
import type { KnownRow } from '../../hosts/own-view.js';
import type { HostCertificate } from '../../security/host-certificates.js';
import type { HostRow } from '../../store/store.js';
import { dated } from '../answers/fields.js';
import { certificateFields } from './certificates.js';
import type { Locations } from './locations.js';

/** A host's row, or what is known of it while the store is away. */
export type ShownHost = KnownRow & Partial<HostRow>;

/**
 * A host as the API shows it.
 * @param link what is known of its present link
 * @param certificate what is known of its certificate
 */
export function hostObject(
  row: ShownHost,
  { zones, pods, clusters, servers }: Locations,
  link?: LinkStatus,
  certificate?: HostCertificate,
): ResponseObject<'listHosts'> {
  const zone = zones.get(row.zoneId);
  const pod = pods.get(row.podId);
  const cluster = clusters.get(row.clusterId);
  const server = servers.get(row.msid);
  return {
    id: row.uuid,
    name: row.name,
    state: row.status,
    type: row.type,
    ipaddress: row.privateIpAddress,
    zoneid: zone?.uuid,
    zonename: zone?.name,
    podid: pod?.uuid,
    podname: pod?.name,
    clusterid: cluster?.uuid,
    clustername: cluster?.name,
    version: row.version,
    hypervisor: row.hypervisorType,
    arch: row.arch,
    resourcestate: row.resourceState,
    managementserverid: server?.uuid,
    managementservername: server?.name,
    cpusockets: row.sockets,
    cpunumber: row.cpus,
    cpuspeed: row.speed,
    memorytotal: row.ram,
    ...tagFields(row),
    explicithosttags: joined(row.explicitTags),
    implicithosttags: joined(row.implicitTags),
    created: dated(row.created),
    disconnected: dated(row.disconnected),
    lastpinged: dated(link?.lastPing ?? row.lastPing),
    ...certificateFields(certificate),
  };
}

/** What people say of a host. @param host nothing, while the store is away */
export function tagFields({ explicitTags = [], implicitTags = [], annotation }: Partial<HostRow>) {
  return { hosttags: joined([...new Set([...explicitTags, ...implicitTags])]), annotation };
}

const joined = (tags: readonly string[] = []) => (tags.length === 0 ? undefined : tags.join(','));
