import { dateText, parseMoment } from '../../../api/moment.js';
import type { Clock, Timer } from '../../../lib/clock.js';
import { reasonOf } from '../../../lib/errors.js';
import type { Log } from '../../../lib/logger.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import type { AgentStore } from '../../store/agent-store.js';
import type { ChangedHost, HostVersion } from '../../store/store.js';
import type { Handlers } from '../handlers/index.js';
import {
  cursorText,
  type FeedCursor,
  type FeedMessage,
  type FeedState,
  feedFrom,
  freshVersions,
  type HostsReading,
  isWhole,
  next,
  parseCursor,
  type Reading,
  readFrom,
  type StandingCanary,
} from './feed-state.js';

export interface FeedParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly handlers: Handlers;
  readonly store: Pick<AgentStore, 'hostVersions' | 'hostsById'>;
  /** As far as this server knows. */
  canary(): StandingCanary | undefined;
}

export interface Subscriber {
  /** Server-sent events, as they stand on the wire. */
  write(text: string): void;
  /** It is told nothing any more. */
  end(): void;
  /** Whether its session is still good. */
  isGood(): boolean;
}

/** What all may read: the console follows it, whoever looks. */
const CALLER = { name: 'console', role: 'reader' } as const;
/** More than these at once is not told one by one: the subscriber reads anew. */
const MOST = 10_000;
const JOBS = 100;
const ALERTS = 200;
/** Ticks between two messages to a subscriber of whom nothing is new, so that it knows that the server lives. */
const TICKS_OF_SILENCE = 5;

/** Tells what changes to those who look at the console. It reads only while somebody does. */
export class Feed {
  readonly #parts: FeedParts;
  readonly #subscribers = new Set<Subscriber>();
  #state: FeedState | undefined;
  #timer: Timer | undefined;
  #ticks = 0;
  #isAway = false;
  #isStopped = false;
  /** Readings follow each other: two at once would tell the same twice. */
  #reading: Promise<void> = Promise.resolve();

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /**
   * Tells the subscriber what changes from now on, and what changed since `lastId`.
   * @param lastId of the last message that it has got from any server of the cluster
   * @returns ends it
   */
  subscribe(subscriber: Subscriber, lastId: string | undefined): () => void {
    this.#reading = this.#reading.then(() => this.#welcome(subscriber, parseCursor(lastId)));
    return () => void this.#subscribers.delete(subscriber);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    for (const subscriber of this.#subscribers) subscriber.end();
    this.#subscribers.clear();
  }

  async #welcome(subscriber: Subscriber, cursor: FeedCursor | undefined): Promise<void> {
    if (this.#isStopped) return;
    this.#subscribers.add(subscriber);
    this.#tickLater();
    const texts = await this.#greeting(cursor);
    // It may have been ended meanwhile: a stream that has ended fails when it is written to.
    if (this.#subscribers.has(subscriber)) for (const text of texts) subscriber.write(text);
  }

  /** What one is told first. */
  async #greeting(cursor: FeedCursor | undefined): Promise<readonly string[]> {
    try {
      // The first one, after a while without any: what happened meanwhile nobody was told.
      this.#state ??= feedFrom(await this.#newest());
      const before = feedFrom(cursor ?? this.#state.cursor);
      const reading = await this.#read(before);
      const isTold = isWhole(before, reading, MOST);
      const own = next(before, reading);
      // To a newcomer who has no cursor the last moves are known by what it reads itself.
      const messages = cursor !== undefined && isTold ? own.messages : own.messages.filter(isNotReadAnew);
      return [
        message('hello', this.#hello(), own.state.cursor),
        ...messages.map(({ event, items }) => message(event, items, own.state.cursor)),
        ...(cursor !== undefined && !isTold ? [message('reset', {}, own.state.cursor)] : []),
      ];
    } catch (error) {
      this.#failed(error);
      return [message('hello', this.#hello())];
    }
  }

  #hello() {
    return { time: this.#parts.clock.wallTime(), isstoreaway: this.#isAway };
  }

  #tickLater(): void {
    if (this.#isStopped) return;
    this.#timer ??= this.#parts.clock.after(MGMT_LIMITS.consoleFeedMs, () => {
      this.#reading = this.#reading
        .then(() => this.#tick())
        .then(() => {
          this.#timer = undefined;
          if (this.#subscribers.size > 0) this.#tickLater();
          // The next subscriber begins with what is then.
          else this.#state = undefined;
        });
    });
  }

  async #tick(): Promise<void> {
    for (const subscriber of this.#subscribers) {
      if (subscriber.isGood()) continue;
      subscriber.write(message('ended', {}));
      subscriber.end();
      this.#subscribers.delete(subscriber);
    }
    if (this.#subscribers.size === 0) return;
    this.#ticks++;
    try {
      this.#state ??= feedFrom(await this.#newest());
      const reading = await this.#read(this.#state);
      const isTold = isWhole(this.#state, reading, MOST);
      const { state, messages } = next(this.#state, reading);
      this.#state = state;
      // What is written after an outage may be older than the cursor.
      if (this.#isAway || !isTold) this.#tell('reset', {}, state.cursor);
      this.#isAway = false;
      const told = isTold ? messages : messages.filter(isNotReadAnew);
      for (const { event, items } of told) this.#tell(event, items, state.cursor);
    } catch (error) {
      this.#failed(error);
    }
    if (this.#ticks % TICKS_OF_SILENCE === 0) this.#tell('time', this.#hello());
  }

  #failed(error: unknown): void {
    this.#parts.log.debug('The console could not be told', { reason: reasonOf(error) });
    this.#isAway = true;
  }

  #tell(event: string, data: object, cursor?: FeedCursor): void {
    const text = message(event, data, cursor);
    for (const subscriber of this.#subscribers) subscriber.write(text);
  }

  /** Where the store stands now. */
  async #newest(): Promise<FeedCursor> {
    const { handlers, store } = this.#parts;
    const [moves, events, hosts] = await Promise.all([
      handlers('listMoves', { pagesize: 1 }, CALLER),
      handlers('listEvents', { pagesize: 1 }, CALLER),
      store.hostVersions(),
    ]);
    return {
      moves: moves.items[0]?.at ?? 0,
      events: parseMoment(events.items[0]?.created ?? '') ?? 0,
      hosts: hosts.cursor.at,
    };
  }

  async #read(state: FeedState): Promise<Reading> {
    const { handlers, canary } = this.#parts;
    const from = readFrom(state.cursor);
    const [moves, events, servers, jobs, configurations, alerts, hosts] = await Promise.all([
      handlers('listMoves', { startdate: dateText(from.moves), pagesize: MOST }, CALLER),
      handlers('listEvents', { startdate: dateText(from.events), pagesize: MOST }, CALLER),
      handlers('listManagementServers', { agents: false }, CALLER),
      handlers('listAsyncJobs', { pagesize: JOBS }, CALLER),
      handlers('listConfigurations', {}, CALLER),
      handlers('listAlerts', { open: true, pagesize: ALERTS }, CALLER),
      this.#readHosts(state),
    ]);
    const standing = canary();
    return {
      moves: moves.items,
      events: events.items,
      servers: servers.items,
      jobs: jobs.items,
      configurations: configurations.items,
      alerts: alerts.items,
      canaries: standing === undefined ? [] : [standing],
      hosts,
    };
  }

  /** The rows of hosts that have changed. An agent's list changes without a move, and at any time after the configuration. */
  async #readHosts(state: FeedState): Promise<HostsReading> {
    const { store } = this.#parts;
    const versions: HostVersion[] = [];
    const rows: ChangedHost[] = [];
    let answer = await store.hostVersions({ at: state.cursor.hosts });
    for (;;) {
      versions.push(...answer.versions);
      const fresh = freshVersions(state, answer.versions).map(({ id }) => id);
      if (fresh.length > 0) rows.push(...(await store.hostsById(fresh)));
      const { at } = answer.cursor;
      if (!answer.more || rows.length >= MOST) return { at, versions, rows };
      answer = await store.hostVersions(answer.cursor);
    }
  }
}

/** What follows from moves, lists and events is read by the subscriber itself. */
function isNotReadAnew({ event }: FeedMessage): boolean {
  return event !== 'moves' && event !== 'lists' && event !== 'events';
}

function message(event: string, data: object, cursor?: FeedCursor): string {
  const id = cursor === undefined ? '' : `id: ${cursorText(cursor)}\n`;
  return `${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
