import type { HostStatus } from '../store/host-store.js';
import type { KnownHost } from './known-hosts.js';
import { placeOf } from './own-view.js';

/** A host as one server knows it, without asking the store. */
export interface ManagedHost {
  /** The number by which `send` takes it. */
  readonly id: number;
  /** The id by which the HTTP API knows it. */
  readonly uuid: string;
  /** Under which its agent registers. */
  readonly guid: string;
  /** As its agent calls the machine. Two hosts may have the same. */
  readonly name: string;
  /** `Up`: its agent is Ready at the server `msid`. */
  readonly state: HostStatus;
  /** The address of the server that has its agent; null when none has, or that server is not known. */
  readonly where: string | null;
  /** Whether that is this server. */
  readonly isHere: boolean;
}

export interface ManagedHostsParts {
  /** Of this server. */
  readonly msid: number;
  readonly knownHosts: Iterable<KnownHost>;
  /** Whether this server has the host's Ready link. */
  hasLink(hostId: number): boolean;
  /** The address of a server. */
  addressOf(msid: number): string | undefined;
}

/** All hosts, by id: those with a link here as they are, and the others as they were read last. */
export function managedHosts({ msid, knownHosts, hasLink, addressOf }: ManagedHostsParts): readonly ManagedHost[] {
  const hosts = [...knownHosts].map(host => {
    const { id, uuid, guid, name } = host;
    const place = placeOf(host, msid, hasLink(id));
    const where = place.msid === null ? null : (addressOf(place.msid) ?? null);
    return { id, uuid, guid, name, state: place.status, where, isHere: place.status === 'Up' && place.msid === msid };
  });
  return hosts.sort((one, other) => one.id - other.id);
}
