import { type Bucket, fullBucket, takeFrom, untilPaid } from '../../lib/token-bucket.js';
import { MGMT_LIMITS } from '../config/limits.js';

const HOUR_SECONDS = 3_600;

/**
 * Bounds the rows that unknown agents have made in the store, for each network: as many at once as in an hour, and the
 * allowance fills again over an hour. Times are monotonic milliseconds.
 */
export class RowAllowance {
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param network `networkOf` the agent's address
   * @returns whether the rows may be made; if not, nothing is taken
   */
  take(network: string, rows: number, { now, perHour }: { readonly now: number; readonly perHour: number }): boolean {
    const rate = { perSecond: perHour / HOUR_SECONDS, burst: perHour };
    const left = takeFrom(this.#buckets.get(network) ?? fullBucket(rate, now), rows, rate, now);
    if (untilPaid(left, rate, now) > 0) return false;
    // The network that was heard of last comes last.
    this.#buckets.delete(network);
    this.#buckets.set(network, left);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MGMT_LIMITS.rowAddresses) break;
      this.#buckets.delete(oldest);
    }
    return true;
  }

  /** Rows that were not made after all. */
  giveBack(network: string, rows: number): void {
    const bucket = this.#buckets.get(network);
    if (bucket !== undefined) this.#buckets.set(network, { ...bucket, level: bucket.level + rows });
  }
}
