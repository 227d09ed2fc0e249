import { cpus } from 'node:os';
import { plotOf } from '../../src/fleet/measure/plot.js';
import { footprintsOf } from './footprint.js';
import { type CauseSummary, summaryOf } from './gaps.js';
import type { RunResult } from './run.js';
import type { World } from './world.js';

/** The picture begins so long before the faults. */
const LEAD_MS = 2_000;

/** What a run was like, for people. */
export function reportOf(
  world: World,
  { faults, skipped, startMs, stopMs, endMs, broken, isInterrupted }: RunResult,
): string {
  const counts = new Map<string, number>();
  for (const { kind, target } of faults) {
    const what = `${kind} ${target.replace(/-\d+$/, '')}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const done = [...counts].sort().map(([what, count]) => `${count} × ${what}`);
  const failures = [...world.problems, ...broken];
  return [
    '',
    `What was done: ${done.join(', ')}`,
    ...(skipped.length > 0
      ? [`*** NOT done, because this machine or store does not have it: ${skipped.join(', ')}`]
      : []),
    isInterrupted
      ? `Interrupted ${secondsText(endMs - startMs)} after the faults had begun`
      : `${broken.length > 0 ? 'NOT all' : 'All'} was well ${((endMs - stopMs) / 1_000).toFixed(1)} s after the faults had stopped`,
    '',
    'Without a Ready link of use, by the fault that began it:',
    ...table([['cause', 'times', 'median', 'p99', 'longest'], ...summaryOf(world.ledger.all).map(row)]),
    '',
    ...footprintTable(world),
    ...failures.map(failure => `FAILED  ${failure}`),
    ...(failures.length === 0 && !isInterrupted ? ['All held.'] : []),
  ].join('\n');
}

function footprintTable({ footprints }: World): readonly string[] {
  const all = footprintsOf(footprints);
  if (all.length === 0) return [];
  const rows = all.map(({ name, minutes, bytes, descriptors, isFlat }) => [
    ...[name, minutes.toFixed(1), ...bytes.map(megabytes), ...descriptors.map(String), isFlat ? 'yes' : 'NO'],
  ]);
  const head = ['process', 'minutes', 'MB early', 'MB late', 'files early', 'files late', 'flat'];
  return ['Memory, and open files and sockets, of each process that was not killed:', ...table([head, ...rows]), ''];
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

export function plotOfRun(world: World, title: string, { faults, startMs, stopMs, endMs }: RunResult): string {
  return plotOf({
    title,
    startMs: Math.max(0, startMs - LEAD_MS),
    endMs,
    stopMs,
    servers: world.hosts,
    agents: world.agents.names.length,
    samples: world.ledger.samples,
    faults,
  });
}

/** For machines. */
export function recordOf(world: World, seed: number, result: RunResult): object {
  return {
    seed,
    store: world.options.store,
    machine: machineText(),
    ...result,
    problems: world.problems,
    summary: summaryOf(world.ledger.all),
    gaps: world.ledger.all,
    footprints: footprintsOf(world.footprints),
  };
}

export function machineText(): string {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim() ?? 'unknown'}, Node ${process.versions.node}`;
}

function row({ cause, count, medianMs, p99Ms, maxMs }: CauseSummary): readonly string[] {
  return [cause, String(count), ...[medianMs, p99Ms, maxMs].map(secondsText)];
}

export function secondsText(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1_000).toFixed(2)} s` : 'no end';
}

/** In columns: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(cells => cells[column]?.length ?? 0)));
  return rows.map(
    cells =>
      `  ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`,
  );
}
