import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import { peerText } from '../../lib/text/peer-text.js';
import { EVENTS_A_BATCH, type EventLevel, type NewEvent, type Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { Sweep } from '../store/sweep.js';

/** What happened, for people: `listEvents` shows it. */
export interface ClusterEvent {
  readonly type: EventType;
  readonly level: EventLevel;
  readonly description: string;
  /** A host's UUID. */
  readonly hostUuid?: string;
  /** The name of the API key that asked for it; of a job that a program has asked for, the address of its server. */
  readonly username?: string;
}

export type EventType =
  | 'AGENT.GUID.FIGHT'
  | 'AGENT.CERTIFICATE.REFUSED'
  | 'HOST.DELETE'
  | 'HOST.UPDATE'
  | 'HOST.RETURN'
  | 'CANARY.START'
  | 'CANARY.COMMIT'
  | 'CANARY.DELETE'
  | 'COMMAND.SEND'
  | 'COMMAND.CANCEL'
  | 'CA.AUTHORITY.INTRODUCE'
  | 'CA.AUTHORITY.SWITCH'
  | 'CA.AUTHORITY.DROP'
  | 'CA.CERTIFICATE.EXPIRY'
  | 'ENROLLMENT.TOKEN.CREATE'
  | 'ENROLLMENT.TOKEN.DELETE'
  | 'ENROLLMENT.USE'
  | 'ENROLLMENT.REFUSED'
  | 'SERVER.UP'
  | 'SERVER.DOWN'
  | 'SERVER.NONE'
  | 'SERVER.STATE'
  | 'SERVER.REMOVE'
  // CloudStack's, of what operators ask for.
  | 'MS.MAINTENANCE.PREPARE'
  | 'MS.MAINTENANCE.CANCEL'
  | 'MS.SHUTDOWN.PREPARE'
  | 'MS.SHUTDOWN.CANCEL'
  | 'MS.SHUTDOWN'
  | 'CONFIGURATION.VALUE.EDIT'
  | 'HOST.RECONNECT'
  | 'HOST.MIGRATE'
  | 'HOST.DIAGNOSE'
  | 'CA.CERTIFICATE.ISSUE'
  | 'CA.CERTIFICATE.REVOKE'
  | 'CA.CERTIFICATE.PROVISION'
  | 'AGENT.RESOURCE.FAILED'
  | 'AGENT.REBALANCE'
  | 'ALERT.SILENCE'
  | 'ALERT.SILENCE.DELETE'
  | 'API.KEY.CREATE'
  | 'API.KEY.DELETE'
  | 'API.REFUSED';

/** Where events go. */
export interface EventSink {
  add(event: ClusterEvent): void;
}

/** A sink for the events of what somebody has asked for. @param username see `ClusterEvent.username` */
export function eventsAskedBy(username: string, events: EventSink): EventSink {
  return { add: event => events.add({ ...event, username }) };
}

type EventStore = Pick<Store, 'addEvents' | 'deleteEvents'>;

/** An event that is not written yet. */
interface HeldEvent extends Omit<NewEvent, 'ageMs'> {
  /** When it happened, by the monotonic clock. */
  readonly at: number;
}

const WRITE_MS = 1_000;
/** While the store is away the oldest go first. */
const HELD = 10_000;
const KEPT = 100_000;
const KEPT_MS = 30 * 86_400_000;
const DESCRIPTION_LENGTH = 1_000;

/** Writes events in the background and in batches: many agents that come at once are few writes. */
export class EventLog implements EventSink {
  readonly #store: EventStore;
  readonly #health: StoreHealth;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #msid: number;
  readonly #random: Random;
  #held: HeldEvent[] = [];
  #lost = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #sweep: Sweep;

  constructor(store: EventStore, health: StoreHealth, parts: { clock: Clock; random: Random; log: Log; msid: number }) {
    this.#store = store;
    this.#health = health;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#msid = parts.msid;
    this.#random = parts.random;
    const { clock, log } = parts;
    const bounds = { ageMs: KEPT_MS, keep: KEPT };
    this.#sweep = new Sweep({ clock, log, what: 'events', deleteSome: () => store.deleteEvents(bounds) });
  }

  add({ type, level, description, hostUuid, username }: ClusterEvent): void {
    const resource = { resourceType: hostUuid ? 'Host' : null, resourceId: hostUuid ?? null };
    this.#held.push({
      uuid: this.#random.uuid(),
      type,
      level,
      description: peerText(description, DESCRIPTION_LENGTH),
      at: this.#clock.now(),
      ...resource,
      msid: this.#msid,
      username: username ?? null,
    });
    if (this.#held.length > HELD) {
      this.#held.shift();
      this.#lost++;
    }
    this.#writeLater();
  }

  /** Writes what is held, and ends. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sweep.stop();
    this.#timer?.cancel();
    await this.#writing;
    await this.#write();
  }

  #writeLater(): void {
    if (this.#closed) return;
    this.#timer ??= this.#clock.after(WRITE_MS, () => {
      this.#timer = undefined;
      // One after the other: two at once would write the same events.
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  async #write(): Promise<void> {
    while (this.#held.length > 0) {
      const batch = this.#held.slice(0, EVENTS_A_BATCH);
      const now = this.#clock.now();
      const aged = batch.map(({ at, ...event }) => ({ ...event, ageMs: now - at }));
      try {
        await this.#health.watch(() => this.#store.addEvents(aged));
      } catch (error) {
        this.#log.debug('Events could not be written', { events: this.#held.length, reason: reasonOf(error) });
        this.#writeLater();
        return;
      }
      // Some may have gone for want of room meanwhile.
      const written = new Set(batch);
      this.#held = this.#held.filter(event => !written.has(event));
    }
    if (this.#lost > 0) {
      this.#log.warn('Events were lost while the store was away', { events: this.#lost });
      this.#lost = 0;
    }
    void this.#sweep.look();
  }
}
