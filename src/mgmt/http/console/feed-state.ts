import { parseMoment } from '../../../api/moment.js';
import type { ResponseObject } from '../../../api/types.js';

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
}

/** What subscribers are told: a name, and what is new or has changed under it; of alerts, all that are open. */
export interface FeedMessage {
  readonly event: 'moves' | 'events' | 'servers' | 'jobs' | 'configurations' | 'alerts';
  readonly items: readonly object[];
}

/** Up to where subscribers were told, by the store's clock, in milliseconds since 1970. */
export interface FeedCursor {
  readonly moves: number;
  readonly events: number;
}

/** What subscribers were told. */
export interface FeedState {
  readonly cursor: FeedCursor;
  /** Ids of the moves and events that the next reading may have again. */
  readonly told: ReadonlySet<string>;
  /** What was told last, as JSON by its id. */
  readonly servers: ReadonlyMap<string, string>;
  readonly jobs: ReadonlyMap<string, string>;
  readonly configurations: ReadonlyMap<string, string>;
  /** All of them; undefined: nothing was told. */
  readonly alerts: string | undefined;
}

/** Records are written a little later than what they tell of: so much before the cursor is read again. */
const OVERLAP_MS = 15_000;

export function feedFrom(cursor: FeedCursor): FeedState {
  const maps = { servers: new Map(), jobs: new Map(), configurations: new Map() };
  return { cursor, told: new Set(), ...maps, alerts: undefined };
}

/** From when on moves and events are to be read. */
export function readFrom({ moves, events }: FeedCursor): FeedCursor {
  return { moves: Math.max(0, moves - OVERLAP_MS), events: Math.max(0, events - OVERLAP_MS) };
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
  const told = new Set([
    ...reading.moves.map(({ id }) => `move ${id}`),
    ...reading.events.map(({ id }) => `event ${id}`),
  ]);
  const cursor = {
    moves: reading.moves.reduce((latest, { at }) => Math.max(latest, at), state.cursor.moves),
    events: reading.events.reduce(
      (latest, { created }) => Math.max(latest, parseMoment(created) ?? 0),
      state.cursor.events,
    ),
  };
  const messages: readonly FeedMessage[] = [
    { event: 'servers', items: servers.items },
    { event: 'moves', items: moves },
    { event: 'jobs', items: jobs.items },
    { event: 'configurations', items: configurations.items },
    { event: 'events', items: events },
  ];
  return {
    state: { cursor, told, servers: servers.texts, jobs: jobs.texts, configurations: configurations.texts, alerts },
    messages: [
      ...messages.filter(({ items }) => items.length > 0),
      // One that is over is told by its absence.
      ...(alerts === state.alerts ? [] : [{ event: 'alerts', items: reading.alerts } as const]),
    ],
  };
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
export function cursorText({ moves, events }: FeedCursor): string {
  return `${moves}-${events}`;
}

/** @returns undefined when it is none */
export function parseCursor(text: string | undefined): FeedCursor | undefined {
  const parts = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? '');
  return parts === null ? undefined : { moves: Number(parts[1]), events: Number(parts[2]) };
}
