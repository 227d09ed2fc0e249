/** A host with a Ready link here, whose row says that another server has it. */
interface Contest {
  readonly epoch: number;
  /** Monotonic milliseconds. */
  readonly since: number;
}

/** An agent that has moved closes its old link by itself; one that does not is told so. */
const CLOSE_AFTER_MS = 30_000;

/**
 * Hosts that two servers have a link of. Which one is right is in the row; the other one closes its link, though not at
 * once: during a move an agent has two.
 */
export class ContestedHosts {
  readonly #contests = new Map<number, Contest>();

  /** The row says so. */
  note(hostId: number, epoch: number, now: number): void {
    if (this.#contests.get(hostId)?.epoch !== epoch) this.#contests.set(hostId, { epoch, since: now });
  }

  /** It is ours again, or has no link here any more. */
  settle(hostId: number): void {
    this.#contests.delete(hostId);
  }

  /** Those whose link has to go now; they are contested no longer. */
  *due(now: number): IterableIterator<number> {
    for (const [hostId, { since }] of this.#contests) {
      if (now - since < CLOSE_AFTER_MS) continue;
      this.#contests.delete(hostId);
      yield hostId;
    }
  }
}
