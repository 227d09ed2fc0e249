/** How many there were of something until a moment. */
export interface Count {
  /** Milliseconds. */
  readonly at: number;
  readonly count: number;
}

/** So far back a rate goes, or to the last count before. */
const WINDOW_MS = 3_000;

/** The counts with one more, without those that no rate needs. */
export function withCount(counts: readonly Count[], next: Count): readonly Count[] {
  const from = counts.findLastIndex(({ at }) => at <= next.at - WINDOW_MS);
  return [...counts.slice(Math.max(0, from)), next];
}

/** How many came in a second, from the first of the counts to the last. */
export function perSecond(counts: readonly Count[]): number {
  const [first, last] = [counts[0], counts.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at) return 0;
  return (1_000 * (last.count - first.count)) / (last.at - first.at);
}
