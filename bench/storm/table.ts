import type { Outcome } from './situations.js';

const COLUMNS = [
  ...['storm', 'agents that come', 'way', 'attempts, mean', 'most', 'dials in the busiest second', 'repeated'],
  ...['refused', 'closed', 'last Ready', 'of floor'],
];

export function headOf(agents: number): string {
  return [`### ${agents} agents`, '', line(COLUMNS), line(COLUMNS.map(() => '---'))].join('\n');
}

export function rowOf({ situation, way, agents, floorMs, figures }: Outcome): string {
  const { attempts, peakDials, repeated, refused, closed, notReady, lastReadyMs } = figures;
  const last =
    notReady > 0 ? [`${notReady} not Ready`, '–'] : [seconds(lastReadyMs), (lastReadyMs / floorMs).toFixed(2)];
  return line([
    ...[situation, String(agents), way, attempts.mean.toFixed(1), String(attempts.most), String(peakDials)],
    ...[String(repeated), String(refused), String(closed), ...last],
  ]);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
