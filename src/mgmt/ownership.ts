import type { Clock } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import type { AgentStore } from './agent-store.js';
import { Gate } from './gate.js';
import { MGMT_LIMITS } from './limits.js';
import { isAway, type StoreHealth } from './store-health.js';

/** What the store should say of one host, as far as this server has a say. */
type Wanted =
  | { readonly kind: 'up'; readonly msHostList: string | null; readonly at: number; readonly onRemoved: () => void }
  | {
      readonly kind: 'down';
      readonly reason: string;
      readonly at: number;
      readonly connectingEpoch: number | undefined;
    };

interface Entry {
  wanted: Wanted;
  /** Under which this server has the host; undefined before the store has said so. */
  epoch: number | undefined;
  isWritten: boolean;
  isWriting: boolean;
}

/**
 * Which hosts this server has, written behind the agents' backs: a link never waits for the store, nor ends with it.
 * Of each host only the latest wish is kept, and only one write is under way, so what waits is bounded by the hosts, and a Ready is written only if its link
 * still lives. A disconnect is written under the epoch of the Ready before it, so it never harms a newer owner.
 */
export class Ownership {
  readonly #store: Pick<AgentStore, 'hostReady' | 'hostDisconnected' | 'releaseHosts'>;
  readonly #health: StoreHealth;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #msid: number;
  readonly #entries = new Map<number, Entry>();
  readonly #gate = new Gate(MGMT_LIMITS.ownershipWrites);
  #stopped = false;

  constructor(
    store: Pick<AgentStore, 'hostReady' | 'hostDisconnected' | 'releaseHosts'>,
    health: StoreHealth,
    env: { readonly clock: Clock; readonly log: Log; readonly msid: number },
  ) {
    this.#store = store;
    this.#health = health;
    this.#clock = env.clock;
    this.#log = env.log;
    this.#msid = env.msid;
    health.onBack(() => this.#writeAll());
  }

  /** Hosts whose latest state is not in the store yet. */
  get unwritten(): number {
    let count = 0;
    for (const { isWritten } of this.#entries.values()) if (!isWritten) count++;
    return count;
  }

  /** The epoch under which this server has the host; undefined while a write of it is pending. */
  epochOf(hostId: number): number | undefined {
    const entry = this.#entries.get(hostId);
    return entry?.isWritten ? entry.epoch : undefined;
  }

  /**
   * The agent answered Ready 2: the host is ours.
   * @param onRemoved called when the store says that there is no such host any more
   */
  ready(hostId: number, msHostList: string | null, onRemoved: () => void): void {
    this.#want(hostId, { kind: 'up', msHostList, at: this.#clock.wallTime(), onRemoved });
  }

  /** The row says that nobody has the host, and its link lives: it is written anew. */
  again(hostId: number): void {
    const entry = this.#entries.get(hostId);
    if (entry?.wanted.kind === 'up' && entry.isWritten) this.#want(hostId, entry.wanted);
  }

  /**
   * The host has no link here any more.
   * @param connectingEpoch the epoch in which it was Connecting, for when it never became Ready
   */
  lost(hostId: number, reason: string, connectingEpoch?: number): void {
    this.#want(hostId, { kind: 'down', reason, at: this.#clock.wallTime(), connectingEpoch });
  }

  /**
   * No agents any more, in one write: the server stops, or it starts and was killed before.
   * @throws StoreError
   */
  async releaseAll(reason: string): Promise<number> {
    this.#entries.clear();
    return this.#health.watch(() => this.#store.releaseHosts(this.#msid, { at: this.#clock.wallTime(), reason }));
  }

  /** From now on nothing is written but by `releaseAll`. */
  stop(): void {
    this.#stopped = true;
  }

  #want(hostId: number, wanted: Wanted): void {
    if (this.#stopped) return;
    const entry = this.#entries.get(hostId);
    if (entry === undefined) {
      const fresh = { wanted, epoch: undefined, isWritten: false, isWriting: false };
      this.#entries.set(hostId, fresh);
      this.#write(hostId, fresh);
    } else {
      entry.wanted = wanted;
      entry.isWritten = false;
      this.#write(hostId, entry);
    }
  }

  #writeAll(): void {
    for (const [hostId, entry] of this.#entries) this.#write(hostId, entry);
  }

  #write(hostId: number, entry: Entry): void {
    if (entry.isWriting || entry.isWritten || this.#health.away || this.#stopped) return;
    entry.isWriting = true;
    void this.#gate
      .run(() => this.#writeLatest(hostId, entry))
      .finally(() => {
        entry.isWriting = false;
        // A newer wish may have come meanwhile.
        this.#write(hostId, entry);
      });
  }

  async #writeLatest(hostId: number, entry: Entry): Promise<void> {
    if (this.#health.away || this.#stopped) return;
    const wanted = entry.wanted;
    try {
      if (wanted.kind === 'up') await this.#writeReady(hostId, entry, wanted);
      else await this.#writeLost(hostId, entry, wanted);
    } catch (error) {
      // What is away comes back; `writeAll` takes it up again then.
      if (isAway(error)) return;
      this.#log.error('The state of a host could not be written', { hostId, reason: reasonOf(error) });
    }
    if (entry.wanted !== wanted) return;
    entry.isWritten = true;
    if (wanted.kind === 'down') this.#entries.delete(hostId);
  }

  async #writeReady(hostId: number, entry: Entry, wanted: Wanted & { kind: 'up' }): Promise<void> {
    const { msHostList, at } = wanted;
    entry.epoch = await this.#health.watch(() => this.#store.hostReady(hostId, { msid: this.#msid, msHostList, at }));
    if (entry.epoch === undefined) wanted.onRemoved();
  }

  async #writeLost(hostId: number, entry: Entry, wanted: Wanted & { kind: 'down' }): Promise<void> {
    const { reason, at, connectingEpoch } = wanted;
    const [msid, epoch] = entry.epoch === undefined ? [null, connectingEpoch] : [this.#msid, entry.epoch];
    // Another server has it, or will be told so: a Ready that was never written needs no disconnect.
    if (epoch === undefined) return;
    await this.#health.watch(() => this.#store.hostDisconnected(hostId, { msid, epoch, at, reason }));
  }
}
