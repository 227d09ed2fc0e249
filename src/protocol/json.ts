import { isLosslessNumber, LosslessNumber, parse, stringify } from 'lossless-json';
import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

/**
 * JSON as Gson writes it, without losses: integers beyond 2^53 become bigint, and a number that JavaScript would print
 * differently (1.0, 1e3, -0) keeps its text. Objects have no prototype, so no field of a peer's can be inherited.
 */

/** Some number in the text may be one that `JSON.parse` would change. Text in strings only makes it say yes too often. */
const DELICATE_NUMBER = /(?:^|[[,:])[ \t\r\n]*-?(?:0(?<=-0)|\d{16}|\d+[.eE])/;

/** @throws ProtocolError BODY_JSON */
export function decodeJson(text: string): unknown {
  try {
    return withoutPrototypes(DELICATE_NUMBER.test(text) ? parse(text, null, PARSE_OPTIONS) : JSON.parse(text), 0);
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    throw new ProtocolError('BODY_JSON', 'the body is not JSON', { bytes: text.length }, { cause });
  }
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

function withoutPrototypes(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || isLosslessNumber(value)) return value;
  if (depth >= LIMITS.bodyDepth) {
    throw new ProtocolError('BODY_JSON', 'the body nests too deep', { limit: LIMITS.bodyDepth });
  }
  if (Array.isArray(value)) return value.map(item => withoutPrototypes(item, depth + 1));
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, field] of Object.entries(value)) object[key] = withoutPrototypes(field, depth + 1);
  return object;
}
