import { reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import { DoctorAnswer, DoctorCommand, LIMITS } from '../../protocol/index.js';
import type { Finding } from '../doctor/finding.js';
import { waitMsOf } from './by-resource.js';
import type { Handler } from './handler.js';

export const handleDoctor: Handler = async (command, { doctor, signal, recall }) => {
  const { hosts } = DoctorCommand.decode(command);
  const limitMs = Math.min(LIMITS.doctorMs, waitMsOf(command) || LIMITS.doctorMs);
  try {
    return { answer: answerOf(await doctor().look(hosts, limitMs, [signal, recall])) };
  } catch (error) {
    return { answer: DoctorAnswer.encode({ findings: [], result: false, details: peerText(reasonOf(error)) }) };
  }
};

function answerOf(findings: readonly Finding[]) {
  const [worst] = findings.toSorted(byLevel);
  return DoctorAnswer.encode({
    findings: bounded(findings).map(({ level, what, found, remedy }) => ({
      level,
      what: short(what),
      found: short(found),
      ...(remedy !== undefined && { remedy: short(remedy) }),
    })),
    result: worst?.level !== 'error',
    details: peerText(detailsOf(worst)),
  });
}

function detailsOf(worst: Finding | undefined): string {
  if (worst === undefined) return 'there was nothing to look at';
  return worst.level === 'ok' ? 'all is well' : `${worst.what}: ${worst.found}`;
}

/** Of too many, the worst. */
function bounded(findings: readonly Finding[]): readonly Finding[] {
  return findings.length <= LIMITS.doctorFindings
    ? findings
    : findings.toSorted(byLevel).slice(0, LIMITS.doctorFindings);
}

const LEVELS = ['error', 'warn', 'ok'] as const satisfies readonly Finding['level'][];

function byLevel(one: Finding, other: Finding): number {
  return LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level);
}

function short(text: string): string {
  return peerText(text, LIMITS.doctorTextLength);
}
