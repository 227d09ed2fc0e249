import { untilAborted } from '../../lib/abort.js';
import { fullJitter } from '../../lib/backoff.js';
import { type Clock, delay, type Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import type { ClusterEvent } from '../cluster/events.js';
import type { Configuration } from '../config/parameters.js';
import { ALERT_KINDS, type AlertKind, silencedTo } from '../config/silences.js';
import type { Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { Sweep } from '../store/sweep.js';
import { changesOf, type Facts, judge, NOTHING_WATCHED, type Watched, watch } from './conditions.js';
import { ALERT_TYPES, type PostJson, signatureOf, type Told, webhookBody } from './webhook.js';

export interface AlertsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly health: StoreHealth;
  readonly address: string;
  readonly store: Pick<
    Store,
    'raiseAlert' | 'clearAlert' | 'openAlerts' | 'takeAlertNotice' | 'endAlertNotice' | 'deleteAlerts'
  >;
  readonly postJson: PostJson;
  configuration(): Configuration;
  /** The secret of the API key of this name. */
  secretOf(keyName: string): string | undefined;
  /** What this server sees, without fights. */
  facts(): Promise<Omit<Facts, 'fights'>>;
}

const LOOK_MS = 10_000;
/** The store may be away for so long before anybody is told: a restart of the database is nobody's business. */
const STORE_AWAY_MS = 30_000;
/** Whoever has taken a notice has so long to tell it; then another server may. */
const LEASE_MS = 180_000;
const TRIES = 4;
const BACKOFF = { baseMs: 1_000, maxMs: 15_000 } as const;
/** So often a notice is taken before it is given up: about an hour. */
const MOST_ATTEMPTS = 20;
/** Of one look. */
const MOST_NOTICES = 100;
/** A fight of which nothing was heard for so long is over: it is told once an hour. */
const FIGHT_MS = 2 * 3_600_000;
const MOST_FIGHTS = 50;
const KEPT_MS = 30 * 86_400_000;

/**
 * Compares what is wrong with the alerts that are there, raises and clears them, and posts both to the webhooks, while there
 * are any. Each notice is posted by the server that takes it from the store. That the store is away is posted by each server
 * that sees it, once when it begins and once when it ends.
 */
export class Alerts {
  readonly #parts: AlertsParts;
  readonly #sweep: Sweep;
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #watched: Watched;
  /** By the event's description: when it was told last, by the clock. */
  readonly #fights = new Map<string, number>();
  #awaySince: number | undefined;
  /** What was posted while the store is away. */
  #awayTold: Told | undefined;
  /** A key by which alerts are to be signed, and that is not there: it was logged. */
  #missingKey: string | undefined;
  /** What has reached a webhook, while another one has not been reached. */
  #reached = new Set<string>();
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: AlertsParts) {
    this.#parts = parts;
    const { clock, log, store } = parts;
    this.#watched = NOTHING_WATCHED(clock.now());
    this.#sweep = new Sweep({ clock, log, what: 'alerts', deleteSome: () => store.deleteAlerts(KEPT_MS) });
  }

  /** To be called again when the configuration has changed: without a webhook nothing is looked at. */
  start(): void {
    if (this.#stopping.signal.aborted || this.#timer !== undefined || !this.#hasWebhook) return;
    this.#watched = NOTHING_WATCHED(this.#parts.clock.now());
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sweep.stop();
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Two agents have one guid. */
  note({ type, description }: ClusterEvent): void {
    if (type !== 'AGENT.GUID.FIGHT' || this.#fights.size >= MOST_FIGHTS) return;
    this.#fights.set(description, this.#parts.clock.now());
  }

  get #hasWebhook(): boolean {
    return this.#parts.configuration().values['alert.webhook.url'].length > 0;
  }

  #lookLater(): void {
    this.#timer = this.#parts.clock.after(LOOK_MS, () => {
      this.#looking = this.#look().finally(() => {
        this.#timer = undefined;
        if (!this.#stopping.signal.aborted && this.#hasWebhook) this.#lookLater();
      });
    });
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { health, log } = this.#parts;
    try {
      this.#sayMissingKey();
      await this.#tellOfStore();
      if (health.away) return;
      await health.watch(() => this.#reconcile());
      await this.#post();
      void this.#sweep.look();
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.debug('Alerts could not be looked at', { reason: reasonOf(error) });
    }
  }

  /** Before there is an alert that is not posted: once, when it comes to hold. */
  #sayMissingKey(): void {
    const { log, configuration, secretOf } = this.#parts;
    const keyName = configuration().values['alert.webhook.key'];
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

  /** What others have raised as well: whoever takes a notice first has it. */
  async #post(): Promise<void> {
    const { store, health, log, clock } = this.#parts;
    for (let posted = 0; posted < MOST_NOTICES && !this.#stopping.signal.aborted; posted++) {
      const notice = await health.watch(() => store.takeAlertNotice(LEASE_MS));
      if (notice === undefined) return;
      const isSilent = this.#isSilent(notice.subject, clock.wallTime());
      const isTold = isSilent || (await this.#tell(notice));
      if (!isTold && notice.attempts < MOST_ATTEMPTS) continue;
      if (!isTold) log.error('An alert has reached not all webhooks', { description: notice.description });
      await health.watch(() => store.endAlertNotice(notice));
      this.#reached = new Set([...this.#reached].filter(reached => !reached.startsWith(notice.uuid)));
    }
  }

  #isSilent(subject: string, wallTime: number): boolean {
    return silencedTo(this.#parts.configuration().values['alert.silences'], subject, wallTime) !== undefined;
  }

  /** Posts to each webhook, several times if need be. @returns whether all were reached */
  async #tell(told: Told): Promise<boolean> {
    const { values } = this.#parts.configuration();
    const results = await Promise.all(values['alert.webhook.url'].map(url => this.#tellOne(url, told)));
    return results.every(Boolean);
  }

  async #tellOne(url: string, told: Told): Promise<boolean> {
    const { clock, random, log, postJson, configuration, secretOf } = this.#parts;
    const reached = `${told.uuid} ${told.about} ${url}`;
    if (this.#reached.has(reached)) return true;
    const body = webhookBody(told);
    const keyName = configuration().values['alert.webhook.key'];
    const secret = keyName === '' ? undefined : secretOf(keyName);
    // An alert that nobody can verify is better than none, unless it is said to be signed.
    if (keyName !== '' && secret === undefined) return false;
    const headers = secret === undefined ? {} : { 'x-muster-signature': signatureOf(body, secret) };
    for (let failures = 1; ; failures++) {
      try {
        await untilAborted(postJson(url, body, headers), this.#stopping.signal);
        this.#reached.add(reached);
        return true;
      } catch (error) {
        // The path of a webhook is often a secret.
        log.warn('An alert could not be posted', { webhook: new URL(url).origin, failures, reason: reasonOf(error) });
        if (failures >= TRIES || this.#stopping.signal.aborted) return false;
        await delay(clock, fullJitter(failures, BACKOFF, random.uniform()), this.#stopping.signal);
      }
    }
  }

  async #tellOfStore(): Promise<void> {
    const { clock, random, health, address } = this.#parts;
    if (health.away) {
      this.#awaySince ??= clock.now();
      if (this.#awayTold !== undefined || clock.now() - this.#awaySince < STORE_AWAY_MS) return;
      const description = `Management server ${address} does not reach the store for ${STORE_AWAY_MS / 1000} s or longer`;
      const created = clock.wallTime();
      const about = { description, created, cleared: null, ...ALERT_TYPES['store-away'] };
      this.#awayTold = { uuid: random.uuid(), about: 'raised', ...about };
      if (!this.#isSilent('store-away', created)) await this.#tell(this.#awayTold);
      return;
    }
    const told = this.#awayTold;
    this.#awaySince = undefined;
    this.#awayTold = undefined;
    const now = clock.wallTime();
    if (told !== undefined && !this.#isSilent('store-away', now)) {
      await this.#tell({ ...told, about: 'cleared', cleared: now });
    }
  }
}

function kindOf(subject: string): AlertKind {
  const kind = ALERT_KINDS.find(one => one === subject.split(':')[0]);
  // A later version may know more of them.
  return kind ?? 'server-down';
}
