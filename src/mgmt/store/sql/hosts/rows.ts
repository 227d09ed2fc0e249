import { type Selectable, sql } from 'kysely';
import type { HostDescription, HostRow } from '../../host-store.js';
import type { SqlDatabase } from '../database.js';
import type { HostTable } from '../schema.js';

/** Between the table's words and the domain's. */
export type HostColumns = Selectable<HostTable>;

/** The columns of an `AgentRow`, under its names. */
export const AGENT_COLUMNS = [
  'id',
  'uuid',
  'name',
  'data_center_id as zoneId',
  'cluster_id as clusterId',
  'preferred',
  'next_preferred as nextPreferred',
  'next_generation as nextGeneration',
  'status',
  'mgmt_server_id as msid',
  'epoch',
  'ms_host_list as msHostList',
  'instance_id as instanceId',
  'link_address as linkAddress',
  'changed',
] as const;

/** The guid that a host has, or had when it was removed. */
export const guid = sql<string>`coalesce(guid, removed_guid, '')`.as('guid');

/** `changed` of a host that is updated: the store's time, and always later than before. */
export const changeTime = (database: SqlDatabase) => database.greatest(database.now(), sql<number>`changed + 1`);

/** Rows that the store finds for the names of a host's pod and cluster; null: it has named none. */
export interface LocationIds {
  readonly podId: number | null;
  readonly clusterId: number | null;
}

export function columnsOf(host: HostDescription, { podId, clusterId }: LocationIds) {
  return {
    guid: host.guid,
    name: host.name,
    type: host.type,
    data_center_id: host.zoneId,
    pod: host.pod,
    cluster: host.cluster,
    pod_id: podId,
    cluster_id: clusterId,
    private_ip_address: host.privateIpAddress,
    version: host.version,
    hypervisor_type: host.hypervisorType,
    arch: host.arch,
    sockets: host.sockets ?? null,
    cpus: host.cpus,
    speed: host.speed,
    ram: host.ram,
    implicit_tags: tagsText(host.implicitTags),
  };
}

/** The row of a host that no server has had yet. Names are written out: V8 takes 100 µs to put this together by `...`. */
export function newHost(
  columns: ReturnType<typeof columnsOf>,
  { id, uuid, status, created }: Pick<HostColumns, 'id' | 'uuid' | 'status' | 'created'>,
): HostColumns {
  return {
    id,
    uuid,
    status,
    created,
    guid: columns.guid,
    name: columns.name,
    type: columns.type,
    data_center_id: columns.data_center_id,
    pod: columns.pod,
    cluster: columns.cluster,
    pod_id: columns.pod_id,
    cluster_id: columns.cluster_id,
    private_ip_address: columns.private_ip_address,
    version: columns.version,
    hypervisor_type: columns.hypervisor_type,
    arch: columns.arch,
    sockets: columns.sockets,
    cpus: columns.cpus,
    speed: columns.speed,
    ram: columns.ram,
    implicit_tags: columns.implicit_tags,
    resource_state: 'Enabled',
    mgmt_server_id: null,
    last_mgmt_server_id: null,
    epoch: 0,
    ms_host_list: null,
    configuration_version: null,
    preferred: null,
    last_ping: null,
    disconnected: null,
    disconnect_reason: null,
    removed: null,
    removed_guid: null,
    changed: 0,
    next_preferred: null,
    next_generation: null,
    instance_id: null,
    link_address: null,
    link_number: null,
    explicit_tags: null,
    annotation: null,
  };
}

export function hostOf(row: HostColumns): HostRow {
  return {
    id: row.id,
    uuid: row.uuid,
    guid: row.guid ?? row.removed_guid ?? '',
    name: row.name,
    type: row.type,
    zoneId: row.data_center_id,
    pod: row.pod,
    cluster: row.cluster,
    podId: row.pod_id,
    clusterId: row.cluster_id,
    privateIpAddress: row.private_ip_address,
    version: row.version,
    hypervisorType: row.hypervisor_type,
    arch: row.arch,
    sockets: row.sockets,
    cpus: row.cpus,
    speed: row.speed,
    ram: row.ram,
    status: row.status,
    resourceState: row.resource_state,
    msid: row.mgmt_server_id,
    lastMsid: row.last_mgmt_server_id,
    epoch: row.epoch,
    msHostList: row.ms_host_list,
    configurationVersion: row.configuration_version,
    preferred: row.preferred,
    nextPreferred: row.next_preferred,
    nextGeneration: row.next_generation,
    lastPing: row.last_ping,
    instanceId: row.instance_id,
    linkAddress: row.link_address,
    linkNumber: row.link_number,
    disconnected: row.disconnected,
    disconnectReason: row.disconnect_reason,
    created: row.created,
    implicitTags: tagsOf(row.implicit_tags),
    explicitTags: tagsOf(row.explicit_tags),
    annotation: row.annotation,
  };
}

export const tagsText = (tags: readonly string[]) => (tags.length === 0 ? null : tags.join(','));
export const tagsOf = (text: string | null) => (text === null ? [] : text.split(','));
