import { isLosslessNumber, LosslessNumber, parse, stringify } from 'lossless-json';
import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

/** Finds a number that `JSON.parse` may change. Strings that look like one are found as well, which only costs time. */
const DELICATE_NUMBER = /(?:^|[[,:])[ \t\r\n]*-?(?:0(?<=-0)|\d{16}|\d+[.eE])/;

/**
 * Parses the JSON of a body without losses. An integer beyond 2^53 becomes a bigint. A number that JavaScript would
 * print differently (1.0, 1e3, -0) becomes a `LosslessNumber` with its text. Objects have no prototype, so that a
 * peer's text never changes what an object inherits.
 * @example
 * decodeJson('[{"id":9007199254740993}]'); // [{ id: 9007199254740993n }]
 * @throws ProtocolError BODY_JSON, BODY_TOO_LARGE
 */
export function decodeJson(text: string): unknown {
  if (hasMoreValues(text, LIMITS.bodyValues)) {
    throw new ProtocolError('BODY_TOO_LARGE', 'the body has too many values', { limit: LIMITS.bodyValues });
  }
  const delicate = DELICATE_NUMBER.test(text);
  if (delicate && text.length > LIMITS.losslessCharacters) {
    throw new ProtocolError('BODY_TOO_LARGE', 'the body is too large for its numbers', { length: text.length });
  }
  let value: unknown;
  try {
    value = delicate ? parse(text, null, PARSE_OPTIONS) : JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError('BODY_JSON', 'the body is not JSON', { length: text.length }, { cause });
  }
  dropPrototypes(value, 0);
  return value;
}

/**
 * Counts `[`, `{` and `,`: one of them stands before each value but the first. Those in strings are counted as well.
 */
function hasMoreValues(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if ((c === 0x2c || c === 0x5b || c === 0x7b) && ++count > limit) return true;
  }
  return false;
}

const PARSE_OPTIONS = {
  parseNumber(text: string): number | bigint | LosslessNumber {
    const number = Number(text);
    if (/^-?[1-9]\d*$/.test(text)) return Number.isSafeInteger(number) ? number : BigInt(text);
    return String(number) === text ? number : new LosslessNumber(text);
  },
  // The last one counts, as with JSON.parse and Gson.
  onDuplicateKey: ({ newValue }: { newValue: unknown }) => newValue,
};

/** The characters that Gson escapes. */
const JAVA_ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '=': '\\u003d',
  "'": '\\u0027',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/**
 * Writes JSON as Gson does, with its escapes. Fields that are `undefined` are left out, as Gson leaves out nulls.
 * @example
 * encodeJson([{ name: 'a=b' }]); // '[{"name":"a\\u003db"}]'
 */
export function encodeJson(value: unknown): string {
  // Outside of strings JSON has none of these characters, so the whole text can be escaped at once.
  return (stringify(value) ?? 'null').replace(/[<>&='\u2028\u2029]/g, c => JAVA_ESCAPES[c] ?? c);
}

/** Changes the objects in place: copies without a prototype would take four times the memory. */
function dropPrototypes(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || isLosslessNumber(value)) return;
  if (depth >= LIMITS.bodyDepth) {
    throw new ProtocolError('BODY_JSON', 'the body nests too deep', { limit: LIMITS.bodyDepth });
  }
  for (const item of Array.isArray(value) ? value : Object.values(value)) dropPrototypes(item, depth + 1);
  if (!Array.isArray(value)) Object.setPrototypeOf(value, null);
}
