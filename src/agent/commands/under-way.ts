import { LIMITS } from '../../protocol/index.js';

/**
 * Packets with an id that have come and are not answered yet, on whichever link: what ends each, and whose turn it is of
 * those in sequence. A server sends one of those at a time; but after a failover another server may send the next one while
 * the one before is still in progress.
 */
export class CommandsUnderWay {
  readonly #recalls = new Map<string, AbortController>();
  #last: Promise<void> = Promise.resolve();
  #held = 0;

  /** Aborts when a server does not want the packet to be carried out any more. */
  recallOf(id: string): AbortSignal {
    const recall = this.#recalls.get(id) ?? new AbortController();
    this.#recalls.set(id, recall);
    return recall.signal;
  }

  recall(id: string, reason: Error): void {
    this.#recalls.get(id)?.abort(reason);
  }

  ended(id: string): void {
    this.#recalls.delete(id);
  }

  /**
   * Has work done when all that came before it is done.
   * @param work it never rejects
   * @returns false: too much waits already
   */
  inTurn(work: () => Promise<void>): boolean {
    if (this.#held >= LIMITS.requestsInProgress) return false;
    this.#held++;
    this.#last = this.#last.then(work).finally(() => {
      this.#held--;
    });
    return true;
  }
}
