import { median, type Pair } from './statistics.js';
import { printTable } from './table.js';

/** What the ratio of a row is to be. */
export type Goal = { readonly atMost: number } | { readonly atLeast: number };

/** One figure, on both sides of each round. */
export interface Row {
  /** With its unit. */
  readonly what: string;
  readonly agents?: number | undefined;
  readonly certificates?: string | undefined;
  readonly digits: number;
  readonly values: readonly Pair<number>[];
  /** For the ratio to the base. Missing: the row is there to explain others. */
  readonly goal?: Goal | undefined;
}

/**
 * Prints rows as the ratio of both sides: the median of the rounds' ratios, the least and the greatest of them.
 * @param sides what they are
 * @param isGoal whether the other side is the one that goals are for
 * @returns how many goals are missed
 */
export function printRows(rows: readonly Row[], { here, base }: Pair<string>, isGoal: boolean): number {
  const judged = rows.map(row => ({ row, ...ratiosOf(row.values), isMet: isMet(row) }));
  printTable(
    ['', 'N', 'certificates', here, base, 'ratio', 'least', 'most', ...(isGoal ? ['goal', ''] : [])],
    judged.map(({ row, ratio, least, most, isMet }) => [
      row.what,
      row.agents?.toLocaleString('en-US') ?? '',
      row.certificates ?? '',
      median(row.values.map(({ here }) => here)).toFixed(row.digits),
      median(row.values.map(pair => pair.base)).toFixed(row.digits),
      ...[ratio, least, most].map(
        (value, index) => (Number.isFinite(value) ? value.toFixed(2) : '–') + (index === 0 ? ' ×' : ''),
      ),
      ...(isGoal && row.goal ? [goalText(row.goal), isMet ? 'met' : 'missed'] : []),
    ]),
  );
  return isGoal ? judged.filter(({ isMet }) => !isMet).length : 0;
}

function isMet({ values, goal }: Row): boolean {
  return goal === undefined || meets(ratiosOf(values).ratio, goal);
}

export function meets(ratio: number, goal: Goal): boolean {
  return 'atMost' in goal ? ratio <= goal.atMost : ratio >= goal.atLeast;
}

/** @param unit of the bound */
export function goalText(goal: Goal, unit = ' ×'): string {
  return 'atMost' in goal ? `≤ ${goal.atMost}${unit}` : `≥ ${goal.atLeast}${unit}`;
}

/** A base of 0 is less than could be measured: such rounds do not count. */
export function ratiosOf(values: readonly Pair<number>[]): { ratio: number; least: number; most: number } {
  const ratios = values.filter(({ base }) => base > 0).map(({ here, base }) => here / base);
  return { ratio: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
