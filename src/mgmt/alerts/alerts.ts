import { ALERT_KINDS, type AlertKind } from '../../api/words.js';
import { sharedAbortController } from '../../lib/abort.js';
import type { Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { ClusterEvent } from '../cluster/events.js';
import type { AlertNotice, Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { Sweep } from '../store/sweep.js';
import { changesOf, type Facts, judge, NOTHING_WATCHED, type Watched, watch } from './conditions.js';
import { ALERT_TYPES, type Told } from './webhook.js';
import { HELD_MS, type Notice, WebhookQueues, type WebhookQueuesParts } from './webhook-queues.js';

export interface AlertsParts extends WebhookQueuesParts {
  readonly health: StoreHealth;
  readonly address: string;
  readonly store: Pick<
    Store,
    | 'raiseAlert'
    | 'clearAlert'
    | 'openAlerts'
    | 'takeAlertNotice'
    | 'alertNoticeReached'
    | 'endAlertNotice'
    | 'deleteAlerts'
  >;
  /** What this server sees, without fights. */
  facts(): Promise<Omit<Facts, 'fights'>>;
}

const LOOK_MS = 10_000;
/** The store may be away for so long before anybody is told: a restart of the database is nobody's business. */
const STORE_AWAY_MS = 30_000;
/** Whoever has taken a notice has so long to tell it; then another server may. */
const LEASE_MS = HELD_MS + 30_000;
/** So often a notice is taken before it is given up: about an hour. */
const MOST_ATTEMPTS = 20;
const RETRIED_MS = MOST_ATTEMPTS * LEASE_MS;
/** That are taken and not ended. */
const MOST_NOTICES = 100;
/** About the store, that are not told yet. */
const MOST_OWN_NOTICES = 10;
/** A fight of which nothing was heard for so long is over: it is told once an hour. */
const FIGHT_MS = 2 * 3_600_000;
const MOST_FIGHTS = 50;
const KEPT_MS = 30 * 86_400_000;

/**
 * Compares what is wrong with the alerts that are there, raises and clears them, and has both posted to the webhooks, if there
 * are any. Each notice is posted by the server that takes it from the store. That the store is away is posted by each server
 * that sees it, once when it begins and once when it ends.
 */
export class Alerts {
  readonly #parts: AlertsParts;
  readonly #sweep: Sweep;
  readonly #stopping = sharedAbortController();
  readonly #webhooks: WebhookQueues;
  #timer: Timer | undefined;
  #watched: Watched;
  /** By the event's description: when it was told last, by the clock. */
  readonly #fights = new Map<string, number>();
  #awaySince: number | undefined;
  /** That the store is away, while it is. */
  #storeAway: OwnNotice | undefined;
  #ownNotices: readonly OwnNotice[] = [];
  /** A key by which alerts are to be signed, and that is not there: it was logged. */
  #missingKey: string | undefined;
  /** Notices that are being told. */
  readonly #telling = new Set<Promise<void>>();
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: AlertsParts) {
    this.#parts = parts;
    const { clock, log, store } = parts;
    this.#webhooks = new WebhookQueues(parts, this.#stopping.signal);
    this.#watched = NOTHING_WATCHED(clock.now());
    this.#sweep = new Sweep({ clock, log, what: 'alerts', deleteSome: () => store.deleteAlerts(KEPT_MS) });
  }

  start(): void {
    this.#watched = NOTHING_WATCHED(this.#parts.clock.now());
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sweep.stop();
    this.#timer?.cancel();
    await this.#looking;
    await Promise.all(this.#telling);
  }

  /** Two agents have one guid. */
  note({ type, description }: ClusterEvent): void {
    if (type !== 'AGENT.GUID.FIGHT') return;
    if (!this.#fights.has(description) && this.#fights.size >= MOST_FIGHTS) return;
    this.#fights.set(description, this.#parts.clock.now());
  }

  get #hasWebhook(): boolean {
    return this.#parts.configuration().values['alert.webhook.url'].length > 0;
  }

  #lookLater(): void {
    this.#timer = this.#parts.clock.after(LOOK_MS, () => {
      this.#looking = this.#look().finally(() => {
        if (!this.#stopping.signal.aborted) this.#lookLater();
      });
    });
  }

  /** Waits for no webhook. Never rejects. */
  async #look(): Promise<void> {
    const { health, log } = this.#parts;
    try {
      this.#sayMissingKey();
      this.#watchStore();
      for (const notice of this.#ownNotices) this.#begin(this.#tellOwn(notice));
      if (health.away) return;
      await health.watch(() => this.#reconcile());
      await this.#takeNotices();
      void this.#sweep.look();
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.debug('Alerts could not be looked at', { reason: reasonOf(error) });
    }
  }

  /** Before there is an alert that is not posted: once, when it comes to hold. */
  #sayMissingKey(): void {
    const { log, configuration, secretOf } = this.#parts;
    const keyName = this.#hasWebhook ? configuration().values['alert.webhook.key'] : '';
    const missing = keyName !== '' && secretOf(keyName) === undefined ? keyName : undefined;
    if (missing !== undefined && missing !== this.#missingKey) {
      log.error(
        'Alerts cannot be signed, and are not posted: there is no API key of this name; createApiKey makes one',
        {
          'alert.webhook.key': missing,
        },
      );
    }
    this.#missingKey = missing;
  }

  async #reconcile(): Promise<void> {
    const { clock, random, store, configuration } = this.#parts;
    const { values } = configuration();
    const now = clock.now();
    for (const [description, at] of this.#fights) if (now - at > FIGHT_MS) this.#fights.delete(description);
    const facts = { ...(await this.#parts.facts()), fights: [...this.#fights.keys()] };
    this.#watched = watch(this.#watched, facts, now);
    const periods = {
      nowhereMs: values['alert.agents.nowhere.period'] * 60_000,
      drainMs: values['management.server.maintenance.timeout'] * 60_000 + LOOK_MS,
    };
    const { raise, clear } = changesOf(await store.openAlerts(), judge(facts, this.#watched, periods, now));
    for (const { subject, description } of raise) {
      await store.raiseAlert({ uuid: random.uuid(), subject, description, ...ALERT_TYPES[kindOf(subject)] });
    }
    for (const subject of clear) await store.clearAlert(subject);
  }

  /** Those of others as well: whoever takes a notice first has it. Without a webhook they stay due. */
  async #takeNotices(): Promise<void> {
    const { store, health } = this.#parts;
    for (let taken = 0; taken < MOST_NOTICES; taken++) {
      if (this.#telling.size >= MOST_NOTICES || this.#stopping.signal.aborted || !this.#hasWebhook) return;
      const notice = await health.watch(() => store.takeAlertNotice(LEASE_MS));
      if (notice === undefined) return;
      this.#begin(this.#tell(notice));
    }
  }

  #begin(work: Promise<void>): void {
    const telling = work.finally(() => this.#telling.delete(telling));
    this.#telling.add(telling);
  }

  /** Never rejects. What has failed is due again when the lease is over. */
  async #tell(notice: AlertNotice): Promise<void> {
    const { store, health, log, configuration } = this.#parts;
    const { subject } = notice;
    const reached = new Set(notice.reached);
    const isTold = await this.#webhooks.tell({ told: notice, subject, reached, isWanted: () => true });
    const isTriedAgain = !isTold && (this.#stopping.signal.aborted || notice.attempts < MOST_ATTEMPTS);
    if (!isTold && !isTriedAgain) {
      log.error('An alert has reached not all webhooks', { description: notice.description });
    }
    // Those that were taken out of the configuration are told nothing more.
    const urls = configuration().values['alert.webhook.url'].filter(url => reached.has(url));
    try {
      if (!isTriedAgain) await health.watch(() => store.endAlertNotice(notice));
      else if (reached.size > notice.reached.length) await health.watch(() => store.alertNoticeReached(notice, urls));
    } catch (error) {
      log.debug('It could not be stored that an alert was told', { reason: reasonOf(error) });
    }
  }

  /** What is to be told about the store. */
  #watchStore(): void {
    const { clock, random, health, address } = this.#parts;
    const now = clock.now();
    this.#ownNotices = this.#ownNotices.filter(notice => notice === this.#storeAway || now - notice.since < RETRIED_MS);
    if (!health.away) {
      const raised = this.#storeAway;
      this.#awaySince = undefined;
      this.#storeAway = undefined;
      if (raised === undefined) return;
      this.#ownNotices = this.#ownNotices.filter(notice => notice !== raised);
      const told: Told = { ...raised.told, about: 'cleared', cleared: clock.wallTime() };
      this.#addOwn(told, url => raised.reached.has(url));
      return;
    }
    this.#awaySince ??= now;
    if (this.#storeAway !== undefined || now - this.#awaySince < STORE_AWAY_MS) return;
    const description = `Management server ${address} does not reach the store for ${STORE_AWAY_MS / 1000} s or longer`;
    const about = { description, created: clock.wallTime(), cleared: null, ...ALERT_TYPES['store-away'] };
    this.#storeAway = this.#addOwn({ uuid: random.uuid(), about: 'raised', ...about }, () => health.away);
  }

  #addOwn(told: Told, isWanted: (url: string) => boolean): OwnNotice {
    const since = this.#parts.clock.now();
    const notice = { told, subject: 'store-away', reached: new Set<string>(), isWanted, since, isTelling: false };
    this.#ownNotices = [...this.#ownNotices, notice].slice(-MOST_OWN_NOTICES);
    return notice;
  }

  /** Again at each look, until it is told. Never rejects. */
  async #tellOwn(notice: OwnNotice): Promise<void> {
    if (notice.isTelling) return;
    notice.isTelling = true;
    const isTold = await this.#webhooks.tell(notice);
    notice.isTelling = false;
    if (isTold) this.#ownNotices = this.#ownNotices.filter(other => other !== notice);
  }
}

/** A notice that the store cannot keep: about the store. */
interface OwnNotice extends Notice {
  readonly since: number;
  isTelling: boolean;
}

function kindOf(subject: string): AlertKind {
  const kind = ALERT_KINDS.find(one => one === subject.split(':')[0]);
  // A later version may know more of them.
  return kind ?? 'server-down';
}
