import type { RealOutcome } from './real/situations.js';
import type { Outcome } from './situations.js';

const COLUMNS = [
  ...['storm', 'agents that come', 'way', 'attempts, mean', 'most', 'dials in the busiest second', 'repeated'],
  ...['refused', 'closed', 'last Ready', 'of floor'],
];

const REAL_COLUMNS = [...COLUMNS, 'CPU of the servers', 'of the agents'];

/** A table of simulated storms. */
export function tableOf(agents: number, outcomes: Iterable<Outcome>): string {
  return table(agents, COLUMNS, [...outcomes].map(cellsOf));
}

/** A table of real storms. */
export function realTableOf(agents: number, outcomes: readonly RealOutcome[]): string {
  return table(agents, REAL_COLUMNS, outcomes.map(realCellsOf));
}

/** A row of such a table. */
export function realRowOf(outcome: RealOutcome): string {
  return line(realCellsOf(outcome));
}

function realCellsOf(outcome: RealOutcome): readonly string[] {
  return [...cellsOf(outcome), seconds(outcome.serverCpuMs), seconds(outcome.agentsCpuMs)];
}

function table(agents: number, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  return [`### ${agents} agents`, '', line(columns), line(columns.map(() => '---')), ...rows.map(line), ''].join('\n');
}

function cellsOf({ situation, way, agents, floorMs, figures }: Outcome): readonly string[] {
  const { attempts, peakDials, repeated, refused, closed, notReady, lastReadyMs } = figures;
  const last =
    notReady > 0 ? [`${notReady} not Ready`, '–'] : [seconds(lastReadyMs), (lastReadyMs / floorMs).toFixed(2)];
  return [
    ...[situation, String(agents), way, attempts.mean.toFixed(1), String(attempts.most), String(peakDials)],
    ...[String(repeated), String(refused), String(closed), ...last],
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
