import type { Clock, Timer } from '../lib/clock.js';
import type { Log } from '../lib/logger.js';
import type { Ledger } from './measure/ledger.js';
import { type Count, perSecond, withCount } from './measure/rate.js';
import { type Sample, withSample } from './measure/samples.js';
import type { Status } from './measure/status.js';

export interface ReporterParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  readonly intervalMs: number;
  /** A change is logged. */
  readonly isLogged: boolean;
}

/** Looks at the agents at intervals: logs what has changed, and keeps samples for a picture. */
export class Reporter {
  readonly #parts: ReporterParts;
  readonly #startedAt: number;
  #samples: readonly Sample[] = [];
  #last = '';
  /** Links that became Ready. */
  #connects: readonly Count[];
  #timer: Timer | undefined;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.now();
    this.#connects = [{ at: this.#startedAt, count: 0 }];
  }

  start(): void {
    const { clock, intervalMs } = this.#parts;
    this.#look();
    this.#timer = clock.after(intervalMs, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#look();
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Since the start. */
  get elapsedMs(): number {
    return this.#parts.clock.now() - this.#startedAt;
  }

  status(): Status {
    const { ledger, clock } = this.#parts;
    const { agents, census } = ledger;
    return { agents, census, measured: ledger.measured(clock.now()), perSecond: this.#rate() };
  }

  #rate(): number {
    const { ledger, clock } = this.#parts;
    this.#connects = withCount(this.#connects, { at: clock.now(), count: ledger.connects });
    return perSecond(this.#connects);
  }

  #look(): void {
    const { ledger, clock, log, isLogged } = this.#parts;
    const now = clock.now();
    const rate = this.#rate();
    const { ready, notReady, away, linksLost } = ledger.census;
    this.#samples = withSample(this.#samples, { at: now - this.#startedAt, ready, without: notReady });
    const hosts = [...ready].map(([host, count]) => `${host}=${count}`);
    const report = JSON.stringify([hosts, notReady, away, linksLost]);
    if (report === this.#last) return;
    this.#last = report;
    if (!isLogged) return;
    const { toReady, gap } = ledger.measured(now);
    log.info('Agents', {
      ...{ ready: ledger.readyCount, notReady, linksLost, hosts },
      away: away > 0 ? away : undefined,
      perSecond: Math.round(rate),
      readyP50Ms: rounded(toReady?.p50Ms),
      readyP99Ms: rounded(toReady?.p99Ms),
      readyMaxMs: rounded(toReady?.maxMs),
      gapP50Ms: rounded(gap?.p50Ms),
      gapP99Ms: rounded(gap?.p99Ms),
      gapMaxMs: rounded(gap?.maxMs),
    });
  }
}

/** Without a time that has no end. */
function rounded(ms: number | undefined): number | undefined {
  return ms === undefined || !Number.isFinite(ms) ? undefined : Math.round(ms);
}
