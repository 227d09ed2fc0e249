import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Meters, Readings } from './meters.js';
import type { Labels, MetricTable } from './metric.js';

/** The labels of a sample, as prom-client takes them. */
type PlainLabels = Record<string, string>;

/**
 * What one server or agent counts, as Prometheus reads it. Each has one of its own: several may live in one process.
 * @example
 * const metrics = new PrometheusMetrics(NODE_METRICS);
 * const node = composeNode({ ...parts, meters: metrics.meters });
 * console.log(await metrics.text(await node.readings()));
 */
export class PrometheusMetrics<T extends MetricTable> {
  /** What the program counts with. */
  readonly meters: Meters<T>;
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();

  constructor(table: T) {
    const registers = [this.#registry];
    const meters = Object.entries(table).map(([key, { kind, name, help, labels, buckets = [] }]) => {
      const about = { name, help, labelNames: Object.keys(labels), registers };
      if (kind === 'gauge') {
        this.#gauges.set(key, new Gauge(about));
        return [key, undefined];
      }
      if (kind === 'counter') {
        const counter = new Counter(about);
        for (const values of combinations(labels)) counter.inc(values, 0);
        return [key, { add: (values: PlainLabels, by = 1) => counter.inc(values, by) }];
      }
      const histogram = new Histogram({ ...about, buckets: [...buckets] });
      for (const values of combinations(labels)) histogram.zero(values);
      return [key, { observe: (values: PlainLabels, value: number) => histogram.observe(values, value) }];
    });
    // By the kinds of the table, each of its counters and histograms has one.
    this.meters = Object.fromEntries(meters) as Meters<T>;
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in Prometheus's text format. @param readings what the gauges are now */
  text(readings: Readings<T>): Promise<string> {
    const samplesOf = new Map<string, readonly { labels: PlainLabels; value: number }[]>(Object.entries(readings));
    for (const [key, gauge] of this.#gauges) {
      gauge.reset();
      // A gauge without labels is 0 after `reset`: without a value it is left out.
      gauge.remove({});
      for (const { labels, value } of samplesOf.get(key) ?? []) gauge.set(labels, value);
    }
    return this.#registry.metrics();
  }
}

/**
 * Each combination of the values that the labels can have; none when a label has no closed set of them. They are shown from
 * the start: for Prometheus a series that begins with 3,000 has not increased.
 */
function combinations(labels: Labels): readonly PlainLabels[] {
  let all: readonly PlainLabels[] = [{}];
  for (const [name, values] of Object.entries(labels)) {
    if (typeof values === 'string') return [];
    all = all.flatMap(others => values.map(value => ({ ...others, [name]: value })));
  }
  return all;
}
