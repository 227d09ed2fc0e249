import { peerText, peerTextIn } from '../../lib/text/peer-text.js';
import { DoctorAnswer, LIMITS, type Message, ProtocolError } from '../../protocol/index.js';
import type { CommandOutcome } from './outcome.js';

/** What an agent has found, looking at itself or at servers. All of it is within the bounds of a peer's text. */
export interface Diagnosis {
  /** No finding is an error. */
  readonly result: boolean;
  /** The worst finding, or that all is well. */
  readonly details: string;
  readonly findings: readonly PeerFinding[];
}

export interface PeerFinding {
  readonly level: 'ok' | 'warn' | 'error';
  readonly what: string;
  readonly found: string;
  readonly remedy?: string;
}

/** @returns why there is no diagnosis, if there is none */
export function diagnosisOf(outcome: CommandOutcome): Diagnosis | { readonly none: string } {
  switch (outcome.kind) {
    case 'answered':
      return readAnswer(outcome.messages);
    case 'unsupported':
      return { none: 'its agent does not know this: it is one of CloudStack, or of an earlier Muster' };
    case 'refused':
    case 'cancelled':
    case 'unknown':
      return { none: outcome.reason };
  }
}

function readAnswer([message]: readonly Message[]): Diagnosis | { readonly none: string } {
  if (message === undefined) return { none: 'the agent has answered nothing' };
  if (!DoctorAnswer.is(message)) {
    return { none: `the agent says: ${peerTextIn(message.fields.details) ?? 'no'}` };
  }
  try {
    const { result, details = '', findings = [] } = DoctorAnswer.decode(message);
    const few = findings.slice(0, LIMITS.doctorFindings).map(({ level, what = '', found = '', remedy }) => ({
      level: levelOf(level),
      what: textOf(what),
      found: textOf(found),
      ...(remedy !== undefined && { remedy: textOf(remedy) }),
    }));
    return { result, details: peerText(details), findings: few };
  } catch (error) {
    if (error instanceof ProtocolError) return { none: `the answer cannot be read: ${peerText(error.message)}` };
    throw error;
  }
}

function levelOf(text: string | undefined): PeerFinding['level'] {
  return text === 'ok' || text === 'warn' ? text : 'error';
}

function textOf(text: string): string {
  return peerText(text, LIMITS.doctorTextLength);
}
