import { barText } from '../../program/progress-line.js';
import { timeText } from './expectations.js';
import type { Percentiles } from './histogram.js';
import { type Census, type Measured, readyIn } from './ledger.js';

/** How a fleet is at a moment. */
export interface Status {
  readonly agents: number;
  readonly census: Census;
  readonly measured: Measured;
  /** Links that became Ready in a second, in the last three. */
  readonly perSecond: number;
}

/** Characters of the bar; on a narrow screen it gives way to the times. */
const BAR_WIDTHS = [20, 10, 0];

/**
 * In one line: how many are Ready, the times until they were, and what fits behind them. The most important comes first; what
 * does not fit beside the times is made shorter: the bar, then the maximum, then the links a second.
 */
export function statusLine({ agents, census, measured, perSecond }: Status, columns: number): string {
  const ready = readyIn(census);
  const heads = BAR_WIDTHS.map(width => `${width > 0 ? barText(ready, agents, width) : `${ready}/${agents}`} Ready`);
  const rate = `${perSecond.toFixed(perSecond > 0 && perSecond < 10 ? 1 : 0)}/s`;
  const [whole, short] = [timesText('to Ready', measured.toReady), timesText('to Ready', measured.toReady, false)];
  const layouts = [
    ...heads.map(head => [head, rate, ...whole]),
    ...[rate, undefined].map(text => [heads.at(-1), text, ...short]),
  ].map(parts => parts.filter(part => part !== undefined).join(GAP));
  let line = layouts.find(({ length }) => length <= columns) ?? heads.at(-1) ?? '';
  const others = [
    ...(measured.linksLost > 0 ? [`lost ${measured.linksLost}`] : []),
    ...timesText('gap', measured.gap),
    [...census.ready].map(([host, count]) => `${host}=${count}`).join(' '),
  ].filter(part => part !== '');
  for (const part of others) {
    if (line.length + GAP.length + part.length > columns) break;
    line += `${GAP}${part}`;
  }
  return line.slice(0, Math.max(0, columns));
}

const GAP = '  ';

/** Those that are known: of an agent that is not Ready yet there is no time, and `-` stands for what it would be in. */
function timesText(what: string, times: Percentiles | undefined, hasMax = true): readonly string[] {
  if (times === undefined || !Number.isFinite(times.p50Ms)) return [];
  const text = (ms: number) => (Number.isFinite(ms) ? timeText(ms) : '-');
  const max = hasMax ? ` max ${text(times.maxMs)}` : '';
  return [`${what} p50 ${text(times.p50Ms)} p99 ${text(times.p99Ms)}${max}`];
}
