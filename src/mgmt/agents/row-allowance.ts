import { MGMT_LIMITS } from '../config/limits.js';

/** The rows that agents of one network may still have made. */
interface Bucket {
  readonly rows: number;
  /** When that was so. */
  readonly at: number;
}

const HOUR_MS = 3_600_000;

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
    const left = leftAt(this.#buckets.get(network), now, perHour);
    if (left < rows) return false;
    // The network that was heard of last comes last.
    this.#buckets.delete(network);
    this.#buckets.set(network, { rows: left - rows, at: now });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MGMT_LIMITS.rowAddresses) break;
      this.#buckets.delete(oldest);
    }
    return true;
  }

  /** Rows that were not made after all. */
  giveBack(network: string, rows: number): void {
    const bucket = this.#buckets.get(network);
    if (bucket !== undefined) this.#buckets.set(network, { ...bucket, rows: bucket.rows + rows });
  }
}

function leftAt(bucket: Bucket | undefined, now: number, perHour: number): number {
  if (bucket === undefined) return perHour;
  return Math.min(perHour, bucket.rows + ((now - bucket.at) / HOUR_MS) * perHour);
}
