import type { Interruptible } from '../../lib/interruptible.js';
import { sortInSteps, workCounter } from '../../lib/interruptible.js';
import type { HostRow } from '../store/store.js';
import type { KnownHost } from './known-hosts.js';

/** What a server knows of a host without the store. */
export type KnownRow = Pick<
  HostRow,
  'id' | 'uuid' | 'name' | 'status' | 'msid' | 'zoneId' | 'clusterId' | 'msHostList'
>;

export interface OwnViewParts {
  /** Of this server. */
  readonly msid: number;
  readonly knownHosts: Iterable<KnownHost>;
  /** Whether this server has the host's Ready link. */
  hasLink(hostId: number): boolean;
  /** `A,B,C@algorithm` as the agent has it, or should have it. */
  listOf(host: KnownHost): string | null;
}

/** Hosts a step. */
const STEP = 500;

/**
 * The hosts as this server knows them while the store is away, by name: its own links as they are, and the others as it
 * read them last.
 */
export function* ownView({ msid, knownHosts, hasLink, listOf }: OwnViewParts): Interruptible<readonly KnownRow[]> {
  const rows: KnownRow[] = [];
  const isStepDone = workCounter(STEP);
  for (const host of knownHosts) {
    const { id, uuid, name, zoneId, clusterId } = host;
    rows.push({ id, uuid, name, zoneId, clusterId, ...placeOf(host, msid, hasLink(id)), msHostList: listOf(host) });
    if (isStepDone(1)) yield;
  }
  return yield* sortInSteps(rows, (one, other) =>
    one.name < other.name ? -1 : one.name > other.name ? 1 : one.id - other.id,
  );
}

/** What the row will say once it can be written. */
export function placeOf(host: KnownHost, msid: number, hasLink: boolean): Pick<KnownRow, 'status' | 'msid'> {
  if (hasLink) return { status: 'Up', msid };
  if (host.msid === msid) return { status: 'Disconnected', msid: null };
  return { status: host.status, msid: host.msid };
}
