import { isLosslessNumber, LosslessNumber, parse, stringify } from 'lossless-json';
import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

/**
 * JSON as Gson writes it, without losses: integers beyond 2^53 become bigint, and a number that JavaScript would print
 * differently (1.0, 1e3, -0) keeps its text. Objects have no prototype, so no field of a peer's can be inherited.
 */

/** Some number in the text may be one that `JSON.parse` would change. Text in strings only makes it say yes too often. */
const DELICATE_NUMBER = /(?:^|[[,:])[ \t\r\n]*-?(?:0(?<=-0)|\d{16}|\d+[.eE])/;

/** @throws ProtocolError BODY_JSON, BODY_TOO_LARGE */
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

/** Each value but the first follows one of `[ { ,` (or a colon behind these). Those in strings count too. */
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
  // As JSON.parse and Gson's readers do: the last one counts.
  onDuplicateKey: ({ newValue }: { newValue: unknown }) => newValue,
};

/** Gson's HTML-safe escapes, and the two line separators that JavaScript once could not read. */
const JAVA_ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '=': '\\u003d',
  "'": '\\u0027',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** `undefined` fields are left out, as Gson leaves out nulls. */
export function encodeJson(value: unknown): string {
  // Outside of strings JSON has none of these characters, so the whole text can be escaped at once.
  return (stringify(value) ?? 'null').replace(/[<>&='\u2028\u2029]/g, c => JAVA_ESCAPES[c] ?? c);
}

/** In place: copies into objects without a prototype would take four times the memory. */
function dropPrototypes(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || isLosslessNumber(value)) return;
  if (depth >= LIMITS.bodyDepth) {
    throw new ProtocolError('BODY_JSON', 'the body nests too deep', { limit: LIMITS.bodyDepth });
  }
  for (const item of Array.isArray(value) ? value : Object.values(value)) dropPrototypes(item, depth + 1);
  if (!Array.isArray(value)) Object.setPrototypeOf(value, null);
}
