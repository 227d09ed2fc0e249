import { peerText } from '../../lib/text/peer-text.js';
import { encodeJson, type Message } from '../../protocol/index.js';
import type { NewCommandOutcome } from '../store/store.js';
import type { CommandOutcome } from './outcome.js';

/** Answers of one host that are kept whole, in characters. */
const MOST_ANSWER_LENGTH = 65_536;
/** What is kept of each text in the answers when they are more: the first of these with which they fit. */
const TEXT_LENGTHS = [16_384, 4_096, 1_024, 256] as const;
/** And when they fit with none of them. */
const MOST_DETAILS = 4_096;

export interface OutcomeOf {
  readonly hostId: number;
  readonly durationMs: number | null;
  readonly msid: number | null;
}

/** An outcome as the store keeps it. Pure. */
export function storedOutcome(outcome: CommandOutcome, { hostId, durationMs, msid }: OutcomeOf): NewCommandOutcome {
  const { kind } = outcome;
  const about = { hostId, kind, durationMs, msid };
  if (kind !== 'answered' && kind !== 'unsupported') {
    const none = { isGood: null, answers: null, isTruncated: false };
    return { ...about, ...none, reason: peerText(outcome.reason) };
  }
  const { messages } = outcome;
  const isGood = kind === 'answered' && messages.length > 0 && messages.every(({ fields }) => fields.result !== false);
  return { ...about, isGood, reason: reasonIn(messages), ...kept(messages) };
}

/** Whether nothing is amiss. */
export function isWell({ kind, isGood }: Pick<NewCommandOutcome, 'kind' | 'isGood'>): boolean {
  return kind === 'answered' && isGood === true;
}

/** What the first answer that is not good says. */
function reasonIn(messages: readonly Message[]): string | null {
  const details = messages.find(({ fields }) => fields.result === false)?.fields.details;
  return typeof details === 'string' && details !== '' ? peerText(details) : null;
}

function kept(messages: readonly Message[]): Pick<NewCommandOutcome, 'answers' | 'isTruncated'> {
  const whole = textOf(messages);
  if (whole !== undefined && whole.length <= MOST_ANSWER_LENGTH) return { answers: whole, isTruncated: false };
  for (const length of TEXT_LENGTHS) {
    const text = textOf(messages.map(({ type, fields }) => ({ type, fields: withShortTexts(fields, length) })));
    if (text !== undefined && text.length <= MOST_ANSWER_LENGTH) return { answers: text, isTruncated: true };
  }
  const short = messages.map(({ type, fields: { result, details } }) => ({
    type,
    fields: {
      ...(typeof result === 'boolean' && { result }),
      ...(typeof details === 'string' && { details: details.slice(0, MOST_DETAILS) }),
    },
  }));
  const text = textOf(short);
  return { answers: text !== undefined && text.length <= MOST_ANSWER_LENGTH ? text : null, isTruncated: true };
}

/** The fields with each text of their own cut to a length. Texts deeper in them stay: what is in them may be cut nowhere. */
function withShortTexts(fields: Message['fields'], length: number): Message['fields'] {
  const short = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.slice(0, length) : value,
  ]);
  return Object.fromEntries(short);
}

/** @returns undefined for what JSON cannot represent */
function textOf(messages: readonly Message[]): string | undefined {
  try {
    return encodeJson(messages.map(({ type, fields }) => ({ [type]: fields })));
  } catch {
    return undefined;
  }
}
