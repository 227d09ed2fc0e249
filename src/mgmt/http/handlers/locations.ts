import type { ServerRow, ZoneRow } from '../../store/store.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts, OwnKnowledge } from './handler.js';

/** Names and ids of zones, pods, clusters and servers. They are few rows, and are read for each command. */
export interface Locations {
  readonly zones: Lookup<ZoneRow>;
  readonly pods: Lookup<ZoneRow>;
  readonly clusters: Lookup<ZoneRow>;
  readonly servers: Lookup<ServerRow>;
}

export interface Lookup<T> {
  get(id: number | null | undefined): T | undefined;
  byUuid(uuid: string): T | undefined;
}

export async function readLocations(store: HandlerParts['store']): Promise<Locations> {
  const [zones, pods, clusters, servers] = await Promise.all([
    store.zones(),
    store.pods(),
    store.clusters(),
    store.servers(),
  ]);
  return {
    zones: lookup(zones, zone => zone.id),
    pods: lookup(pods, pod => pod.id),
    clusters: lookup(clusters, cluster => cluster.id),
    servers: lookup(servers, server => server.msid),
  };
}

/** Without the store: zones, pods and clusters have no names then. */
export function locationsInMemory(own: OwnKnowledge): Locations {
  const none = lookup<ZoneRow>([], ({ id }) => id);
  return { zones: none, pods: none, clusters: none, servers: lookup(own.servers(), server => server.msid) };
}

/** @throws ApiError 431: there is no object with this id */
export function idOf<T>(
  command: string,
  parameter: string,
  lookup: Lookup<T>,
  uuid: string | undefined,
  id: (row: T) => number,
): number | undefined {
  if (uuid === undefined) return undefined;
  const row = lookup.byUuid(uuid);
  if (row === undefined) throw invalidParameter(command, parameter, uuid, 'there is none with this id');
  return id(row);
}

/** Ids begin at 1. */
const NO_ID = 0;

function lookup<T extends { readonly uuid: string }>(rows: readonly T[], key: (row: T) => number): Lookup<T> {
  const byId = new Map(rows.map(row => [key(row), row]));
  return {
    get: id => byId.get(id ?? NO_ID),
    byUuid: uuid => rows.find(row => row.uuid === uuid),
  };
}
