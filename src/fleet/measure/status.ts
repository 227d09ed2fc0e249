import { barText } from '../../program/progress-line.js';
import { timeText } from './expectations.js';
import type { Percentiles } from './histogram.js';
import { type Census, type Measured, readyIn } from './ledger.js';

/** How a fleet is at a moment. */
export interface Status {
  readonly agents: number;
  readonly census: Census;
  readonly measured: Measured;
  /** Links that became Ready in the last second. */
  readonly perSecond: number;
}

/** In one line: a bar, and what fits behind it. The most important comes first. */
export function statusLine({ agents, census, measured, perSecond }: Status, columns: number): string {
  const ready = readyIn(census);
  const parts = [
    `${perSecond.toFixed(0)}/s`,
    ...timesText('to Ready', measured.toReady),
    ...(measured.linksLost > 0 ? [`lost ${measured.linksLost}`] : []),
    ...timesText('gap', measured.gap),
    [...census.ready].map(([host, count]) => `${host}=${count}`).join(' '),
  ].filter(part => part !== '');
  let line = `${barText(ready, agents, 20)} Ready`;
  for (const part of parts) {
    if (line.length + 2 + part.length > columns) break;
    line += `  ${part}`;
  }
  return line.slice(0, Math.max(0, columns));
}

/** Those that are known: an agent that is not Ready yet has no time. */
function timesText(what: string, times: Percentiles | undefined): readonly string[] {
  if (times === undefined) return [];
  return [`${what} p50 ${timeText(times.p50Ms)} p99 ${timeText(times.p99Ms)} max ${timeText(times.maxMs)}`];
}
