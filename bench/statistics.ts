export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** @param part from 0 to 1 @returns the least of the values that so many of them do not exceed */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

/** The two sides of each round. */
export type Pair<T> = Readonly<Record<'here' | 'base', T>>;

/**
 * Measurements that take turns, and so does which one is first: other load of the machine then affects all alike.
 * @param begin called before each round with its number, from 1
 * @returns what each of them gave in each round
 */
export async function takeTurns<K extends string, T>(
  rounds: number,
  sides: Readonly<Record<K, () => Promise<T>>>,
  begin: (round: number) => void,
): Promise<readonly Readonly<Record<K, T>>[]> {
  const names = Object.keys(sides) as K[];
  const measured: Record<K, T>[] = [];
  for (let round = 1; round <= rounds; round++) {
    begin(round);
    const of: Partial<Record<K, T>> = {};
    for (const name of round % 2 === 1 ? names : names.toReversed()) of[name] = await sides[name]();
    // Each has been measured.
    measured.push(of as Record<K, T>);
  }
  return measured;
}

/** Says on stderr how far a measurement is. */
export function progressOf(what: string, rounds: number): (round: number) => void {
  return round => console.error(`${what}: round ${round} of ${rounds}`);
}
