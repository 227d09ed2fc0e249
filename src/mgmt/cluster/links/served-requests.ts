import { MGMT_LIMITS } from '../../config/limits.js';

/** What a request that has just come is. */
export type Arrival =
  | { readonly kind: 'new'; readonly signal: AbortSignal }
  | { readonly kind: 'under way' }
  | { readonly kind: 'answered'; readonly packet: Buffer }
  /** It came before, and its answer is not kept any more. */
  | { readonly kind: 'forgotten' };

/**
 * The requests of one process of another server, by their sequences. It sends each again over a new link until it is answered,
 * always in ascending order; each is carried out once.
 */
export class ServedRequests {
  readonly #running = new Map<bigint, AbortController>();
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
    const cancel = new AbortController();
    this.#running.set(sequence, cancel);
    return { kind: 'new', signal: cancel.signal };
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

  /** Nobody waits for the answer any more. `new`: the request itself has not come, and does not count when it comes later. */
  cancel(sequence: bigint, why: string): Arrival['kind'] {
    const running = this.#running.get(sequence);
    running?.abort(new Error(why));
    if (running !== undefined) return 'under way';
    const { kind } = this.arrive(sequence);
    this.#running.delete(sequence);
    return kind;
  }

  /** Likewise for all of them. */
  cancelAll(why: string): void {
    for (const cancel of [...this.#running.values()]) cancel.abort(new Error(why));
  }
}
