import { reasonOf } from '../../lib/errors.js';
import { firstOf } from '../../lib/first-of.js';
import type { Log } from '../../lib/logger.js';
import { type AssignmentEntry, type AssignmentRow, assignmentOf, HOSTS_A_BATCH, type Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { assignNew } from './assign.js';
import type { Weights } from './rendezvous.js';

export interface AssignmentsParts {
  readonly store: Pick<Store, 'assignHosts'>;
  readonly health: StoreHealth;
  readonly log: Log;
  /** The committed generation of assignments. */
  readonly generation: number;
  /** The store has another assignment for a host than the one that was chosen here. */
  onChange(): void;
}

/**
 * The assignments of `rendezvous` in memory: the preferred host of each host, and how many hosts each server leads. A new
 * host is assigned by the counts alone; its row is written afterwards. What rows say of a generation that is not
 * committed, as far as this server has read, waits until it is.
 */
export class Assignments {
  readonly #parts: AssignmentsParts;
  readonly #preferred = new Map<number, string>();
  readonly #counts = new Map<string, number>();
  /** Rows with an assignment of a later generation, by host id. */
  readonly #coming = new Map<number, AssignmentRow>();
  readonly #unwritten = new Map<number, string>();
  #generation: number;
  #isWriting = false;

  constructor(parts: AssignmentsParts) {
    this.#parts = parts;
    this.#generation = parts.generation;
    parts.health.onBack(() => this.write());
  }

  /** The server that is assigned to a host; undefined when none is. */
  of(hostId: number): string | undefined {
    return this.#preferred.get(hostId);
  }

  /** Takes what the row says, unless an assignment of ours is not written yet. @returns whether it is another than before */
  learn(hostId: number, { preferred, nextPreferred, nextGeneration }: AssignmentRow): boolean {
    const row = { preferred, nextPreferred, nextGeneration };
    if (nextGeneration !== null && nextGeneration > this.#generation) {
      this.#coming.set(hostId, row);
      // The row may already have lost the assignment that counts with the generation that this server has.
      if (this.#preferred.has(hostId)) return false;
    } else this.#coming.delete(hostId);
    const assigned = assignmentOf(row, this.#generation);
    // A row without an assignment was read before this server wrote it: assignments are never taken away.
    if (assigned === null || this.#unwritten.has(hostId) || assigned === this.#preferred.get(hostId)) return false;
    this.#set(hostId, assigned);
    return true;
  }

  /** Another generation is committed, and all rows that were written for it have been learned. */
  take(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    // They were chosen by what held before.
    for (const hostId of this.#unwritten.keys()) this.#set(hostId, undefined);
    this.#unwritten.clear();
    for (const [hostId, row] of this.#coming) {
      this.#set(hostId, assignmentOf(row, generation) ?? undefined);
      if ((row.nextGeneration ?? 0) <= generation) this.#coming.delete(hostId);
    }
  }

  /** The host was removed. */
  forget(hostId: number): void {
    this.#set(hostId, undefined);
    this.#coming.delete(hostId);
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
    this.write();
  }

  /** Writes what could not be written before. */
  write(): void {
    if (!this.#isWriting && this.#unwritten.size > 0) void this.#writeAll();
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

  async #writeAll(): Promise<void> {
    const { store, health, log } = this.#parts;
    this.#isWriting = true;
    try {
      while (this.#unwritten.size > 0 && !health.away) {
        const generation = this.#generation;
        const batch = firstOf(this.#unwritten, HOSTS_A_BATCH).map(([id, preferred]) => ({ id, preferred }));
        const standing = await health.watch(() => store.assignHosts(batch, generation));
        // Chosen by a configuration that does not hold any more: the poll takes the new one, and they are chosen anew.
        if (standing === undefined) return;
        this.#written(batch, standing);
      }
    } catch (error) {
      // The next poll tries it again.
      log.debug('Assignments could not be written', { reason: reasonOf(error) });
    } finally {
      this.#isWriting = false;
    }
  }

  /** @param standing what each host of the batch has now */
  #written(batch: readonly AssignmentEntry[], standing: readonly (string | null)[]): void {
    let isOther = false;
    for (const [index, { id, preferred }] of batch.entries()) {
      if (this.#unwritten.get(id) !== preferred) continue;
      this.#unwritten.delete(id);
      const assigned = standing[index] ?? preferred;
      if (assigned === preferred) continue;
      // Another server has assigned it meanwhile.
      this.#set(id, assigned);
      isOther = true;
    }
    if (isOther) this.#parts.onChange();
  }
}
