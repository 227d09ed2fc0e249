import type { Labels, Metric, MetricTable } from './metric.js';

/** A value for each label. A label with a closed set of values takes no others. */
export type LabelValues<L extends Labels> = {
  readonly [N in keyof L]: L[N] extends readonly (infer V)[] ? V : string;
};

/** Counts what happens. */
export interface Counter<L extends Labels> {
  /** @param by @default 1 */
  add(labels: LabelValues<L>, by?: number): void;
}

/** Counts amounts by how large they are. */
export interface Histogram<L extends Labels> {
  observe(labels: LabelValues<L>, value: number): void;
}

type KeysOf<T extends MetricTable, Kind extends Metric['kind']> = {
  [K in keyof T]: T[K]['kind'] extends Kind ? K : never;
}[keyof T];

/** What the program counts with: the counters and histograms of a table. */
export type Meters<T extends MetricTable> = {
  readonly [K in KeysOf<T, 'counter'>]: Counter<T[K]['labels']>;
} & {
  readonly [K in KeysOf<T, 'histogram'>]: Histogram<T[K]['labels']>;
};

/** A value of a gauge, with its labels. */
export interface Sample<L extends Labels> {
  readonly labels: LabelValues<L>;
  readonly value: number;
}

/** What the gauges of a table are now. Those without a value are left out. */
export type Readings<T extends MetricTable> = {
  readonly [K in KeysOf<T, 'gauge'>]: readonly Sample<T[K]['labels']>[];
};

const NOTHING = { add() {}, observe() {} };

/** Counts nothing: where nobody reads it. */
export function silentMeters<T extends MetricTable>(table: T): Meters<T> {
  // `NOTHING` is a counter and a histogram of any labels.
  return Object.fromEntries(Object.keys(table).map(key => [key, NOTHING])) as unknown as Meters<T>;
}

/** The value of a gauge without labels. @param value undefined: it is left out */
export function single(value: number | undefined): readonly Sample<Readonly<Record<never, string>>>[] {
  return value === undefined ? [] : [{ labels: {}, value }];
}

/** The values of a gauge with one label: every value of the label has a sample, so that what is gone is 0. */
export function byLabel<const N extends string, const V extends string>(
  label: N,
  values: readonly V[],
  of: (value: V) => number,
): readonly Sample<{ readonly [K in N]: readonly V[] }>[] {
  // An object of one computed key is typed as an index signature.
  return values.map(value => ({
    labels: { [label]: value } as LabelValues<{ [K in N]: readonly V[] }>,
    value: of(value),
  }));
}
