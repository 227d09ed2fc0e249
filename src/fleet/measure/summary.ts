import type { Verdict } from './expectations.js';
import type { Percentiles } from './histogram.js';
import { type Census, type Measured, readyIn } from './ledger.js';

export interface SummaryInput {
  readonly version: string;
  /** Of the start, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly elapsedMs: number;
  readonly agents: number;
  readonly census: Census;
  readonly measured: Measured;
  readonly unknownCommands: ReadonlyMap<string, number>;
  readonly faults: readonly {
    readonly atMs: number;
    readonly forMs: number;
    readonly text: string;
    readonly agents: number | undefined;
  }[];
  readonly verdicts: readonly Verdict[];
}

/** What was found, for programs. Times are in milliseconds; null is a time without an end. */
export function summaryOf(input: SummaryInput): object {
  const { census, measured, elapsedMs, verdicts } = input;
  return {
    version: input.version,
    started: new Date(input.startedAt).toISOString(),
    durationMs: Math.round(elapsedMs),
    agents: {
      configured: input.agents,
      ready: readyIn(census),
      notReady: census.notReady,
      away: census.away,
    },
    servers: Object.fromEntries(census.ready),
    rampHeldMs: Math.round(measured.rampHeldMs),
    dials: measured.dials,
    connects: {
      count: measured.connects,
      moves: measured.moves,
      perSecond: Math.round(measured.connectsPerSecond * 10) / 10,
    },
    linksLost: measured.linksLost,
    toReady: timesOf(measured.toReady),
    gap: timesOf(measured.gap),
    faults: input.faults.map(({ atMs, forMs, text, agents }) => ({
      ...{ atMs: Math.round(atMs), forMs, fault: text },
      ...(agents !== undefined && { agents }),
    })),
    unknownCommands: Object.fromEntries(input.unknownCommands),
    expectations: verdicts.map(({ key, text, found, isMet }) => ({ expect: `${key}=${text}`, found, isMet })),
    isMet: verdicts.every(({ isMet }) => isMet),
  };
}

function timesOf(times: Percentiles | undefined): object | null {
  if (times === undefined) return null;
  const { count, p50Ms, p99Ms, maxMs } = times;
  const of = (ms: number) => (Number.isFinite(ms) ? Math.round(ms * 10) / 10 : null);
  return { count, p50Ms: of(p50Ms), p99Ms: of(p99Ms), maxMs: of(maxMs) };
}
