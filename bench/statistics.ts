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
 * @param begin called before each round with its number, from 1
 */
export async function takeTurns<T>(
  rounds: number,
  { here, base }: { readonly here: () => Promise<T>; readonly base: () => Promise<T> },
  begin: (round: number) => void,
): Promise<readonly Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let round = 1; round <= rounds; round++) {
    begin(round);
    if (round % 2 === 1) pairs.push({ here: await here(), base: await base() });
    else {
      const first = await base();
      pairs.push({ here: await here(), base: first });
    }
  }
  return pairs;
}

/** Says on stderr how far a measurement is. */
export function progressOf(what: string, rounds: number): (round: number) => void {
  return round => console.error(`${what}: round ${round} of ${rounds}`);
}
