import { reasonOf } from '../../lib/errors.js';
import { firstOf } from '../../lib/first-of.js';
import { type Interruptible, workCounter } from '../../lib/interruptible.js';
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

/** So many hosts are a step of a millisecond or two. */
const SETTLED_A_STEP = 250;

/** A row with an assignment of a later generation. */
interface ComingRow extends AssignmentRow {
  /** The generation that counted when the row was learned. What the row says counts as soon as another one does. */
  readonly learnedIn: number;
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
  /** By host id. */
  #coming = new Map<number, ComingRow>();
  /** Rows that are carried over, undefined once they are. None is deleted before all are: a large map that shrinks blocks. */
  #settling: Map<number, ComingRow | undefined> = new Map();
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
    const row = this.#uncarried(hostId);
    return row === undefined ? this.#preferred.get(hostId) : (assignmentOf(row, this.#generation) ?? undefined);
  }

  /** Takes what the row says, unless an assignment of ours is not written yet. @returns whether it is another than before */
  learn(hostId: number, { preferred, nextPreferred, nextGeneration }: AssignmentRow): boolean {
    this.#settleHost(hostId);
    const row = { preferred, nextPreferred, nextGeneration };
    if (nextGeneration !== null && nextGeneration > this.#generation) {
      this.#coming.set(hostId, { ...row, learnedIn: this.#generation });
      // The row may already have lost the assignment that counts with the generation that this server has.
      if (this.#preferred.has(hostId)) return false;
    } else this.#dropComing(hostId);
    const assigned = assignmentOf(row, this.#generation);
    // A row without an assignment was read before this server wrote it: assignments are never taken away.
    if (assigned === null || this.#unwritten.has(hostId) || assigned === this.#preferred.get(hostId)) return false;
    this.#set(hostId, assigned);
    return true;
  }

  /**
   * Another generation is committed, and all rows that were written for it have been learned. At once `of` tells the new
   * assignments; `settle` carries them over.
   */
  take(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    // They were chosen by what held before.
    for (const hostId of this.#unwritten.keys()) this.#set(hostId, undefined);
    this.#unwritten.clear();
  }

  /**
   * Carries over what has come to count; not two at a time. Until it has ended, the numbers of hosts that servers lead are
   * partly the former ones.
   */
  *settle(): Interruptible<void> {
    this.#settling = this.#coming;
    this.#coming = new Map();
    const isStepFull = workCounter(SETTLED_A_STEP);
    for (const [hostId, row] of this.#settling) {
      this.#settleHost(hostId);
      // It was learned after the generation was taken.
      if (row?.learnedIn === this.#generation && !this.#coming.has(hostId)) this.#coming.set(hostId, row);
      if (isStepFull(1)) yield;
    }
    this.#settling = new Map();
  }

  /** The host was removed. */
  forget(hostId: number): void {
    this.#set(hostId, undefined);
    this.#dropComing(hostId);
    this.#unwritten.delete(hostId);
  }

  /**
   * Assigns a server to a host that has none. A host whose server has left the list keeps its assignment: all are
   * computed anew when the list is changed.
   */
  assign(hostId: number, servers: readonly string[], weights: Weights): void {
    this.#settleHost(hostId);
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

  /** The row by which a host has another assignment now than `#preferred` says. */
  #uncarried(hostId: number): ComingRow | undefined {
    const row = this.#coming.get(hostId) ?? this.#settling.get(hostId);
    return row?.learnedIn === this.#generation ? undefined : row;
  }

  #settleHost(hostId: number): void {
    const row = this.#uncarried(hostId);
    if (row === undefined) return;
    this.#set(hostId, assignmentOf(row, this.#generation) ?? undefined);
    this.#dropComing(hostId);
    const isForLater = (row.nextGeneration ?? 0) > this.#generation;
    if (isForLater) this.#coming.set(hostId, { ...row, learnedIn: this.#generation });
  }

  #dropComing(hostId: number): void {
    this.#coming.delete(hostId);
    if (this.#settling.has(hostId)) this.#settling.set(hostId, undefined);
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
