import { createHash } from 'node:crypto';

/** What the journal says, one line each, in the order in which it happened. */
export type JournalRecord =
  /** The commands with this id are about to be carried out. */
  | { readonly kind: 'started'; readonly id: string }
  /** Their answers, as the text of a body. */
  | { readonly kind: 'finished'; readonly id: string; readonly answers: string }
  | { readonly kind: 'unknown'; readonly id: string; readonly why: string }
  /** A server has their outcome. */
  | { readonly kind: 'confirmed'; readonly id: string }
  /** Ids were forgotten that may come again until then: milliseconds since 1970. */
  | { readonly kind: 'forgotten'; readonly until: number };

/** What was read from a journal. */
export interface ReadJournal {
  readonly records: readonly JournalRecord[];
  /** Its last lines were not written to their end: what they said had not taken effect. */
  readonly isTorn: boolean;
  /** Lines in its middle cannot be read: what they said is lost. */
  readonly isDamaged: boolean;
}

const CHECKSUM_CHARACTERS = 8;

/** The first line says which form the others have. A later version raises it when older ones cannot read it. */
const FORM = 1;
const HEADER = lineOf(`{"journal":${FORM}}`);

/** The whole file. */
export function encodeJournal(records: Iterable<JournalRecord>): Buffer {
  let text = HEADER;
  for (const record of records) text += encodeRecord(record);
  return Buffer.from(text);
}

/** A line: a checksum, and the record as JSON. */
export function encodeRecord(record: JournalRecord): string {
  switch (record.kind) {
    case 'finished':
      return lineOf(`${finishedPrefix(record.id)}${record.answers}}`);
    case 'unknown':
      return lineOf(JSON.stringify({ unknown: record.id, why: record.why }));
    case 'forgotten':
      return lineOf(JSON.stringify({ forgotten: record.until }));
    case 'started':
    case 'confirmed':
      return lineOf(JSON.stringify({ [record.kind]: record.id }));
  }
}

/** @throws Error when a later version of this program has written the file */
export function decodeJournal(bytes: Buffer): ReadJournal {
  const lines = bytes.toString('utf8').split('\n');
  // Behind the last line end is nothing, or a line that was not written to its end.
  const rest = lines.pop();
  const records: JournalRecord[] = [];
  let hasHeader = false;
  let isDamaged = false;
  let unreadable = 0;
  for (const line of lines) {
    const json = jsonOf(line);
    const record = json === undefined ? undefined : recordOf(json);
    if (record === undefined) {
      unreadable++;
      continue;
    }
    // A line is written when all lines before it are on disk.
    if (unreadable > 0) isDamaged = true;
    unreadable = 0;
    if (record.kind === 'header') hasHeader = true;
    else records.push(record);
  }
  return { records, isTorn: unreadable > 0 || rest !== '', isDamaged: isDamaged || !hasHeader };
}

function lineOf(json: string): string {
  return `${checksumOf(json)} ${json}\n`;
}

function checksumOf(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, CHECKSUM_CHARACTERS);
}

/** @returns undefined for a line that is not as it was written */
function jsonOf(line: string): string | undefined {
  const json = line.slice(CHECKSUM_CHARACTERS + 1);
  return line.slice(0, CHECKSUM_CHARACTERS) === checksumOf(json) ? json : undefined;
}

function finishedPrefix(id: string): string {
  return `{"finished":${JSON.stringify(id)},"answers":`;
}

/** Reads what has the right checksum, and so is what a version of this program has written. */
function recordOf(json: string): JournalRecord | { readonly kind: 'header' } | undefined {
  const value: Readonly<Record<string, unknown>> = JSON.parse(json);
  const { journal, started, finished, unknown, why, confirmed, forgotten } = value;
  if (typeof journal === 'number') {
    if (journal > FORM) throw new Error('a later version of the agent has written it');
    return { kind: 'header' };
  }
  if (typeof started === 'string') return { kind: 'started', id: started };
  if (typeof finished === 'string') {
    // The text as it is: what JSON.parse makes of numbers may be other ones.
    return { kind: 'finished', id: finished, answers: json.slice(finishedPrefix(finished).length, -1) };
  }
  if (typeof unknown === 'string' && typeof why === 'string') return { kind: 'unknown', id: unknown, why };
  if (typeof confirmed === 'string') return { kind: 'confirmed', id: confirmed };
  return typeof forgotten === 'number' ? { kind: 'forgotten', until: forgotten } : undefined;
}
