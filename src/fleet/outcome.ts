import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigError, reasonOf } from '../lib/errors.js';
import { writeFileAtomic } from '../lib/files/atomic-file.js';
import { VERSION } from '../lib/version.js';
import type { FaultRecord } from './faults/fault-desk.js';
import { type Findings, judged, type Verdict } from './measure/expectations.js';
import { junitOf } from './measure/junit.js';
import { readyIn } from './measure/ledger.js';
import { plotOf } from './measure/plot.js';
import type { Sample } from './measure/samples.js';
import type { Status } from './measure/status.js';
import { summaryOf } from './measure/summary.js';
import type { FleetSettings } from './settings.js';

/** What is known at the end of a run. */
export interface Run {
  readonly settings: FleetSettings;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly elapsedMs: number;
  readonly status: Status;
  readonly samples: readonly Sample[];
  readonly faults: readonly FaultRecord[];
  readonly unknownCommands: ReadonlyMap<string, number>;
}

/** What became of the expectations. */
export function verdictsOf({ settings, status, unknownCommands }: Run): readonly Verdict[] {
  const { agents, census, measured } = status;
  const findings: Findings = {
    ...measured,
    agents,
    ready: readyIn(census),
    unknownCommands: [...unknownCommands.values()].reduce((sum, count) => sum + count, 0),
  };
  return judged(settings.expectations, findings);
}

/** Looks, before anything is begun, whether the files can be written at its end, each for itself. @throws ConfigError */
export async function ensureWritable(files: FleetSettings['files']): Promise<void> {
  const keys = new Map<string, string>();
  for (const [key, path] of Object.entries(files)) {
    if (path === undefined) continue;
    const wrong = (reason: string, cause?: unknown) => new ConfigError(key, path, reason, { cause });
    const [folder, own] = [dirname(path), await stat(path).catch(() => undefined)];
    if (own?.isDirectory()) throw wrong('it is a folder: a file is needed');
    await access(folder, constants.W_OK).catch(cause => {
      throw wrong(`the folder ${folder} cannot be written: ${reasonOf(cause)}`, cause);
    });
    // The same file has many names.
    const target = own === undefined ? join(await realpath(folder), basename(path)) : await realpath(path);
    const other = keys.get(target);
    if (other !== undefined) throw wrong(`it is the file of ${other} as well: each needs one of its own`);
    keys.set(target, key);
  }
}

/** A file that the settings want and that could not be written. */
export interface Unwritten {
  readonly key: keyof FleetSettings['files'];
  readonly path: string;
  readonly reason: string;
}

/** Writes the files that the settings want, each whatever becomes of the others. @returns those that it could not write */
export async function writeOutcome(run: Run, verdicts: readonly Verdict[]): Promise<readonly Unwritten[]> {
  const { summary, junit, plot } = run.settings.files;
  const wanted = [
    ['summary', summary, () => summaryText(run, verdicts)],
    ['junit', junit, () => junitOf(verdicts, run.elapsedMs / 1_000)],
    ['plot', plot, () => pictureOf(run)],
  ] as const;
  const unwritten: Unwritten[] = [];
  for (const [key, path, textOf] of wanted) {
    if (path === undefined) continue;
    try {
      await writeFileAtomic(path, textOf(), { mode: 0o644 });
    } catch (error) {
      unwritten.push({ key, path, reason: reasonOf(error) });
    }
  }
  return unwritten;
}

function summaryText({ status, ...run }: Run, verdicts: readonly Verdict[]): string {
  const { agents, census, measured } = status;
  return `${JSON.stringify(summaryOf({ version: VERSION, ...run, agents, census, measured, verdicts }), undefined, 2)}\n`;
}

function pictureOf({ settings, elapsedMs, samples, faults }: Run): string {
  const servers = [...new Set(samples.flatMap(({ ready }) => [...ready.keys()]))].sort();
  return plotOf({
    title: `${settings.agentCount} agents, ${(elapsedMs / 1_000).toFixed(0)} s`,
    startMs: 0,
    endMs: Math.max(elapsedMs, 1),
    servers,
    agents: settings.agentCount,
    samples,
    faults: faults.map(({ atMs, forMs, fault }) => ({
      ...{ at: atMs, ms: forMs, kind: fault.kind },
      target: 'who' in fault ? 'agents' : (fault.server ?? 'all servers'),
    })),
  });
}
