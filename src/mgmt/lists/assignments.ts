import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { HOSTS_A_BATCH, type Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { assignNew } from './assign.js';
import type { Weights } from './rendezvous.js';

/**
 * The assignments of `rendezvous` in memory: the preferred host of each host, and how many hosts each server leads. A new
 * host is assigned by the counts alone; its row is written behind that.
 */
export class Assignments {
  readonly #store: Pick<Store, 'setPreferred'>;
  readonly #health: StoreHealth;
  readonly #log: Log;
  readonly #preferred = new Map<number, string>();
  readonly #counts = new Map<string, number>();
  readonly #unwritten = new Map<number, string>();
  #isWriting = false;

  constructor(store: Pick<Store, 'setPreferred'>, health: StoreHealth, log: Log) {
    this.#store = store;
    this.#health = health;
    this.#log = log;
    health.onBack(() => void this.#write());
  }

  /** The server that is assigned to a host; undefined when none is. */
  of(hostId: number): string | undefined {
    return this.#preferred.get(hostId);
  }

  /** Takes what the row says, unless an assignment of ours is not written yet. @returns whether it is another than before */
  learn(hostId: number, preferred: string | null): boolean {
    // A row without one was read before ours was written: nobody takes one away.
    if (preferred === null || this.#unwritten.has(hostId) || preferred === this.#preferred.get(hostId)) return false;
    this.#set(hostId, preferred);
    return true;
  }

  /** The host was removed. */
  forget(hostId: number): void {
    this.#set(hostId, undefined);
    this.#unwritten.delete(hostId);
  }

  /**
   * Assigns a server to a host that has none. A host whose server has left the list keeps its assignment: all are
   * computed anew when the list is changed.
   */
  assign(hostId: number, servers: readonly string[], weights: Weights): void {
    if (this.#preferred.has(hostId)) return;
    const [first] = assignNew(hostId, servers, weights, this.#counts);
    if (first === undefined) return;
    this.#set(hostId, first);
    this.#unwritten.set(hostId, first);
    void this.#write();
  }

  #set(hostId: number, preferred: string | undefined): void {
    const former = this.#preferred.get(hostId);
    if (former !== undefined) this.#counts.set(former, (this.#counts.get(former) ?? 1) - 1);
    if (preferred === undefined) this.#preferred.delete(hostId);
    else {
      this.#preferred.set(hostId, preferred);
      this.#counts.set(preferred, (this.#counts.get(preferred) ?? 0) + 1);
    }
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      while (this.#unwritten.size > 0 && !this.#health.away) {
        const batch = [...this.#unwritten].slice(0, HOSTS_A_BATCH).map(([id, preferred]) => ({ id, preferred }));
        await this.#health.watch(() => this.#store.setPreferred(batch));
        for (const { id, preferred } of batch) if (this.#unwritten.get(id) === preferred) this.#unwritten.delete(id);
      }
    } catch (error) {
      // When the store is back, it is tried again.
      this.#log.debug('Assignments could not be written', { reason: reasonOf(error) });
    } finally {
      this.#isWriting = false;
    }
  }
}
