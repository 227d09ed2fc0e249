/**
 * The assignments of `rendezvous`: which server leads the list of which host.
 *
 * They belong to generations. A host's row keeps the assignment that counts, and beside it the one of a newer generation
 * that may still be under way: `assignmentOf` tells which of them counts. A new generation is begun, written in batches,
 * and committed by `updateConfiguration` together with the values that it belongs to. Until then nothing of it counts.
 */
export interface AssignmentStore {
  /**
   * Assigns servers to hosts that have none; in one transaction. A host that has one keeps it.
   * @param batch at most `HOSTS_A_BATCH`, each host once
   * @param generation the committed one that the servers were chosen by
   * @returns the server that each host has now, in the order of the batch, null for a host that was removed; undefined:
   * the store has another committed generation, and nothing was written
   */
  assignHosts(batch: readonly AssignmentEntry[], generation: number): Promise<readonly (string | null)[] | undefined>;
  /**
   * Begins a new generation, and erases what attempts before it have left; in several transactions. An attempt that was
   * begun earlier and is not committed can write nothing from now on.
   * @param abandonedStep the last step of an attempt that its caller holds for dead; without it, an attempt that has
   * written assignments is left alone
   */
  beginAssignment(abandonedStep?: number): Promise<BegunAssignment>;
  /**
   * Writes assignments of the new generation; in one transaction.
   * @param batch at most `HOSTS_A_BATCH`, each host once
   * @returns the attempt, for the next call; undefined: another one has begun meanwhile, and nothing was written
   */
  writeAssignments(
    attempt: AssignmentAttempt,
    batch: readonly AssignmentEntry[],
  ): Promise<AssignmentAttempt | undefined>;
}

export interface AssignmentEntry {
  readonly id: number;
  /** The server's address, as it stands in `host`. */
  readonly preferred: string;
}

/** A new generation of assignments that is not committed yet. */
export interface AssignmentAttempt {
  /** Larger than any before. */
  readonly generation: number;
  /** Raised by each write, so that of two attempts one notices the other. */
  readonly step: number;
}

export type BegunAssignment =
  | { readonly begun: true; readonly attempt: AssignmentAttempt }
  /** Another attempt has written assignments. While it lives, `step` rises at least every few seconds. */
  | { readonly begun: false; readonly step: number };

/** The columns of a host's row that its assignment is kept in. */
export interface AssignmentRow {
  readonly preferred: string | null;
  readonly nextPreferred: string | null;
  /** The generation that `nextPreferred` belongs to. */
  readonly nextGeneration: number | null;
}

/** The server that is assigned to a host, when `committed` is the generation that counts. */
export function assignmentOf({ preferred, nextPreferred, nextGeneration }: AssignmentRow, committed: number) {
  return nextGeneration !== null && nextGeneration <= committed ? nextPreferred : preferred;
}
