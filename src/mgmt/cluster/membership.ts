import { release, type, uptime } from 'node:os';
import type { Clock, Timer } from '../../lib/clock.js';
import { FatalError, reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import { VERSION } from '../../lib/version.js';
import type { ServerRow, ServerState, Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { isAvoided, KEPT_STATES, type ServerStep, stepOnSilence, TRANSITIONS } from './server-state.js';

/** Its own row is claimed anew only when the former process has been silent for so many heartbeats. */
const STALE_HEARTBEATS = 3;
const GRACE_HEARTBEATS = 10;
const ABANDONED = 'its management server is down';

export interface MembershipOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly health: StoreHealth;
  readonly msid: number;
  /** As it stands in `host`. */
  readonly address: string;
  readonly name: string;
  /** Random, kept in `data.dir`: tells a restart from a second server with the same msid. */
  readonly dataDirToken: string;
  /** `cluster.heartbeat.interval` and `cluster.heartbeat.threshold`. */
  readonly intervalMs: number;
  readonly thresholdMs: number;
  /** Our state has changed, by whoever. */
  onState(state: ServerState): void;
  /** Other addresses are to be avoided than before. */
  onAvoided(avoided: readonly string[]): void;
  /** Another process has our row: this one must end. */
  onForeign(error: FatalError): void;
  /** We found another server silent, and took it down. */
  onServerDown(server: ServerRow): void;
}

type MembershipStore = Pick<
  Store,
  'claimServer' | 'heartbeat' | 'servers' | 'changeServerState' | 'stopServer' | 'releaseHosts' | 'failJobsOfServer'
>;

/** This server among the others: its row and heartbeat, and what it sees of theirs. */
export class Membership {
  readonly #store: MembershipStore;
  readonly #options: MembershipOptions;
  readonly #runId: string;
  #servers: readonly ServerRow[] = [];
  /** Whom this server took down, and whose hosts are not all let go yet: the store failed in the midst of it. */
  readonly #fallen = new Set<number>();
  #state: ServerState = 'Up';
  #beating: Promise<boolean> = Promise.resolve(true);
  /** What `onAvoided` was last called for. */
  #toldAvoided = '';
  #timer: Timer | undefined;
  #stopped = false;
  /** By the clock: our last heartbeat, and until when nobody is taken for dead. */
  #beatAt = 0;
  #graceUntil = 0;
  readonly #watchers = new Set<() => void>();

  constructor(store: MembershipStore, options: MembershipOptions) {
    this.#store = store;
    this.#options = options;
    this.#runId = options.random.uuid();
  }

  /** Our own state. */
  get state(): ServerState {
    return this.#state;
  }

  /** All servers, as of the last heartbeat. */
  get servers(): readonly ServerRow[] {
    return this.#servers;
  }

  /** Addresses that agents are told not to dial, spelled as in `host`. */
  get avoided(): readonly string[] {
    return this.#servers.filter(server => isAvoided(server.state)).map(server => server.serviceIp);
  }

  /** Takes our row. @throws FatalError SERVER_ROW_TAKEN; StoreError */
  async join(): Promise<void> {
    const { msid, address, name, dataDirToken, intervalMs, clock, log } = this.#options;
    const facts = {
      msid,
      name,
      version: VERSION,
      serviceIp: address,
      osDistribution: type(),
      kernelVersion: release(),
      lastBootTime: Math.round(clock.wallTime() - uptime() * 1000),
    };
    const claimed = await this.#store.claimServer(facts, {
      runId: this.#runId,
      dataDirToken,
      staleMs: STALE_HEARTBEATS * intervalMs,
      keepStates: KEPT_STATES,
    });
    if (!claimed.claimed) {
      const { holder } = claimed;
      throw new FatalError(
        'SERVER_ROW_TAKEN',
        `cluster.node.id ${msid} is in use by ${holder.name} (${holder.serviceIp}), last heard of ${Math.round(holder.ageMs / 1000)} s ago: give this server another data.dir, or none of its own id`,
      );
    }
    this.#state = claimed.server.state;
    await this.#store.failJobsOfServer(msid, restarted(), true);
    this.#servers = await this.#store.servers();
    this.#tellAvoided();
    if (this.#state !== 'Up') log.warn('This server takes no agents', { state: this.#state });
    this.#beatLater();
  }

  /** The others need not wait for our silence. @throws StoreError */
  async leave(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const { msid, clock } = this.#options;
    const isOurs = await this.#store.stopServer(msid, this.#runId, clock.wallTime(), KEPT_STATES);
    // Whoever waits for them would wait for ever: nobody buries a server that stopped in good order.
    if (isOurs) await this.#store.failJobsOfServer(msid, restarted());
  }

  /** Calls back after each change of our state. */
  onChange(watcher: () => void): { cancel(): void } {
    this.#watchers.add(watcher);
    return { cancel: () => void this.#watchers.delete(watcher) };
  }

  /** One step of our own state. @returns whether it was done @throws StoreError */
  async step(step: ServerStep): Promise<boolean> {
    const { from, to } = TRANSITIONS[step];
    const done = await this.#store.changeServerState(this.#options.msid, { from, to, runId: this.#runId });
    await this.#beat();
    return done;
  }

  /** Reads at once what the next heartbeat would: somebody has just changed a state. @returns whether the store answered */
  refresh(): Promise<boolean> {
    return this.#beat();
  }

  #beatLater(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(this.#options.intervalMs, () => {
      void this.#beat().finally(() => this.#beatLater());
    });
  }

  /** One after another: what an earlier one has read must not come in behind a later one's. */
  #beat(): Promise<boolean> {
    this.#beating = this.#beating.then(() => this.#beatOnce());
    return this.#beating;
  }

  async #beatOnce(): Promise<boolean> {
    const { health, msid, log } = this.#options;
    try {
      const beat = await health.watch(() => this.#store.heartbeat(msid, this.#runId));
      if (this.#stopped) return true;
      this.#noteGap();
      if (beat.kind === 'foreign') {
        const holder = beat.holder ? `${beat.holder.name} (${beat.holder.serviceIp})` : 'nobody: it is gone';
        this.#options.onForeign(
          new FatalError('SERVER_ROW_TAKEN', `the row of cluster.node.id ${msid} now belongs to ${holder}`),
        );
        return true;
      }
      this.#servers = await health.watch(() => this.#store.servers());
      this.#enter(beat.state === 'Down' ? await this.#rise() : beat.state);
      this.#tellAvoided();
      await this.#bury();
      return true;
    } catch (error) {
      log.debug('No heartbeat', { reason: reasonOf(error) });
      return false;
    }
  }

  /** When the store was away, nobody's heartbeat got there; the others are given time to be heard again. */
  #noteGap(): void {
    const { clock, intervalMs } = this.#options;
    const now = clock.now();
    if (this.#beatAt > 0 && now - this.#beatAt > STALE_HEARTBEATS * intervalMs) {
      this.#graceUntil = now + GRACE_HEARTBEATS * intervalMs;
    }
    this.#beatAt = now;
  }

  #tellAvoided(): void {
    const avoided = this.avoided.join();
    if (avoided === this.#toldAvoided) return;
    this.#toldAvoided = avoided;
    this.#options.onAvoided(this.avoided);
  }

  #enter(state: ServerState): void {
    if (state === this.#state) return;
    this.#options.log.info('Server state changed', { from: this.#state, to: state });
    this.#state = state;
    this.#options.onState(state);
    for (const watcher of this.#watchers) watcher();
  }

  /** Another server took us for dead: we stood still, or could not reach the store. @returns our state now */
  async #rise(): Promise<ServerState> {
    const { msid, log } = this.#options;
    const to = KEPT_STATES.includes(this.#state) ? this.#state : 'Up';
    const done = await this.#store.changeServerState(msid, { from: ['Down'], to, runId: this.#runId });
    if (!done) return this.#state;
    log.warn('The other servers took this one for down: it was silent for too long', { state: to });
    return to;
  }

  /** Takes down whoever is silent, and lets go of its hosts, so that nobody takes them for connected. */
  async #bury(): Promise<void> {
    const { msid, thresholdMs, log, clock } = this.#options;
    if (clock.now() < this.#graceUntil) return;
    for (const server of this.#servers) {
      const step = stepOnSilence(server.state);
      if (server.msid !== msid && server.ageMs >= thresholdMs && step !== undefined) {
        const done = await this.#store.changeServerState(server.msid, { ...TRANSITIONS[step], silentMs: thresholdMs });
        if (done) {
          log.error('A management server is down', {
            server: server.name,
            address: server.serviceIp,
            silentMs: server.ageMs,
          });
          this.#fallen.add(server.msid);
          this.#options.onServerDown(server);
        }
      } else if (server.state !== 'Down') this.#fallen.delete(server.msid);
      if (!this.#fallen.has(server.msid)) continue;
      await this.#store.releaseHosts(server.msid, { at: this.#options.clock.wallTime(), reason: ABANDONED });
      await this.#store.failJobsOfServer(server.msid, restarted());
      this.#fallen.delete(server.msid);
    }
  }
}

function restarted(): { resultCode: number; result: string } {
  return {
    resultCode: 530,
    result: JSON.stringify({ errorcode: 530, errortext: 'the management server was stopped or restarted' }),
  };
}
