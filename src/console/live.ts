import { batch, computed, signal } from '@preact/signals';
import type { ResponseObject } from '../api/types.js';
import { list, whenSessionEnds } from './api.js';
import { after, every, wallTime } from './clock.js';
import { fleet, forgetFleet, isFleetRead, listed, moved, readFleet } from './fleet.js';
import type { Alert } from './model/alerts.js';
import type { Job } from './model/jobs.js';
import { compareAddresses, type Move, type Preference } from './model/tracks.js';
import type { Canary, ServerNow } from './model/verdict.js';
import { readSession, type SessionInfo } from './session.js';

// What the page knows of the cluster. The server's stream keeps it as it is there; pages read more when they need it.

export type Server = Omit<ResponseObject<'listManagementServers'>, 'agents' | 'lastagents' | 'heartbeatage'>;
export type ClusterEvent = ResponseObject<'listEvents'>;
export type Configuration = ResponseObject<'listConfigurations'>;

/** Undefined: not known yet; null: nobody has signed in. */
export const session = signal<SessionInfo | null | undefined>(undefined);
/** Since when this server has not answered, in milliseconds since 1970; undefined: it answers. */
export const awaySince = signal<number | undefined>(undefined);
export const isStoreAway = signal(false);
export const servers = signal<readonly Server[]>([]);
export const jobs = signal<readonly Job[]>([]);
/** Newest first. */
export const events = signal<readonly ClusterEvent[]>([]);
/** Those that are open, newest first. */
export const alerts = signal<readonly Alert[]>([]);
export const configurations = signal<readonly Configuration[]>([]);
/** At most one. */
export const canaries = signal<readonly Canary[]>([]);
/** The server's clock, in milliseconds since 1970; it goes on once a second. */
export const now = signal(wallTime());

/** The value of this name of the configuration; undefined: not known yet. */
export function configured(name: string): string | undefined {
  return configurations.value.find(one => one.name === name)?.value;
}

export const isOperator = computed(() => session.value?.role === 'operator');
export const serversNow = computed<readonly ServerNow[]>(() =>
  servers.value.map(({ serviceip, state, processstate, lastserverstart, survivorload, strandedcount }) => ({
    address: serviceip,
    state,
    processState: processstate,
    started: momentOf(lastserverstart),
    survivorLoad: survivorload ?? undefined,
    stranded: strandedcount ?? undefined,
  })),
);

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const EVENTS_KEPT = 1_000;
const JOBS_KEPT = 500;
const RETRY_MS = 1_000;
/** The server says something every five seconds. */
const SILENT_MS = 12_000;

let source: EventSource | undefined;
let lastId: string | undefined;
let heardAt = 0;
let aheadMs = 0;

/** Signs in by the cookie if there is one, and follows the cluster from then on. */
export async function start(): Promise<void> {
  whenSessionEnds(ended);
  every(1_000, tick);
  await resume();
}

/** Somebody has signed in. */
export function begin(info: SessionInfo): void {
  batch(() => {
    session.value = info;
    awaySince.value = undefined;
  });
  connect();
}

/** There is no session any more. */
export function ended(): void {
  source?.close();
  source = undefined;
  lastId = undefined;
  batch(() => {
    session.value = null;
    forgetFleet();
    events.value = [];
    alerts.value = [];
    canaries.value = [];
  });
}

async function resume(): Promise<void> {
  const info = await readSession();
  if (info === 'away') {
    awaySince.value ??= wallTime();
    after(RETRY_MS, () => void resume());
  } else if (info === undefined) {
    awaySince.value = undefined;
    ended();
  } else begin(info);
}

function connect(): void {
  source?.close();
  const opened = new EventSource(`/console/stream${lastId === undefined ? '' : `?after=${lastId}`}`);
  source = opened;
  heardAt = wallTime();
  const on = (name: string, handle: (data: never) => void) =>
    opened.addEventListener(name, ({ data, lastEventId }: MessageEvent<string>) => {
      heardAt = wallTime();
      if (lastEventId !== '') lastId = lastEventId;
      batch(() => handle(JSON.parse(data) as never));
    });
  on('hello', (hello: Hello) => {
    awaySince.value = undefined;
    greet(hello);
    if (!isFleetRead.value) {
      readAgain();
      void readEvents();
    }
  });
  on('time', greet);
  on('reset', () => {
    readAgain();
    void readEvents();
  });
  on('ended', ended);
  on('moves', (moves: readonly Move[]) => moved(moves, startOfDay()));
  on('lists', (lists: readonly Preference[]) => listed(lists));
  on('servers', (changed: readonly Server[]) => {
    servers.value = merged(servers.value, changed, ({ id }) => id).toSorted((one, other) =>
      compareAddresses(one.serviceip, other.serviceip),
    );
    if (isFleetRead.value && changed.some(({ id }) => !fleet.value.servers.some(known => known.id === id))) readAgain();
  });
  on('jobs', (changed: readonly Job[]) => {
    jobs.value = merged(jobs.value, changed, ({ jobid }) => jobid)
      .toSorted((one, other) => (momentOf(other.created) ?? 0) - (momentOf(one.created) ?? 0))
      .slice(0, JOBS_KEPT);
  });
  on('configurations', (changed: readonly Configuration[]) => {
    configurations.value = merged(configurations.value, changed, ({ name }) => name);
  });
  on('alerts', (open: readonly Alert[]) => {
    alerts.value = open;
  });
  on('canaries', (open: readonly Canary[]) => {
    canaries.value = open;
  });
  on('events', (more: readonly ClusterEvent[]) => {
    const known = new Set(events.value.map(({ id }) => id));
    const fresh = more.filter(({ id }) => !known.has(id)).toReversed();
    // A server may have written some of them later than another one what happened behind them.
    const all = [...fresh, ...events.value].toSorted((one, other) =>
      one.created < other.created ? 1 : one.created > other.created ? -1 : 0,
    );
    events.value = all.slice(0, EVENTS_KEPT);
  });
  // The browser would try again by itself, but not after each kind of failure.
  opened.onerror = () => {
    if (source === opened) lost();
  };
}

function lost(): void {
  source?.close();
  source = undefined;
  awaySince.value ??= wallTime();
  after(RETRY_MS, () => void resume());
}

interface Hello {
  readonly time: number;
  readonly isstoreaway: boolean;
}

function greet({ time, isstoreaway }: Hello): void {
  aheadMs = time - wallTime();
  isStoreAway.value = isstoreaway;
}

function tick(): void {
  now.value = wallTime() + aheadMs;
  if (source !== undefined && wallTime() - heardAt > SILENT_MS) lost();
  // What is older than a day is not shown any more.
  if (isFleetRead.value && now.value - fleet.value.start > DAY_MS + HOUR_MS) readAgain();
}

/** Of what is shown: a day. */
const startOfDay = () => now.value - DAY_MS;

function readAgain(): void {
  readFleet(startOfDay());
}

async function readEvents(): Promise<void> {
  try {
    const { items } = await list('listEvents', { pagesize: 200 });
    const known = new Set(items.map(({ id }) => id));
    const newer = events.value.filter(({ id, created }) => !known.has(id) && created >= (items[0]?.created ?? ''));
    events.value = [...newer, ...items];
  } catch {
    // The stream tells what comes.
  }
}

function merged<T>(former: readonly T[], changed: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const all = new Map(former.map(item => [keyOf(item), item]));
  for (const item of changed) all.set(keyOf(item), item);
  return [...all.values()];
}

/** A form of the API's date that browsers read. */
function isoOf(date: string): string {
  return date.replace(/\+0000$/, 'Z');
}

/** Milliseconds since 1970. */
export function momentOf(date: string | null | undefined): number | undefined {
  return date ? Date.parse(isoOf(date)) : undefined;
}
