/** The labels of a metric: the values that each can have, or, in words, what bounds them. */
export type Labels = Readonly<Record<string, readonly string[] | string>>;

/** One metric, as `docs/metrics.md` shows it. */
export interface Metric {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** As Prometheus has it; of a histogram, without `_bucket`, `_sum` and `_count`. */
  readonly name: string;
  /** What it means, without a full stop. */
  readonly help: string;
  /** Of its value, in words. */
  readonly unit: string;
  readonly labels: Labels;
  /** Upper bounds, ascending. */
  readonly buckets?: readonly number[];
  readonly alert: Alert;
}

/** When somebody is to be told. */
export interface Alert {
  /** In PromQL. */
  readonly when: string;
  /** What it then means, or what is to be done. */
  readonly means: string;
}

/** Metrics by the names that the program uses. */
export type MetricTable = Readonly<Record<string, Metric>>;

type Declared<L extends Labels> = Omit<Metric, 'kind' | 'labels' | 'buckets'> & { readonly labels: L };
type DeclaredHistogram<L extends Labels> = Declared<L> & { readonly buckets: readonly number[] };

/** Something that only grows while the process lives. */
export function counter<const L extends Labels>(metric: Declared<L>) {
  return { kind: 'counter', ...metric } as const;
}

/** Something that is read when it is asked for. */
export function gauge<const L extends Labels>(metric: Declared<L>) {
  return { kind: 'gauge', ...metric } as const;
}

/** Amounts, counted by how large they are. */
export function histogram<const L extends Labels>(metric: DeclaredHistogram<L>) {
  return { kind: 'histogram', ...metric } as const;
}
