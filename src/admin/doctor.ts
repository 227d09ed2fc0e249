import { diagnose } from '../agent/doctor/doctor.js';
import type { Finding } from '../agent/doctor/finding.js';
import type { GivenSettings } from '../agent/doctor/read-context.js';
import type { Clock } from '../lib/clock.js';

export interface DoctorParts {
  readonly clock: Clock;
  /** What the agent's own command line says. */
  readonly given: GivenSettings;
  readonly output: 'table' | 'json';
  out(text: string): void;
}

/** The exit code for the worst finding. */
const EXIT_CODE = { ok: 0, warn: 1, error: 2 } as const;

/**
 * Prints what the checks of an agent's folder find: in a table as they go, in JSON at the end.
 * @returns the exit code: 0 when all is well, 1 for warnings, 2 for errors
 */
export async function showDoctor(folder: string, { clock, given, output, out }: DoctorParts): Promise<number> {
  const findings: Finding[] = [];
  for await (const finding of diagnose(folder, { clock, given })) {
    findings.push(finding);
    if (output === 'table') out(findingText(finding));
  }
  if (output === 'json') out(`${JSON.stringify(findings, null, 2)}\n`);
  return Math.max(...findings.map(({ level }) => EXIT_CODE[level]));
}

/** A line for what was found, and one for what to do about it. */
export function findingText({ level, what, found, remedy }: Finding): string {
  return `${level.toUpperCase().padEnd(5)} ${what}: ${found}\n${remedy === undefined ? '' : `      → ${remedy}\n`}`;
}
