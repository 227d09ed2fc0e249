import type { ResponseObject } from '../../api/types.js';
import { type Interruptible, mapInSteps, sortInSteps } from '../../lib/interruptible.js';

export type Placements = ResponseObject<'listPlacements'>;
export type Move = ResponseObject<'listMoves'>;

/** The number of no server at all. */
export const NOWHERE = 0;
/** In place of a server before the host has come for the first time. */
export const NOT_YET = -1;

/** One change of a host's place. */
export interface Step {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The number of the server that has it from then on, or `NOWHERE`. */
  readonly server: number;
  readonly kind: string;
  readonly cause: string;
  /** Milliseconds without a Ready link before; undefined: not known. */
  readonly gap: number | undefined;
}

/** A host, and where it was. */
export interface Track {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly cluster: string;
  readonly tags: readonly string[];
  /** The number of its preferred server; `NOWHERE` when it is not known. */
  readonly preferred: number;
  /** Where it was before its first step: the number of a server, `NOWHERE` or `NOT_YET`. */
  readonly first: number;
  /** Oldest first. */
  readonly steps: readonly Step[];
}

/** Servers have numbers from 1, in the order of this list. */
export interface NumberedServer {
  readonly id: string;
  readonly address: string;
}

/** Where all hosts were since `start`, in the order of the timeline's rows: by preferred server, then by name. */
export interface Fleet {
  readonly start: number;
  readonly servers: readonly NumberedServer[];
  readonly tracks: readonly Track[];
}

export const NO_FLEET: Fleet = { start: 0, servers: [], tracks: [] };

export function* fleetOf({
  start,
  servers = [],
  hosts = [],
}: Partial<Placements> & { readonly start: number }): Interruptible<Fleet> {
  const sorted = servers.toSorted((one, other) => compareAddresses(one.address, other.address));
  const numberOf = new Map(sorted.map(({ id }, index) => [id, index + 1]));
  /** As the servers are numbered there, from 1. */
  const renumbered = [NOWHERE, ...servers.map(({ id }) => numberOf.get(id) ?? NOWHERE)];
  const byAddress = new Map(sorted.map(({ address }, index) => [address, index + 1]));
  const tracks = yield* mapInSteps(
    hosts,
    (host): Track => ({
      id: host.hostid,
      name: host.hostname,
      zone: host.zonename ?? '',
      cluster: host.clustername ?? '',
      tags: host.hosttags?.split(',') ?? [],
      preferred: byAddress.get(host.preferredhost ?? '') ?? NOWHERE,
      first: typeof host.server === 'number' ? (renumbered[host.server] ?? NOWHERE) : NOT_YET,
      steps: stepsOf(host.moves, start, renumbered),
    }),
  );
  const numbered = sorted.map(({ id, address }) => ({ id, address }));
  return { start, servers: numbered, tracks: yield* sortInSteps(tracks, byRow) };
}

function stepsOf(moves: string, start: number, renumbered: readonly number[]): readonly Step[] {
  if (moves === '') return [];
  return moves.split(' ').map(text => {
    const [after = '', server = '', kind = '', cause = '', gap = ''] = text.split(':');
    return {
      at: start + Number(after),
      server: renumbered[Number(server)] ?? NOWHERE,
      kind,
      cause,
      gap: gap === '' ? undefined : Number(gap),
    };
  });
}

/** By preferred server, then by name, with numbers in names as numbers. */
function byRow(one: Track, other: Track): number {
  return (one.preferred || LAST) - (other.preferred || LAST) || NAMES.compare(one.name, other.name);
}

const LAST = Number.MAX_SAFE_INTEGER;
const NAMES = new Intl.Collator('en', { numeric: true });

export function compareAddresses(one: string, other: string): number {
  return NAMES.compare(one, other);
}

/** The server that an agent prefers now: an agent gets another list without a move. */
export interface Preference {
  readonly hostid: string;
  /** Its address; '' for none. */
  readonly preferredhost: string;
}

/** The fleet with the rows in their new order; undefined: nothing is new. @param lists the later one of a host counts */
export function* preferring(fleet: Fleet, lists: readonly Preference[]): Interruptible<Fleet | undefined> {
  const byAddress = new Map(fleet.servers.map(({ address }, index) => [address, index + 1]));
  const preferred = new Map(
    lists.map(({ hostid, preferredhost }) => [hostid, byAddress.get(preferredhost) ?? NOWHERE]),
  );
  let changed = 0;
  const tracks = yield* mapInSteps(fleet.tracks, track => {
    const other = preferred.get(track.id) ?? track.preferred;
    if (other === track.preferred) return track;
    changed++;
    return { ...track, preferred: other };
  });
  return changed === 0 ? undefined : { ...fleet, tracks: yield* sortInSteps(tracks, byRow) };
}

/** What has happened since; what the fleet knows already changes nothing. */
export interface Followed {
  readonly fleet: Fleet;
  /** Places of the tracks that have changed. */
  readonly changed: readonly number[];
  /** Hosts or servers that the fleet does not know: it has to be read anew. */
  readonly hasUnknown: boolean;
}

/** @param moves oldest first */
export function follow(fleet: Fleet, moves: readonly Move[]): Followed {
  const places = new Map(fleet.tracks.map(({ id }, index) => [id, index]));
  const numberOf = new Map(fleet.servers.map(({ id }, index) => [id, index + 1]));
  const steps = new Map<number, Step[]>();
  let hasUnknown = false;
  for (const { at, hostid, tomanagementserverid: to, kind, cause, gap } of moves) {
    const place = places.get(hostid ?? '');
    const server = to ? numberOf.get(to) : NOWHERE;
    if (place === undefined || server === undefined) {
      hasUnknown = true;
      continue;
    }
    const former = steps.get(place) ?? [...(fleet.tracks[place]?.steps ?? [])];
    steps.set(place, former);
    const isKnown = former.some(step => step.at === at && step.server === server && step.kind === kind);
    if (isKnown) continue;
    // The server that it has left may have seen the end of its link first: that was no loss, and its record is gone.
    if (gap === 0 && former.at(-1)?.kind === 'lost') former.pop();
    former.push({ at, server, kind, cause, gap: gap ?? undefined });
  }
  const tracks = fleet.tracks.slice();
  const changed: number[] = [];
  for (const [place, own] of steps) {
    const track = tracks[place];
    if (track === undefined || (own.at(-1) === track.steps.at(-1) && own.length === track.steps.length)) continue;
    tracks[place] = { ...track, steps: own.sort((one, other) => one.at - other.at) };
    changed.push(place);
  }
  return { fleet: { ...fleet, tracks }, changed, hasUnknown };
}

/** The number of the server that has it now, `NOWHERE` or `NOT_YET`. */
export function whereNow({ first, steps }: Track): number {
  return steps.at(-1)?.server ?? first;
}

/** It has had no link for a moment: whoever goes back has none for a little while as far as the servers know. */
export function isNowhere(track: Track, now: number): boolean {
  return whereNow(track) === NOWHERE && (track.steps.at(-1)?.at ?? 0) <= now - MOMENT_MS;
}

const MOMENT_MS = 2_000;

export function isAstray(track: Track): boolean {
  const server = whereNow(track);
  return server > NOWHERE && track.preferred !== NOWHERE && server !== track.preferred;
}

/** Where it was at a moment: the number of a server, `NOWHERE` or `NOT_YET`. */
export function whereAt({ first, steps }: Track, moment: number): number {
  const next = steps.find(({ at }) => at > moment);
  if (next?.gap !== undefined && next.gap > 0 && next.at - next.gap <= moment) return NOWHERE;
  return steps.findLast(({ at }) => at <= moment)?.server ?? first;
}
