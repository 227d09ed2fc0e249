import { parseMoment } from '../../../api/moment.js';
import type { ResponseObject } from '../../../api/types.js';
import { parseReportedList } from '../../../protocol/host-list.js';
import type { ChangedHost, HostVersion } from '../../store/store.js';

/** One reading of what the console follows. */
export interface Reading {
  /** Newest first. */
  readonly moves: readonly ResponseObject<'listMoves'>[];
  /** Newest first. */
  readonly events: readonly ResponseObject<'listEvents'>[];
  readonly servers: readonly ResponseObject<'listManagementServers'>[];
  readonly jobs: readonly ResponseObject<'listAsyncJobs'>[];
  readonly configurations: readonly ResponseObject<'listConfigurations'>[];
  /** Those that are open. */
  readonly alerts: readonly ResponseObject<'listAlerts'>[];
  /** The one that stands, if there is one. */
  readonly canaries: readonly StandingCanary[];
  readonly hosts: HostsReading;
}

/** Hosts whose rows have changed: agents may have other lists. */
export interface HostsReading {
  /** When it was begun, by the store's clock. */
  readonly at: number;
  /** Of all of them; the next reading may name them again. */
  readonly versions: readonly HostVersion[];
  /** Of those that were not read before. */
  readonly rows: readonly Pick<ChangedHost, 'uuid' | 'msHostList' | 'removed'>[];
}

/** A change that holds for a few hosts first. How far it is, `listCanaries` tells. */
export interface StandingCanary {
  readonly id: number;
  /** By the store's clock, in milliseconds since 1970. */
  readonly begun: number;
  readonly createdby: string;
}

/** What subscribers are told: a name, and what is new or has changed under it; of alerts and canaries, all that are open. */
export interface FeedMessage {
  readonly event: 'moves' | 'lists' | 'events' | 'servers' | 'jobs' | 'configurations' | 'alerts' | 'canaries';
  readonly items: readonly object[];
}

/** Up to where subscribers were told, by the store's clock, in milliseconds since 1970. */
export interface FeedCursor {
  readonly moves: number;
  readonly events: number;
  readonly hosts: number;
}

/** What subscribers were told. */
export interface FeedState {
  readonly cursor: FeedCursor;
  /** Moves, events and versions of hosts that the next reading may have again. */
  readonly told: ReadonlySet<string>;
  /** The preferred server of hosts, by their ids: '' for none. */
  readonly preferred: ReadonlyMap<string, string>;
  /** What was told last, as JSON by its id. */
  readonly servers: ReadonlyMap<string, string>;
  readonly jobs: ReadonlyMap<string, string>;
  readonly configurations: ReadonlyMap<string, string>;
  /** All of them; undefined: nothing was told. */
  readonly alerts: string | undefined;
  readonly canaries: string | undefined;
}

/** Records are written a little later than what they tell of: so much before the cursor is read again. */
const OVERLAP_MS = 15_000;

export function feedFrom(cursor: FeedCursor): FeedState {
  const maps = { servers: new Map(), jobs: new Map(), configurations: new Map() };
  return { cursor, told: new Set(), preferred: new Map(), ...maps, alerts: undefined, canaries: undefined };
}

/** From when on moves and events are to be read. Of hosts the store itself reads some time before again. */
export function readFrom({ moves, events, hosts }: FeedCursor): FeedCursor {
  return { moves: Math.max(0, moves - OVERLAP_MS), events: Math.max(0, events - OVERLAP_MS), hosts };
}

/** Of the versions that a reading names, those whose rows have to be read. */
export function freshVersions({ told }: FeedState, versions: readonly HostVersion[]): readonly HostVersion[] {
  return versions.filter(version => !told.has(versionKey(version)));
}

function versionKey({ id, changed }: HostVersion): string {
  return `host ${id} ${changed}`;
}

/**
 * Whether all that is new is in a reading. Pure.
 * @param most moves, events or hosts of a reading: when it has so many, there may be older ones that nobody was told of
 */
export function isWhole({ told }: FeedState, { moves, events, hosts }: Reading, most: number): boolean {
  const reaches = (read: readonly { readonly id: string }[], what: string) =>
    read.length < most || told.has(`${what} ${read.at(-1)?.id}`);
  return reaches(moves, 'move') && reaches(events, 'event') && hosts.rows.length < most;
}

/** What subscribers are to be told of a reading. Pure. */
export function next(
  state: FeedState,
  reading: Reading,
): { readonly state: FeedState; readonly messages: readonly FeedMessage[] } {
  // Oldest first, as they have happened.
  const moves = reading.moves.filter(({ id }) => !state.told.has(`move ${id}`)).toReversed();
  const events = reading.events.filter(({ id }) => !state.told.has(`event ${id}`)).toReversed();
  const servers = changed(state.servers, reading.servers.map(withoutAgents), ({ id }) => id);
  const jobs = changed(state.jobs, reading.jobs, ({ jobid }) => jobid);
  const configurations = changed(state.configurations, reading.configurations, ({ name }) => name);
  const alerts = JSON.stringify(reading.alerts);
  const canaries = JSON.stringify(reading.canaries);
  const { preferred, lists } = otherLists(state.preferred, reading.hosts);
  const told = new Set([
    ...reading.moves.map(({ id }) => `move ${id}`),
    ...reading.events.map(({ id }) => `event ${id}`),
    ...reading.hosts.versions.map(versionKey),
  ]);
  const cursor = {
    moves: reading.moves.reduce((latest, { at }) => Math.max(latest, at), state.cursor.moves),
    events: reading.events.reduce(
      (latest, { created }) => Math.max(latest, parseMoment(created) ?? 0),
      state.cursor.events,
    ),
    hosts: Math.max(reading.hosts.at, state.cursor.hosts),
  };
  const messages: readonly FeedMessage[] = [
    { event: 'servers', items: servers.items },
    { event: 'moves', items: moves },
    { event: 'lists', items: lists },
    { event: 'jobs', items: jobs.items },
    { event: 'configurations', items: configurations.items },
    { event: 'events', items: events },
  ];
  return {
    state: {
      ...{ cursor, told, preferred, alerts, canaries },
      ...{ servers: servers.texts, jobs: jobs.texts, configurations: configurations.texts },
    },
    messages: [
      ...messages.filter(({ items }) => items.length > 0),
      // One that is over is told by its absence.
      ...(alerts === state.alerts ? [] : [{ event: 'alerts', items: reading.alerts } as const]),
      ...(canaries === state.canaries ? [] : [{ event: 'canaries', items: reading.canaries } as const]),
    ],
  };
}

/** What of hosts is told: which server an agent prefers, when that has changed. */
function otherLists(former: ReadonlyMap<string, string>, { rows }: HostsReading) {
  const lists = rows
    .filter(({ removed }) => removed === null)
    .map(({ uuid, msHostList }) => ({
      hostid: uuid,
      preferredhost: parseReportedList(msHostList ?? undefined).hosts[0] ?? '',
    }))
    .filter(({ hostid, preferredhost }) => former.get(hostid) !== preferredhost);
  if (lists.length === 0) return { preferred: former, lists };
  const changed = lists.map(({ hostid, preferredhost }) => [hostid, preferredhost] as const);
  return { preferred: new Map([...former, ...changed]), lists };
}

/** The ids of thousands of hosts are no news; where they are the moves tell. */
function withoutAgents({
  agents: _agents,
  lastagents: _lastAgents,
  heartbeatage: _age,
  ...server
}: ResponseObject<'listManagementServers'>) {
  return server;
}

function changed<T extends object>(
  former: ReadonlyMap<string, string>,
  items: readonly T[],
  idOf: (item: T) => string,
) {
  const texts = new Map(items.map(item => [idOf(item), JSON.stringify(item)]));
  return { texts, items: items.filter(item => former.get(idOf(item)) !== texts.get(idOf(item))) };
}

/** A cursor as the id of a message. */
export function cursorText({ moves, events, hosts }: FeedCursor): string {
  return `${moves}-${events}-${hosts}`;
}

/** @returns undefined when it is none */
export function parseCursor(text: string | undefined): FeedCursor | undefined {
  const parts = /^(\d{1,15})-(\d{1,15})-(\d{1,15})$/.exec(text ?? '');
  return parts === null ? undefined : { moves: Number(parts[1]), events: Number(parts[2]), hosts: Number(parts[3]) };
}
