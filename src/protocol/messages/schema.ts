import { isLosslessNumber } from 'lossless-json';
import type { Message } from '../body.js';
import { ProtocolError } from '../errors.js';
import type { RawJson } from '../json.js';

/** The type of one field of a Java class. */
export interface Field<T> {
  /** What is expected, in words, for an error's message. */
  readonly expected: string;
  /** Whether a value from the wire is of this type. */
  accepts(value: unknown): value is T;
  /** The value when the field is missing. Java's primitives have one, references do not. */
  readonly missing?: T;
}

/**
 * The fields of a Java class, in the order in which Gson writes them. A primitive is always there: 0 or false when a
 * sender leaves it out. A reference may be missing, and is never null on the wire.
 */
export type Schema = Readonly<Record<string, Field<unknown>>>;

type Value<F> = F extends Field<infer T> ? T : never;
type PrimitiveKeys<S> = { [K in keyof S]: S[K] extends { readonly missing: unknown } ? K : never }[keyof S];

/** The fields of a decoded message. Primitives are always there; references may be undefined. */
export type Fields<S extends Schema> = {
  [K in PrimitiveKeys<S>]: Value<S[K]>;
} & { [K in Exclude<keyof S, PrimitiveKeys<S>>]?: Value<S[K]> | undefined };

/** The fields of a message to encode. Primitives that are left out are 0 or false; references are not written. */
export type Input<S extends Schema> = { [K in keyof S]?: Value<S[K]> | undefined };

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const isLong = (value: unknown): value is number | bigint => isInteger(value) || typeof value === 'bigint';
const isText = (value: unknown): value is string => typeof value === 'string';
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTextList = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isList = (value: unknown): value is unknown[] => Array.isArray(value);

/** Java `int` or `long`, up to 2^53. */
export const integer = { expected: 'an integer up to 2^53', accepts: isInteger, missing: 0 } as const;
/** Java `boolean`. */
export const flag = { expected: 'true or false', accepts: isFlag, missing: false as boolean } as const;
/** Java `Integer` or `Long`, up to 2^53; may be missing. */
export const optionalInteger: Field<number> = { expected: 'an integer up to 2^53', accepts: isInteger };
/** Java `Long`; may be missing. Beyond 2^53 it is a bigint. */
export const optionalLong: Field<number | bigint> = { expected: 'an integer', accepts: isLong };
/**
 * Java `double`; may be missing. A number that JavaScript would print differently, such as CloudStack's 1.0, is an object
 * with its text: `Number(value)` reads both.
 */
export const decimal: Field<number | { valueOf(): unknown }> = {
  expected: 'a number',
  accepts: (value): value is number => Number.isFinite(value) || isLosslessNumber(value),
};
/** Java `Boolean`; may be missing. */
export const optionalFlag: Field<boolean> = { expected: 'true or false', accepts: isFlag };
/** Java `String`; may be missing. */
export const text: Field<string> = { expected: 'a string', accepts: isText };
/** A Java list of strings; may be missing. */
export const textList: Field<readonly string[]> = { expected: 'an array of strings', accepts: isTextList };
/** A Java list of anything; may be missing. */
export const list: Field<readonly unknown[]> = { expected: 'an array', accepts: isList };
/** A Java object or map; may be missing. */
export const record: Field<Readonly<Record<string, unknown>>> = { expected: 'an object', accepts: isRecord };
/** Likewise; a message that is written may have the text of one in its place. */
export const rawRecord: Field<Readonly<Record<string, unknown>> | RawJson> = { ...record };

/** Likewise of a list. */
export const rawList: Field<readonly unknown[] | RawJson> = { ...list };

/**
 * A Java list whose items are all of this type; may be missing.
 * @example
 * const ListFilesAnswer = answer('com.example.ListFilesAnswer', { files: listOf(object({ name: text, bytes: integer })) });
 */
export function listOf<T>(item: Field<T>): Field<readonly T[]> {
  return {
    expected: `an array; of each item: ${item.expected}`,
    accepts: (value): value is readonly T[] => Array.isArray(value) && value.every(one => item.accepts(one)),
  };
}

/**
 * A Java object of which these fields are used, if they are there. Others are ignored.
 * @example
 * const MoveCommand = command('com.example.MoveCommand', { to: object({ x: integer, y: integer }) });
 */
export function object<const S extends Schema>(schema: S): Field<Input<S>> {
  const fields = Object.entries(schema);
  return {
    expected: `an object; of its fields ${fields.map(([name, field]) => `${name} is ${field.expected}`).join(', ')}`,
    accepts: (value): value is Input<S> =>
      isRecord(value) && fields.every(([name, field]) => value[name] === undefined || field.accepts(value[name])),
  };
}

/**
 * One class of messages: how it is written and read.
 * @example
 * const message = ReadyCommand.encode({ hostId: 7 });
 * if (ReadyCommand.is(message)) console.log(ReadyCommand.decode(message).hostId);
 */
export interface MessageType<S extends Schema> {
  /** The Java class name on the wire. */
  readonly type: string;
  /** Whether a message is of this class. */
  is(message: Message): boolean;
  /** Makes a message of this class. */
  encode(input: Input<S>): Message;
  /** Reads the known fields; others are ignored. @throws ProtocolError MESSAGE_FIELD when one has a wrong type */
  decode(message: Message): Fields<S>;
}

const COMMON = { wait: integer, bypassHostMaintenance: flag } as const;
const ANSWER = { result: flag, details: text } as const;

/**
 * Defines a command. It has the fields `wait` (seconds for the answer, 0 when left out) and `bypassHostMaintenance` as
 * well, as CloudStack's `Command` does.
 * @param type the Java class name
 * @example
 * const GreetCommand = command('com.example.GreetCommand', { name: text });
 * const message = GreetCommand.encode({ name: 'Ada' });
 */
export function command<const S extends Schema>(type: string, schema: S): MessageType<S & typeof COMMON> {
  return message(type, { ...schema, ...COMMON });
}

/**
 * Defines an answer. It has the fields `result`, `details`, `wait` and `bypassHostMaintenance` as well.
 * @param type the Java class name
 * @example
 * const GreetAnswer = answer('com.example.GreetAnswer', { greeting: text });
 * const message = GreetAnswer.encode({ result: true, greeting: 'Hello' });
 */
export function answer<const S extends Schema>(
  type: string,
  schema: S,
): MessageType<S & typeof ANSWER & typeof COMMON> {
  return message(type, { ...schema, ...ANSWER, ...COMMON });
}

function message<S extends Schema>(type: string, schema: S): MessageType<S> {
  const entries = Object.entries(schema);
  return {
    type,
    is: message => message.type === type,
    encode(input) {
      const fields: Record<string, unknown> = {};
      for (const [name, field] of entries) {
        // Gson writes contextMap, which may be missing but never null, before the last two fields.
        if (name === 'wait') fields.contextMap = {};
        const value = input[name] ?? field.missing;
        if (value !== undefined) fields[name] = value;
      }
      return { type, fields };
    },
    decode(message) {
      const decoded: Record<string, unknown> = {};
      for (const [name, field] of entries) {
        const value = message.fields[name] ?? field.missing;
        if (value !== undefined && !field.accepts(value)) {
          // Not the type of the message: that is a peer's text, and may be another one than ours.
          throw new ProtocolError('MESSAGE_FIELD', `${type}.${name} must be ${field.expected}`, {
            type,
            field: name,
          });
        }
        decoded[name] = value;
      }
      // Each field was just checked against the schema that the type is made from.
      return decoded as Fields<S>;
    },
  };
}
