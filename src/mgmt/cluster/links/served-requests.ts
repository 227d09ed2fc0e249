import { MGMT_LIMITS } from '../../config/limits.js';

/** What a request that has just come is. */
export type Arrival =
  | { readonly kind: 'new'; readonly signals: { readonly signal: AbortSignal; readonly recall: AbortSignal } }
  | { readonly kind: 'under way' }
  | { readonly kind: 'answered'; readonly packet: Buffer }
  /** It came before, and its answer is not kept any more. */
  | { readonly kind: 'forgotten' };

/**
 * The requests of one process of another server, by their sequences. It sends each again over a new link until it is answered,
 * always in ascending order; each is carried out once.
 */
export class ServedRequests {
  readonly #running = new Map<bigint, Readonly<Record<'signal' | 'recall', AbortController>>>();
  /** Answers, oldest first, and when they were made. */
  readonly #answered = new Map<bigint, { readonly packet: Buffer; readonly at: number }>();
  #highest = -1n;
  #keptBytes = 0;

  /** Requests that are not answered yet. */
  get running(): number {
    return this.#running.size;
  }

  arrive(sequence: bigint): Arrival {
    if (this.#running.has(sequence)) return { kind: 'under way' };
    const answer = this.#answered.get(sequence);
    if (answer !== undefined) return { kind: 'answered', packet: answer.packet };
    if (sequence <= this.#highest) return { kind: 'forgotten' };
    this.#highest = sequence;
    const signal = new AbortController();
    const recall = new AbortController();
    this.#running.set(sequence, { signal, recall });
    return { kind: 'new', signals: { signal: signal.signal, recall: recall.signal } };
  }

  /** The answer of one that is under way; it is kept for a while. @param now monotonic milliseconds */
  answered(sequence: bigint, packet: Buffer, now: number): void {
    if (!this.#running.delete(sequence)) return;
    this.#answered.set(sequence, { packet, at: now });
    this.#keptBytes += packet.length;
    for (const [oldest, { packet: kept, at }] of this.#answered) {
      const isOld = now - at >= MGMT_LIMITS.serverAnswersKeptMs;
      if (!isOld && this.#keptBytes <= MGMT_LIMITS.serverAnswersKeptBytes) return;
      this.#answered.delete(oldest);
      this.#keptBytes -= kept.length;
    }
  }

  /**
   * The caller has changed its mind: see `RequestSignals`. `new`: the request itself has not come, and does not count when it
   * comes later.
   */
  cancel(sequence: bigint, how: 'signal' | 'recall', why: string): Arrival['kind'] {
    const running = this.#running.get(sequence);
    running?.[how].abort(new Error(why));
    if (running !== undefined) return 'under way';
    const { kind } = this.arrive(sequence);
    this.#running.delete(sequence);
    return kind;
  }

  /** Nobody waits for any answer any more. */
  cancelAll(why: string): void {
    for (const { signal } of [...this.#running.values()]) signal.abort(new Error(why));
  }
}
