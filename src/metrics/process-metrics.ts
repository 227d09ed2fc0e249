import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../lib/clock.js';
import { VERSION } from '../lib/version.js';
import { byLabel, type Readings, single } from './meters.js';
import { gauge } from './metric.js';

const MEMORY_KINDS = ['rss', 'heapTotal', 'heapUsed', 'external'] as const;
const LAG_POINTS = ['median', 'p99', 'max'] as const;

/** What every process of Muster shows of itself. */
export const PROCESS_METRICS = {
  build: gauge({
    name: 'muster_build_info',
    help: 'Always 1: its label tells the version',
    unit: '1',
    labels: { version: 'of the program: one' },
    alert: {
      when: 'count(count by (version) (muster_build_info)) > 1',
      means: 'For more than a day: an upgrade was not finished.',
    },
  }),
  startTime: gauge({
    name: 'process_start_time_seconds',
    help: 'When the process has started',
    unit: 'seconds since 1970',
    labels: {},
    alert: {
      when: 'changes(process_start_time_seconds[1h]) > 2',
      means: 'The process is started again and again: its log says why it ends.',
    },
  }),
  memory: gauge({
    name: 'muster_memory_bytes',
    help: 'Memory of the process: all that is resident, and the parts of it that V8 counts',
    unit: 'bytes',
    labels: { kind: MEMORY_KINDS },
    alert: {
      when: 'deriv(muster_memory_bytes{kind="rss"}[6h]) > 10e6 / 3600',
      means: 'It grows by more than 10 MB an hour: report it, with the number of agents.',
    },
  }),
  eventLoopLag: gauge({
    name: 'muster_event_loop_lag_seconds',
    help: 'How late the event loop came to its timers since the last scrape: the median, 99 of 100, and the latest',
    unit: 'seconds',
    labels: { at: LAG_POINTS },
    alert: {
      when: 'muster_event_loop_lag_seconds{at="p99"} > 0.5',
      means: 'For 5 minutes: the machine is too small for what it does, or a resource works in one piece.',
    },
  }),
} as const;

/** How often the event loop is looked at. */
const LAG_RESOLUTION_MS = 20;

/** Measures this process, from its making to its end. */
export class ProcessMetrics {
  readonly #startTime: number;
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });

  constructor(clock: Clock) {
    this.#startTime = clock.wallTime() / 1_000;
    this.#lag.enable();
  }

  /** The lag counts from the reading before. */
  read(): Readings<typeof PROCESS_METRICS> {
    const memory = process.memoryUsage();
    const lag = this.#lag;
    // It measures from timer to timer.
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - LAG_RESOLUTION_MS / 1e3);
    const lags = { median: lag.percentile(50), p99: lag.percentile(99), max: lag.max } as const;
    const readings = {
      build: [{ labels: { version: VERSION }, value: 1 }],
      startTime: single(this.#startTime),
      memory: byLabel('kind', MEMORY_KINDS, kind => memory[kind]),
      eventLoopLag: lag.count === 0 ? [] : byLabel('at', LAG_POINTS, at => late(lags[at])),
    };
    lag.reset();
    return readings;
  }

  stop(): void {
    this.#lag.disable();
  }
}
