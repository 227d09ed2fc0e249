import { ALERT_KINDS } from '../../api/words.js';
import { ValueError } from './value-kinds.js';

/**
 * Which alerts are not posted, and until when, in milliseconds since 1970. A key is a subject of an alert, such as
 * `server-down:123456`, or the beginning of some up to a colon: `server-down` is all of the kind.
 */
export type Silences = ReadonlyMap<string, number>;

export const MOST_SILENCES = 100;
const MINUTE_MS = 60_000;

/** @returns the end of the silence that an alert of this subject has now; undefined: it has none */
export function silencedTo(silences: Silences, subject: string, now: number): number | undefined {
  const parts = subject.split(':');
  const ends = parts.map((_, index) => silences.get(parts.slice(0, index + 1).join(':')) ?? 0);
  const end = Math.max(...ends);
  return end > now ? end : undefined;
}

/** Those that are not over. */
export function lasting(silences: Silences, now: number): Silences {
  return new Map([...silences].filter(([, end]) => end > now));
}

/** Ends are kept in whole minutes, and no earlier than they are. */
export function silencesText(silences: Silences): string {
  const minute = (end: number) => new Date(Math.ceil(end / MINUTE_MS) * MINUTE_MS).toISOString().slice(0, 16);
  return [...silences].map(([subject, end]) => `${subject}=${minute(end)}Z`).join(',');
}

/** @throws ValueError */
export function parseSilences(text: string): Silences {
  const silences = new Map<string, number>();
  if (text === '') return silences;
  for (const entry of text.split(',')) {
    const [name = '', end = ''] = entry.trim().split('=');
    const subject = checkedSubject(name);
    const at = /^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/.test(end) ? Date.parse(end) : Number.NaN;
    if (Number.isNaN(at))
      throw new ValueError(`${JSON.stringify(entry.trim())}: an end such as 2026-11-28T14:00Z is allowed`);
    if (silences.has(subject)) throw new ValueError(`${subject} is there twice`);
    silences.set(subject, at);
  }
  if (silences.size > MOST_SILENCES) throw new ValueError(`at most ${MOST_SILENCES} are allowed`);
  return silences;
}

/** @throws ValueError: it is no kind, and no subject of an alert */
export function checkedSubject(text: string): string {
  const [name] = text.split(':');
  if (!ALERT_KINDS.some(kind => kind === name) || !/^[a-z-]+(:[0-9a-f]{1,16}){0,2}$/.test(text)) {
    throw new ValueError(`${JSON.stringify(text)} is none of ${ALERT_KINDS.join(', ')}, and no subject of an alert`);
  }
  return text;
}
