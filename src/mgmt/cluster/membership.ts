import { release, type, uptime } from 'node:os';
import { sharedAbortController } from '../../lib/abort.js';
import { type Clock, delay, type Timer } from '../../lib/clock.js';
import { FatalError, reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import { VERSION } from '../../lib/version.js';
import { pause } from '../store/pause.js';
import type { ServerClaimed, ServerRow, ServerState, Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { DeadServers, JOBS_OF_DEAD_SERVER } from './dead-servers.js';
import {
  avoidedAddresses,
  canTakeAgents,
  type ObservedServer,
  observeServers,
  othersThatTakeAgents,
} from './observed-servers.js';
import { KEPT_STATES, type ServerStep, TRANSITIONS } from './server-state.js';

/** A row that another data.dir holds is claimed only when its counter has not changed for so many heartbeats. */
const STALE_HEARTBEATS = 3;

/** After so many intervals the counter of every server that lives has changed. */
const LISTENED_INTERVALS = 2;
/** Nobody waits longer for that, however long the interval is. */
const LISTEN_MS = 10_000;

export interface MembershipParts {
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
  /** `cluster.heartbeat.interval` and `cluster.heartbeat.threshold`, as they are now: see `retime`. */
  heartbeat(): { readonly intervalMs: number; readonly thresholdMs: number };
  /** The port on which this server serves agents now; undefined: it does not. The others learn it by the heartbeat. */
  servingPort(): number | undefined;
  /** This server's state has changed, here or by another server. */
  onState(state: ServerState): void;
  /** Other addresses are to be avoided than before. */
  onAvoided(avoided: readonly string[]): void;
  /** Another process has this server's row: this process must end. */
  onForeign(error: FatalError): void;
  /** This server has found another one silent for too long, and has put it to Down. */
  onServerDown(server: ObservedServer): void;
  /** Another living server has this server's address. Once for each. */
  onSharedAddress(server: ObservedServer): void;
}

type MembershipStore = Pick<
  Store,
  | 'claimServer'
  | 'heartbeat'
  | 'servers'
  | 'changeServerState'
  | 'stopServer'
  | 'retireServer'
  | 'releaseHosts'
  | 'failJobsOfServer'
  | 'releaseJobsOfServer'
>;

/** How the servers look from this one. */
export interface ServerObserver {
  /** @param rows that were just read */
  observe(rows: readonly ServerRow[]): readonly ObservedServer[];
}

/** Who reads the servers. */
export interface ServerReader {
  /** All servers, read now, and how they look from here. @throws StoreError */
  readServers(): Promise<readonly ObservedServer[]>;
}

/** This server among the others: its row and heartbeat, and how the others look from here. */
export class Membership implements ServerObserver, ServerReader {
  readonly #store: MembershipStore;
  readonly #parts: MembershipParts;
  readonly #dead: DeadServers;
  readonly #runId: string;
  #servers: readonly ObservedServer[] = [];
  #state: ServerState = 'Up';
  #beating: Promise<boolean> = Promise.resolve(true);
  /** What `onAvoided` was last called for. */
  #toldAvoided = '';
  #timer: Timer | undefined;
  /** The interval that the timer was set by. */
  #timerMs = 0;
  readonly #stopping = sharedAbortController();
  /** By the clock: the last reading of all rows. */
  #readAt: number | undefined;
  /** By the clock: the first reading. */
  #joinedAt: number | undefined;
  #hasListened = false;
  readonly #watchers = new Set<() => void>();
  readonly #passes: (() => Promise<void>)[] = [];

  constructor(store: MembershipStore, parts: MembershipParts) {
    this.#store = store;
    this.#parts = parts;
    this.#dead = new DeadServers(store, parts);
    this.#runId = parts.random.uuid();
  }

  /** Random, of this process. */
  get runId(): string {
    return this.#runId;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** This server's own state. */
  get state(): ServerState {
    return this.#state;
  }

  /** All servers, as of the last heartbeat. */
  get servers(): readonly ObservedServer[] {
    return this.#servers;
  }

  /** Addresses that agents are told not to dial, spelled as in `host`. */
  get avoided(): readonly string[] {
    return avoidedAddresses(this.#servers);
  }

  /**
   * Whether what is known of the others can be judged by: that a server lives shows when its counter has changed, which
   * takes an interval or two after the start.
   */
  get hasListened(): boolean {
    return this.#hasListened;
  }

  /** Waits, just after the start, until the others could be heard. @throws StoreError STORE_CLOSED: this server leaves */
  async listen(): Promise<void> {
    const { clock, heartbeat } = this.#parts;
    if (this.#joinedAt === undefined || this.hasListened) return;
    const heardAt = this.#joinedAt + LISTENED_INTERVALS * heartbeat().intervalMs;
    await pause({ clock, stopping: this.#stopping.signal }, Math.min(heardAt - clock.now(), LISTEN_MS));
    await this.refresh();
  }

  /** Just after the start not before the others could be heard. */
  async readServers(): Promise<readonly ObservedServer[]> {
    await this.listen();
    return this.observe(await this.#store.servers());
  }

  /** By rows that were read since the last heartbeat. */
  observe(rows: readonly ServerRow[]): readonly ObservedServer[] {
    return this.#look(rows, 0);
  }

  /** Whether a server with this address can take agents. */
  canTakeAgents(address: string): boolean {
    return this.#servers.some(server => server.serviceIp === address && canTakeAgents(server));
  }

  /** How many other servers can take agents. */
  get othersThatTakeAgents(): number {
    return othersThatTakeAgents(this.#servers, this.#parts.msid).length;
  }

  /** Whether another server than this one can take agents. @param hosts only those with one of these addresses */
  othersCanTakeAgents(hosts: readonly string[]): boolean {
    const others = othersThatTakeAgents(this.#servers, this.#parts.msid);
    return others.some(({ serviceIp }) => hosts.includes(serviceIp));
  }

  /** How a server looks from here: `silent`, it may live or not; one that has no row is dead. */
  lifeOf(msid: number): 'up' | 'silent' | 'dead' {
    const server = this.#servers.find(other => other.msid === msid);
    if (server === undefined || server.isDead) return 'dead';
    return server.isSilent ? 'silent' : 'up';
  }

  /** Takes this server's row. @throws FatalError SERVER_ROW_TAKEN; StoreError */
  async join(): Promise<void> {
    const { msid, log } = this.#parts;
    const { server } = await this.#claim();
    this.#state = server.state;
    await this.#store.failJobsOfServer(msid, JOBS_OF_DEAD_SERVER, true);
    this.#take(await this.#store.servers());
    if (this.#state !== 'Up') log.warn('This server takes no agents', { state: this.#state });
    this.#beatLater();
  }

  /** The others need not wait for this server's silence. @throws StoreError */
  async leave(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    const { msid, clock } = this.#parts;
    const isOurs = await this.#store.stopServer(msid, this.#runId, clock.wallTime(), KEPT_STATES);
    if (isOurs) await this.#store.failJobsOfServer(msid, JOBS_OF_DEAD_SERVER);
  }

  /** Calls back after each change of this server's state. */
  onChange(watcher: () => void): { cancel(): void } {
    this.#watchers.add(watcher);
    return { cancel: () => void this.#watchers.delete(watcher) };
  }

  /** Something that is to be checked again at each heartbeat, once the servers were read. It must not reject. */
  addPass(pass: () => Promise<void>): void {
    this.#passes.push(pass);
  }

  /** One step of this server's own state. @returns whether it was done @throws StoreError */
  async step(step: ServerStep): Promise<boolean> {
    const done = await this.#store.changeServerState(this.#parts.msid, { ...TRANSITIONS[step], runId: this.#runId });
    await this.#beat();
    return done;
  }

  /** The interval may be another one now: a longer one is not waited for to its end, which others would take for silence. */
  retime(): void {
    if (this.#timer === undefined || this.#timerMs === this.#parts.heartbeat().intervalMs) return;
    this.#timer.cancel();
    void this.#beat().finally(() => this.#beatLater());
  }

  /** Reads at once what the next heartbeat would. @returns whether the store answered */
  refresh(): Promise<boolean> {
    return this.#beat();
  }

  async #claim(): Promise<ServerClaimed & { readonly claimed: true }> {
    const { msid, address, name, dataDirToken, heartbeat, clock } = this.#parts;
    const description = {
      msid,
      name,
      version: VERSION,
      serviceIp: address,
      osDistribution: type(),
      kernelVersion: release(),
      lastBootTime: Math.round(clock.wallTime() - uptime() * 1000),
    };
    const claim = { runId: this.#runId, dataDirToken, keepStates: KEPT_STATES };
    const first = await this.#store.claimServer(description, claim);
    if (first.claimed) return first;
    // Whether the holder lives shows by its counter, and by no clock.
    await delay(clock, STALE_HEARTBEATS * heartbeat().intervalMs);
    const second = await this.#store.claimServer(description, { ...claim, silentBeat: first.holder.beat });
    if (second.claimed) return second;
    const { holder } = second;
    throw new FatalError(
      'SERVER_ROW_TAKEN',
      `cluster.node.id ${msid} is in use by ${holder.name} (${holder.serviceIp}), whose heartbeat goes on: give this server another data.dir, or none of its own id`,
    );
  }

  #beatLater(): void {
    if (this.#isStopped) return;
    const { clock, heartbeat } = this.#parts;
    // One that `retime` has set meanwhile.
    this.#timer?.cancel();
    this.#timerMs = heartbeat().intervalMs;
    this.#timer = clock.after(this.#timerMs, () => {
      void this.#beat().finally(() => this.#beatLater());
    });
  }

  /** In turns: what an earlier one has read is older. */
  #beat(): Promise<boolean> {
    this.#beating = this.#beating.then(() => this.#beatOnce());
    return this.#beating;
  }

  async #beatOnce(): Promise<boolean> {
    const { health, msid, log, servingPort } = this.#parts;
    if (this.#isStopped) return true;
    try {
      const beat = await health.watch(() => this.#store.heartbeat(msid, this.#runId, servingPort()));
      if (this.#isStopped) return true;
      if (beat.kind === 'foreign') {
        this.#tellForeign(beat.holder);
        return true;
      }
      this.#take(await health.watch(() => this.#store.servers()));
      this.#enter(beat.state === 'Down' ? await this.#rejoin() : beat.state);
    } catch (error) {
      log.debug('No heartbeat', { reason: reasonOf(error) });
      return false;
    }
    await this.#dead.cleanUp(this.#servers);
    for (const pass of this.#passes) await pass();
    return true;
  }

  #look(rows: readonly ServerRow[], elapsedMs: number | undefined): readonly ObservedServer[] {
    const { msid, heartbeat } = this.#parts;
    return observeServers(this.#servers, { rows, ownMsid: msid, elapsedMs, ...heartbeat() });
  }

  #take(rows: readonly ServerRow[]): void {
    const now = this.#parts.clock.now();
    const elapsedMs = this.#readAt === undefined ? undefined : now - this.#readAt;
    this.#readAt = now;
    this.#joinedAt ??= now;
    this.#servers = this.#look(rows, elapsedMs);
    this.#hasListened ||=
      now - this.#joinedAt >= LISTENED_INTERVALS * this.#parts.heartbeat().intervalMs ||
      this.#servers.every(({ isHeard, isDead, state, joined }) => isHeard || isDead || state !== 'Up' || !joined);
    const avoided = this.avoided;
    if (avoided.join() === this.#toldAvoided) return;
    this.#toldAvoided = avoided.join();
    this.#parts.onAvoided(avoided);
  }

  #tellForeign(row: ServerRow | undefined): void {
    const { msid, onForeign } = this.#parts;
    const holder = row ? `${row.name} (${row.serviceIp})` : 'nobody: it is gone';
    onForeign(new FatalError('SERVER_ROW_TAKEN', `the row of cluster.node.id ${msid} now belongs to ${holder}`));
  }

  #enter(state: ServerState): void {
    if (state === this.#state) return;
    this.#parts.log.info('Server state changed', { from: this.#state, to: state });
    this.#state = state;
    this.#parts.onState(state);
    for (const watcher of this.#watchers) watcher();
  }

  /** Another server has put this one to Down: it stood still, or could not reach the store. @returns its state now */
  async #rejoin(): Promise<ServerState> {
    const { msid, log } = this.#parts;
    const to = KEPT_STATES.includes(this.#state) ? this.#state : 'Up';
    const done = await this.#store.changeServerState(msid, { from: ['Down'], to, runId: this.#runId });
    if (!done) return this.#state;
    log.warn('The other servers took this one for down: it was silent for too long', { state: to });
    return to;
  }
}
