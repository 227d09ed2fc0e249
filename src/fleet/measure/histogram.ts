/** Times are told apart by 1 %: a percentile is right to half of that, and any number of times takes a bounded memory. */
const STEP = Math.log(1.01);
/** What is shorter counts as this long. */
const SHORTEST_MS = 0.1;

/** What is known of many times. */
export interface Percentiles {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Times, of which percentiles are asked for. */
export class Histogram {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    const bucket = Math.round(Math.log(Math.max(ms, SHORTEST_MS)) / STEP);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /**
   * @param others times that count as well, such as those that have not ended
   * @returns undefined when there are none
   */
  percentiles(others: readonly number[] = []): Percentiles | undefined {
    const all = new Histogram();
    for (const [bucket, count] of this.#buckets) all.#buckets.set(bucket, count);
    all.#count = this.#count;
    all.#maxMs = this.#maxMs;
    for (const ms of others) all.add(ms);
    if (all.#count === 0) return undefined;
    return { count: all.#count, p50Ms: all.#at(0.5), p99Ms: all.#at(0.99), maxMs: all.#maxMs };
  }

  /** The shortest time that so large a part is no longer than. */
  #at(part: number): number {
    const rank = Math.max(1, Math.ceil(this.#count * part));
    let passed = 0;
    for (const bucket of [...this.#buckets.keys()].sort((one, other) => one - other)) {
      passed += this.#buckets.get(bucket) ?? 0;
      if (passed >= rank) return Math.min(Math.exp(bucket * STEP), this.#maxMs);
    }
    return this.#maxMs;
  }
}
