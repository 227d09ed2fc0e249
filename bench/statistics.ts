export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The two sides of each round. */
export interface Pair<T> {
  readonly here: T;
  readonly base: T;
}

/**
 * Two measurements that take turns, and so does which one is first: other load of the machine then affects both alike.
 * @param what is said of each round on stderr
 */
export async function takeTurns<T>(
  what: string,
  rounds: number,
  { here, base }: { readonly here: () => Promise<T>; readonly base: () => Promise<T> },
): Promise<readonly Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let round = 0; round < rounds; round++) {
    console.error(`${what}: round ${round + 1} of ${rounds}`);
    if (round % 2 === 0) pairs.push({ here: await here(), base: await base() });
    else {
      const first = await base();
      pairs.push({ here: await here(), base: first });
    }
  }
  return pairs;
}
