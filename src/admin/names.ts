import type { ApiCommand } from '../api/table.js';
import { isUuid } from '../lib/uuid.js';
import { type ApiAnswer, type ApiCall, rowsOf } from './client.js';
import { UsageError } from './usage-error.js';

/**
 * Replaces names by ids: the API takes ids, and people know hosts, zones, pods and clusters by their names and servers by
 * their addresses. A value that is no id, where the command takes the id of one of them, is looked up.
 * @returns the parameters with ids
 * @throws UsageError: there is none with this name, or there are several; ApiFailure, Unreachable
 */
export async function withIds(
  command: string,
  { params: known }: ApiCommand,
  given: ReadonlyMap<string, string>,
  api: ApiCall,
): Promise<ReadonlyMap<string, string>> {
  const params = new Map(given);
  for (const [name, value] of given) {
    if (known[name]?.type !== 'uuid' || isUuid(value)) continue;
    const found = await lookUp(command, name, value, api);
    if (found === undefined) continue;
    const [first, ...others] = found;
    if (first === undefined) throw new UsageError(`${command}: ${name}=${value}: there is none with this name or id`);
    if (others.length > 0) {
      const ids = found.map(({ id }) => String(id)).join(', ');
      throw new UsageError(`${command}: ${name}=${value}: several have this name; give one of the ids ${ids}`);
    }
    params.set(name, String(first.id));
  }
  return params;
}

/** @returns the objects with this name; undefined: the parameter is of something that has no name */
async function lookUp(
  command: string,
  param: string,
  value: string,
  api: ApiCall,
): Promise<readonly ApiAnswer[] | undefined> {
  const isServer = param === 'managementserverid' || (param === 'id' && /ManagementServers?$/.test(command));
  if (isServer) {
    const servers = rowsOf((await api('listManagementServers')).managementserver);
    return servers.filter(({ name, ipaddress }) => ipaddress === value || name === value);
  }
  const isHost = param === 'hostid' || (param === 'id' && /Hosts?$/.test(command));
  if (isHost) return rowsOf((await api('listHosts', { name: value })).host);
  if (param === 'zoneid') return rowsOf((await api('listZones', { name: value })).zone);
  if (param === 'podid') return rowsOf((await api('listPods', { name: value })).pod);
  if (param === 'clusterid') return rowsOf((await api('listClusters', { name: value })).cluster);
  return undefined;
}
