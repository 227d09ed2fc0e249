import { type Bucket, fullBucket, takeFrom, untilPaid } from '../../lib/token-bucket.js';
import { MGMT_LIMITS } from '../config/limits.js';

const HOUR_SECONDS = 3_600;

/**
 * Bounds what unknown agents of one network may do in an hour, such as make rows in the store: as much at once as in an
 * hour, and the allowance fills again over an hour. Times are monotonic milliseconds.
 */
export class NetworkAllowance {
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param network `networkOf` the agent's address
   * @returns whether it may be done; if not, nothing is taken
   */
  take(network: string, amount: number, { now, perHour }: { readonly now: number; readonly perHour: number }): boolean {
    const rate = { perSecond: perHour / HOUR_SECONDS, burst: perHour };
    const left = takeFrom(this.#buckets.get(network) ?? fullBucket(rate, now), amount, rate, now);
    if (untilPaid(left, rate, now) > 0) return false;
    // The network that was heard of last comes last.
    this.#buckets.delete(network);
    this.#buckets.set(network, left);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MGMT_LIMITS.countedNetworks) break;
      this.#buckets.delete(oldest);
    }
    return true;
  }

  /** What was not done after all. */
  giveBack(network: string, amount: number): void {
    const bucket = this.#buckets.get(network);
    if (bucket !== undefined) this.#buckets.set(network, { ...bucket, level: bucket.level + amount });
  }
}
