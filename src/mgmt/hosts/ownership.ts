import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { firstOf } from '../../lib/first-of.js';
import type { Log } from '../../lib/logger.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { AgentStore } from '../store/agent-store.js';
import { type Arrival, HOSTS_A_BATCH, type Loss } from '../store/store.js';
import { StoreError } from '../store/store-error.js';
import { isAway, type StoreHealth } from '../store/store-health.js';
import type { Claimant } from './claimant.js';

/** What a Ready may come to, other than that the host is ours. */
export interface ReadyListener {
  /** There is no such host any more. */
  onRemoved(): void;
  /** Another server has the host by a later link of the same agent process: the link of this Ready is of no use. */
  onSuperseded(): void;
}

/** What the row of one host should say, as far as this server decides it. */
type DesiredState =
  | {
      readonly kind: 'up';
      /** Which Ready it is about: once that is in the store, only a newer list is left to be written. */
      readonly ready: object;
      readonly msHostList: string | null;
      readonly configurationVersion: number;
      readonly claimant: Claimant;
      readonly at: number;
      /** By the monotonic clock. */
      readonly since: number;
      readonly arrival: Arrival;
      readonly listener: ReadyListener;
    }
  | {
      readonly kind: 'down';
      readonly loss: Loss;
      readonly at: number;
      /** By the monotonic clock. */
      readonly since: number;
      readonly connectingEpoch: number | undefined;
      /** Only if the row is still Connecting, and was last written at this moment. */
      readonly connectingSince?: number;
    };

interface Entry {
  readonly hostId: number;
  desired: DesiredState;
  /** Under which this server has the host; undefined before the store has said so. */
  epoch: number | undefined;
  /** The Ready that the epoch was raised for. */
  taken: object | undefined;
  isWritten: boolean;
  /** The log says already that the store refuses it. */
  isReported: boolean;
}

type Up = DesiredState & { readonly kind: 'up' };
type Down = DesiredState & { readonly kind: 'down' };

/** An entry with the desired state that is being written: a newer one may come meanwhile. */
interface Writing<W extends DesiredState> {
  readonly entry: Entry;
  readonly desired: W;
}

type OwnershipStore = Pick<AgentStore, 'hostsReady' | 'hostsMsHostList' | 'hostsDisconnected' | 'releaseHosts'>;

/** The host was here all the time. */
const CORRECTED: Arrival = { kind: 'register', cause: 'corrected', isPreferred: false, gapMs: null };

/**
 * Which hosts this server has. It is written in the background: a link never waits for the store, nor ends because of it.
 * What comes alone is written at once. What comes while a write is under way goes into the next one, which waits for more, so
 * many hosts at once make few writes: the commit is the dearest part of one. Of each host only the latest desired state is
 * kept, so what waits is bounded by the hosts, and a Ready is written only if its link still is open. A disconnect is written
 * under the epoch of the Ready before it, so it never changes the row of a newer owner. Nor does a Ready that comes late, by an
 * older link of the agent process than the one by which another server has the host. What could not be written is tried again
 * until it is written, or until another state is desired.
 */
export class Ownership {
  readonly #store: OwnershipStore;
  readonly #health: StoreHealth;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #msid: number;
  readonly #entries = new Map<number, Entry>();
  /** Those whose desired state is not written yet, in the order in which they came. */
  readonly #dirty = new Set<Entry>();
  /** Those that the store, which is there, has failed to write: they wait for `retry`. */
  readonly #failed = new Set<Entry>();
  #isWriting = false;
  /** The wait after a write during which more has come. */
  #rest: Timer | undefined;
  #underWay: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    store: OwnershipStore,
    health: StoreHealth,
    parts: { readonly clock: Clock; readonly log: Log; readonly msid: number },
  ) {
    this.#store = store;
    this.#health = health;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#msid = parts.msid;
    health.onBack(() => this.#write());
  }

  /** Hosts whose latest state is not in the store yet. */
  get unwritten(): number {
    return this.#dirty.size + this.#failed.size;
  }

  /** Whether a state of the host is not in the store yet. */
  isPending(hostId: number): boolean {
    const entry = this.#entries.get(hostId);
    return entry !== undefined && (this.#dirty.has(entry) || this.#failed.has(entry));
  }

  /** The epoch under which this server has the host; undefined while a write of it is pending. */
  epochOf(hostId: number): number | undefined {
    const entry = this.#entries.get(hostId);
    return entry && isTaken(entry) ? entry.epoch : undefined;
  }

  /**
   * The agent answered Ready 2: the host is ours.
   * @param ready.msHostList what the agent has now; it was made from `configurationVersion`
   * @param ready.arrival how it has come
   * @param listener told what the store says
   */
  ready(
    hostId: number,
    ready: Pick<DesiredState & { kind: 'up' }, 'msHostList' | 'configurationVersion' | 'claimant' | 'arrival'>,
    listener: ReadyListener,
  ): void {
    this.#desire(hostId, { kind: 'up', ready: {}, ...ready, ...this.#moment(), listener });
  }

  /** The agent acknowledged another list: written under the epoch of its Ready, or with that one. */
  listed(hostId: number, list: { msHostList: string | null; configurationVersion: number }): void {
    const entry = this.#entries.get(hostId);
    if (entry?.desired.kind === 'up') this.#desire(hostId, { ...entry.desired, ...list });
  }

  /** The link is open, and the row says that no living server has the host, or has another epoch: it is written anew. */
  again(hostId: number): void {
    const entry = this.#entries.get(hostId);
    if (entry?.desired.kind === 'up' && isTaken(entry))
      this.#desire(hostId, { ...entry.desired, ready: {}, since: this.#clock.now(), arrival: CORRECTED });
  }

  /**
   * The host has no link here any more.
   * @param connectingEpoch the epoch in which it was Connecting, for when it never became Ready
   */
  lost(hostId: number, loss: Loss, connectingEpoch?: number): void {
    this.#desire(hostId, { kind: 'down', loss, ...this.#moment(), connectingEpoch });
  }

  /** The row says that this server has the host under this epoch, and there is no link. */
  release(hostId: number, epoch: number, reason: string): void {
    const loss = { reason, cause: 'corrected' } as const;
    this.#desire(hostId, { kind: 'down', loss, ...this.#moment(), connectingEpoch: undefined }, epoch);
  }

  /** The host has been Connecting for too long: written only if its row is still the same. */
  abandon(hostId: number, { epoch, changed }: { epoch: number; changed: number }, reason: string): void {
    const connecting = { connectingEpoch: epoch, connectingSince: changed };
    this.#desire(hostId, { kind: 'down', loss: { reason, cause: 'corrected' }, ...this.#moment(), ...connecting });
  }

  /** Tries again what the store has failed to write. */
  retry(): void {
    for (const entry of this.#failed) this.#dirty.add(entry);
    this.#failed.clear();
    this.#write();
  }

  /**
   * No agents any more, in one write: the server stops, or it starts and was killed before.
   * @throws StoreError
   */
  async releaseAll(loss: Loss): Promise<number> {
    this.#entries.clear();
    this.#dirty.clear();
    this.#failed.clear();
    // A write that is under way must not be carried out after this one: the host would be Up on a server that has stopped.
    await this.#underWay;
    return this.#health.watch(() => this.#store.releaseHosts(this.#msid, { at: this.#clock.wallTime(), ...loss }));
  }

  /** From now on nothing is written but by `releaseAll`. */
  stop(): void {
    this.#stopped = true;
    this.#rest?.cancel();
  }

  #moment(): { readonly at: number; readonly since: number } {
    return { at: this.#clock.wallTime(), since: this.#clock.now() };
  }

  /** @param epoch under which this server has the host, when the row has told it */
  #desire(hostId: number, desired: DesiredState, epoch?: number): void {
    if (this.#stopped) return;
    const entry = this.#entries.get(hostId) ?? {
      hostId,
      desired,
      epoch: undefined,
      taken: undefined,
      isWritten: false,
      isReported: false,
    };
    this.#entries.set(hostId, entry);
    if (epoch !== undefined) entry.epoch = epoch;
    entry.desired = desired;
    entry.isWritten = false;
    entry.isReported = false;
    this.#failed.delete(entry);
    this.#dirty.add(entry);
    this.#write();
  }

  #write(): void {
    if (!this.#isWriting && this.#rest === undefined) this.#underWay = this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#dirty.size > 0 && !this.#health.away && !this.#stopped) {
        const batch = firstOf(this.#dirty, HOSTS_A_BATCH);
        await this.#writeBatch(batch);
        if (this.#dirty.size < HOSTS_A_BATCH) break;
      }
    } finally {
      this.#isWriting = false;
    }
    // Of one that is away it is known when it is back.
    if (this.#dirty.size === 0 || this.#stopped || this.#health.away) return;
    this.#rest = this.#clock.after(MGMT_LIMITS.ownershipRestMs, () => {
      this.#rest = undefined;
      this.#write();
    });
  }

  async #writeBatch(batch: readonly Entry[]): Promise<void> {
    // As they are now: by the time it is written, another state may be desired.
    const writing = batch.map(entry => ({ entry, desired: entry.desired }));
    try {
      const up = writing.filter((one): one is Writing<Up> => one.desired.kind === 'up');
      const isListOnly = ({ entry, desired }: Writing<Up>) => entry.taken === desired.ready;
      const lists = up.filter(isListOnly);
      await this.#writeReady(up.filter(one => !isListOnly(one)));
      await this.#writeLists(lists);
      await this.#writeLost(writing.filter((one): one is Writing<Down> => one.desired.kind === 'down'));
    } catch (error) {
      // What is away comes back; then it is taken up again.
      if (isAway(error) || this.#stopped) return;
      const [first, ...others] = writing;
      if (others.length > 0) {
        // The store refuses one of them: the others are written without it.
        for (const entry of batch) if (!entry.isWritten) await this.#writeBatch([entry]);
      } else if (first !== undefined) this.#postpone(first, error);
    }
  }

  /** The store is there, and has failed to write this one. */
  #postpone({ entry, desired }: Writing<DesiredState>, error: unknown): void {
    // A newer state is desired, and is written next.
    if (entry.desired !== desired) return;
    this.#dirty.delete(entry);
    this.#failed.add(entry);
    if (!entry.isReported) {
      const fields = { hostId: entry.hostId, reason: reasonOf(error) };
      this.#log.error('The state of a host could not be written; it is tried again', fields);
      entry.isReported = true;
    }
    // The texts can be left out. Whether the host is here must be written in any case.
    if (error instanceof StoreError && error.code === 'STORE_VALUE_REFUSED') entry.desired = withoutTexts(desired);
  }

  async #writeReady(writing: readonly Writing<Up>[]): Promise<void> {
    if (writing.length === 0) return;
    const now = this.#clock.now();
    const rows = writing.map(({ entry: { hostId }, desired }) => {
      const { msHostList, configurationVersion, at, since, arrival } = desired;
      const { instanceId = null, linkNumber = null, address: linkAddress = null } = desired.claimant;
      const link = { instanceId, linkNumber, linkAddress };
      const told = { at, arrival, ageMs: now - since };
      return { id: hostId, msid: this.#msid, msHostList, configurationVersion, ...link, ...told };
    });
    const outcomes = await this.#health.watch(() => this.#store.hostsReady(rows));
    for (const [index, one] of writing.entries()) {
      const outcome = outcomes[index];
      one.entry.epoch = outcome?.kind === 'taken' ? outcome.epoch : undefined;
      one.entry.taken = one.desired.ready;
      this.#written(one);
      if (outcome?.kind === 'removed') one.desired.listener.onRemoved();
      else if (outcome?.kind === 'superseded') one.desired.listener.onSuperseded();
    }
  }

  async #writeLists(writing: readonly Writing<Up>[]): Promise<void> {
    const rows = writing.flatMap(({ entry: { hostId, epoch }, desired: { msHostList, configurationVersion } }) =>
      epoch === undefined || msHostList === null ? [] : [{ id: hostId, epoch, msHostList, configurationVersion }],
    );
    // Of one that another server has by now nothing is written: the list that it wrote is the newer one.
    if (rows.length > 0) await this.#health.watch(() => this.#store.hostsMsHostList(rows));
    for (const one of writing) this.#written(one);
  }

  async #writeLost(writing: readonly Writing<Down>[]): Promise<void> {
    const now = this.#clock.now();
    const rows = writing.flatMap(({ entry, desired: { loss, at, since, connectingEpoch, connectingSince } }) => {
      const [msid, epoch] = entry.epoch === undefined ? [null, connectingEpoch] : [this.#msid, entry.epoch];
      // Another server has it, or will be told so: a Ready that was never written needs no disconnect.
      return epoch === undefined
        ? []
        : [
            {
              id: entry.hostId,
              msid,
              epoch,
              at,
              ...loss,
              ageMs: now - since,
              ...(connectingSince !== undefined && { connectingSince }),
            },
          ];
    });
    if (rows.length > 0) await this.#health.watch(() => this.#store.hostsDisconnected(rows));
    for (const one of writing) this.#written(one);
  }

  #written({ entry, desired }: Writing<DesiredState>): void {
    if (entry.desired !== desired) return;
    entry.isWritten = true;
    this.#dirty.delete(entry);
    if (desired.kind === 'down' && this.#entries.get(entry.hostId) === entry) this.#entries.delete(entry.hostId);
  }
}

function withoutTexts(desired: DesiredState): DesiredState {
  return desired.kind === 'up'
    ? { ...desired, msHostList: null }
    : { ...desired, loss: { ...desired.loss, reason: 'the link ended' } };
}

/** The Ready that the entry is about is in the store. */
function isTaken({ desired, taken }: Entry): boolean {
  return desired.kind === 'up' && desired.ready === taken;
}
