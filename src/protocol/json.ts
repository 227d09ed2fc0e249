import { isLosslessNumber, LosslessNumber } from 'lossless-json';
import { ProtocolError } from './errors.js';
import { endOfString, isClosing, isOpening, QUOTE } from './json-text.js';
import { LIMITS } from './limits.js';
import type { PacketLimits } from './packet-limits.js';

/**
 * Parses the JSON of a body without losses, in a time that is linear in its length. An integer beyond 2^53 becomes a
 * bigint, up to `LIMITS.integerDigits`. A longer one, and a number that JavaScript would print differently (1.0, 1e3,
 * -0), becomes a `LosslessNumber` with its text. Objects have no prototype, so that a peer's text never changes what an
 * object inherits.
 * @param values how many values the text may have
 * @param onCounted called with how many it has, before memory is spent on them
 * @example
 * decodeJson('[{"id":9007199254740993}]'); // [{ id: 9007199254740993n }]
 * @throws ProtocolError BODY_JSON, BODY_TOO_LARGE
 */
export function decodeJson(
  text: string,
  values: number = LIMITS.bodyValues,
  onCounted?: (values: number) => void,
): unknown {
  const { numbers, withPlaces, count } = takeNumbers(text, values);
  onCounted?.(count);
  let value: unknown;
  try {
    value = JSON.parse(withPlaces);
  } catch (cause) {
    throw new ProtocolError('BODY_JSON', 'the body is not JSON', { length: text.length }, { cause });
  }
  return restored(value, numbers);
}

/** A number that `JSON.parse` may change, or its text. */
type DelicateNumber = number | bigint | LosslessNumber;

const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
/** Integers of so many digits are numbers without a loss. */
const PLAIN_DIGITS = 15;
/** JavaScript prints no number with more characters. */
const PRINTED_CHARACTERS = 25;

/** What may be in a number, in whatever order. */
const NUMBER_CHARACTERS = /[-+.\deE]+/y;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Checks how many values a text has and how deep it nests, before memory is spent on them, and takes out the numbers that
 * `JSON.parse` may change. In the place of the n-th, from 0, stands n + 0.5: no other number of the text has a fraction.
 *
 * A value stands behind each `[`, `{` and `,` that is in no string, and one more may be in front: they are counted.
 */
function takeNumbers(
  text: string,
  values: number,
): { numbers: readonly DelicateNumber[]; withPlaces: string; count: number } {
  const numbers: DelicateNumber[] = [];
  const parts: string[] = [];
  let taken = 0;
  let count = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) {
      at = endOfString(text, at);
    } else if (c === COMMA || isOpening(c)) {
      if (++count > values)
        throw new ProtocolError('BODY_TOO_LARGE', 'the body has too many values', { limit: values });
      if (c !== COMMA && ++depth > LIMITS.bodyDepth) throw tooDeep();
    } else if (isClosing(c)) {
      depth--;
    } else if (c === MINUS || (c >= ZERO && c <= NINE)) {
      NUMBER_CHARACTERS.lastIndex = at;
      const number = NUMBER_CHARACTERS.exec(text)?.[0] ?? '';
      // What is no number stays where it is, and JSON.parse refuses it.
      if (!isPlain(number) && NUMBER.test(number)) {
        parts.push(text.slice(taken, at), `${numbers.length}.5`);
        numbers.push(delicateNumber(number));
        // Nothing stands between two of them.
        if (numbers.length > count + 1)
          throw new ProtocolError('BODY_JSON', 'the body is not JSON', { length: text.length });
        taken = at + number.length;
      }
      at += number.length - 1;
    }
  }
  return { numbers, withPlaces: parts.length === 0 ? text : parts.join('') + text.slice(taken), count };
}

function isPlain(number: string): boolean {
  return number.length <= PLAIN_DIGITS && number !== '-0' && /^-?\d+$/.test(number);
}

function delicateNumber(text: string): DelicateNumber {
  if (/^-?[1-9]\d*$/.test(text)) {
    const digits = text.startsWith('-') ? text.length - 1 : text.length;
    if (digits > LIMITS.integerDigits) return new LosslessNumber(text);
    const number = Number(text);
    return Number.isSafeInteger(number) ? number : BigInt(text);
  }
  if (text.length > PRINTED_CHARACTERS) return new LosslessNumber(text);
  const number = Number(text);
  return String(number) === text ? number : new LosslessNumber(text);
}

/**
 * Puts the numbers back, and takes the prototypes away. Changes the objects in place: copies without a prototype would
 * take four times the memory.
 */
function restored(value: unknown, numbers: readonly DelicateNumber[]): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : numbers[Math.floor(value)];
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (isToRestore(item)) value[index] = restored(item, numbers);
    }
  } else if (typeof value === 'object' && value !== null) {
    Object.setPrototypeOf(value, null);
    const fields = value as Record<string, unknown>;
    for (const key of Object.keys(fields)) {
      const item = fields[key];
      if (isToRestore(item)) fields[key] = restored(item, numbers);
    }
  }
  return value;
}

function isToRestore(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || (typeof value === 'number' && !Number.isInteger(value));
}

/**
 * JSON text that `encodeJson` writes as it is.
 * @example
 * encodeJson({ echo: new RawJson('{"id": 1.0}') }); // '{"echo":{"id": 1.0}}'
 */
export class RawJson {
  /** Valid JSON. */
  readonly text: string;

  /** @param text valid JSON */
  constructor(text: string) {
    this.text = text;
  }
}

/** The characters that Gson escapes. */
const JAVA_ESCAPES: readonly (readonly [character: string, escape: string])[] = [
  ['<', '\\u003c'],
  ['>', '\\u003e'],
  ['&', '\\u0026'],
  ['=', '\\u003d'],
  ["'", '\\u0027'],
  ['\u2028', '\\u2028'],
  ['\u2029', '\\u2029'],
];
const JAVA_ESCAPED = /[<>&='\u2028\u2029]/;
/** Text of printable ASCII of which neither JSON nor Gson escapes a character: most of all texts and names. */
const WRITTEN_AS_IT_IS = /^[ !#-%(-;?-[\]-~]*$/;
const ESCAPED_CODES: ReadonlySet<number> = new Set(JAVA_ESCAPES.map(([character]) => character.charCodeAt(0)));
const ESCAPE_CHARACTERS = 6;

function escapesIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) if (ESCAPED_CODES.has(text.charCodeAt(at))) count++;
  return count;
}

/** No bound but that of the depth. */
const UNBOUNDED: PacketLimits = { bytes: Number.POSITIVE_INFINITY, values: Number.POSITIVE_INFINITY };

/**
 * Writes JSON as Gson does, with its escapes. Fields that are `undefined` are left out, as Gson leaves out nulls.
 * @param limits when the text would pass them, the writing ends; bytes are counted as characters
 * @example
 * encodeJson([{ name: 'a=b' }]); // '[{"name":"a\\u003db"}]'
 * @throws ProtocolError BODY_TOO_LARGE, or BODY_JSON when the value nests deeper than `LIMITS.bodyDepth`
 */
export function encodeJson(value: unknown, limits: PacketLimits = UNBOUNDED): string {
  return new JsonWriter(limits).write(value, 0) ?? 'null';
}

class JsonWriter {
  readonly #limits: PacketLimits;
  #characters = 0;
  #values = 0;

  constructor(limits: PacketLimits) {
    this.#limits = limits;
  }

  /** @returns undefined for what JSON does not have, such as a function */
  write(value: unknown, depth: number): string | undefined {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        return this.#counted(Number.isFinite(value) ? String(value) : 'null');
      case 'boolean':
      case 'bigint':
        return this.#counted(String(value));
      case 'object':
        return value === null ? this.#counted('null') : this.#structure(value, depth);
      default:
        return undefined;
    }
  }

  #structure(value: object, depth: number): string | undefined {
    if (value instanceof RawJson) return this.#counted(value.text);
    if (isLosslessNumber(value)) return this.#counted(String(value));
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.write(value.toJSON(), depth + 1);
    if (depth >= LIMITS.bodyDepth) throw tooDeep();
    return Array.isArray(value) ? this.#array(value, depth) : this.#object(value, depth);
  }

  #array(items: readonly unknown[], depth: number): string {
    this.#count(Math.max(1, items.length));
    let json = '';
    // By index: a hole is null as well.
    for (let index = 0; index < items.length; index++) {
      const text = this.write(items[index], depth + 1) ?? 'null';
      json += index === 0 ? text : `,${text}`;
    }
    return `[${json}]`;
  }

  #object(value: object, depth: number): string {
    this.#count(1);
    const fields = value as Readonly<Record<string, unknown>>;
    let json = '';
    for (const key of Object.keys(fields)) {
      const field = fields[key];
      if (field === undefined) continue;
      const name = this.#string(key);
      const text = this.write(field, depth + 1);
      if (text === undefined) continue;
      if (json !== '') this.#count(1);
      json += json === '' ? `${name}:${text}` : `,${name}:${text}`;
    }
    return `{${json}}`;
  }

  #string(text: string): string {
    // Before each step that makes it longer.
    this.#ensureRoom(text.length);
    if (WRITTEN_AS_IT_IS.test(text)) return this.#counted(`"${text}"`);
    let json = JSON.stringify(text);
    if (JAVA_ESCAPED.test(json)) {
      this.#ensureRoom(json.length + escapesIn(json) * (ESCAPE_CHARACTERS - 1));
      for (const [character, escaped] of JAVA_ESCAPES) json = json.replaceAll(character, escaped);
    }
    return this.#counted(json);
  }

  #counted(text: string): string {
    this.#ensureRoom(text.length);
    this.#characters += text.length;
    return text;
  }

  #ensureRoom(characters: number): void {
    const limit = this.#limits.bytes;
    if (this.#characters + characters > limit)
      throw new ProtocolError('BODY_TOO_LARGE', 'the body is too large', { limit });
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > this.#limits.values) {
      throw new ProtocolError('BODY_TOO_LARGE', 'the body has too many values', { limit: this.#limits.values });
    }
  }
}

function tooDeep(): ProtocolError {
  return new ProtocolError('BODY_JSON', 'the body nests too deep', { limit: LIMITS.bodyDepth });
}
