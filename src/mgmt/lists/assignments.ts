import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { HOSTS_A_BATCH, type Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { assignNew } from './assign.js';
import type { Weights } from './rendezvous.js';

/**
 * The sticky first server of every host, in memory, and how many each server leads. A host that
 * has none gets one when it is asked for, by the counters alone; the row follows behind.
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

  /** As the row has it, unless a choice of ours is still on its way there. @returns whether it is another than before */
  learn(hostId: number, preferred: string | null): boolean {
    // A row that has none was read before ours was written: nobody takes one away.
    if (preferred === null || this.#unwritten.has(hostId) || preferred === this.#preferred.get(hostId)) return false;
    this.#set(hostId, preferred);
    return true;
  }

  /** The host was removed. */
  forget(hostId: number): void {
    this.#set(hostId, undefined);
    this.#unwritten.delete(hostId);
  }

  preferredOf(hostId: number, servers: readonly string[], weights: Weights): string | undefined {
    const standing = this.#preferred.get(hostId);
    // Whose server is gone gets its next one, and keeps its row: all are computed anew where the list was changed.
    if (standing !== undefined) return servers.includes(standing) ? standing : undefined;
    const [first] = assignNew(hostId, servers, weights, this.#counts);
    if (first === undefined) return undefined;
    this.#set(hostId, first);
    this.#unwritten.set(hostId, first);
    void this.#write();
    return first;
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
      this.#log.debug('Preferred servers could not be written', { reason: reasonOf(error) });
    } finally {
      this.#isWriting = false;
    }
  }
}
