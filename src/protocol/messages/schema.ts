import type { Message } from '../body.js';
import { ProtocolError } from '../errors.js';

/**
 * How a Java class of CloudStack's looks in JSON: its fields, in the order in which Gson writes them. Java's primitives
 * are always there (0 or false when a sender leaves them out); references may be missing, and are never null on the wire.
 */
export interface Field<T> {
  readonly expected: string;
  accepts(value: unknown): value is T;
  /** What a missing field means; undefined for references. */
  readonly missing?: T;
}

export type Schema = Readonly<Record<string, Field<unknown>>>;
type Value<F> = F extends Field<infer T> ? T : never;
type PrimitiveKeys<S> = { [K in keyof S]: S[K] extends { readonly missing: unknown } ? K : never }[keyof S];

/** A decoded message: primitives there, references perhaps. */
export type Fields<S extends Schema> = {
  [K in PrimitiveKeys<S>]: Value<S[K]>;
} & { [K in Exclude<keyof S, PrimitiveKeys<S>>]?: Value<S[K]> | undefined };

/** A message to encode: what is left out gets Java's default. */
export type Input<S extends Schema> = { [K in keyof S]?: Value<S[K]> | undefined };

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTextList = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isList = (value: unknown): value is unknown[] => Array.isArray(value);

/** Java `int` or `long`, as far as JavaScript counts safely: no id or size of this feature lies beyond. */
export const integer = { expected: 'an integer up to 2^53', accepts: isInteger, missing: 0 } as const;
/** Java `boolean`. */
export const flag = { expected: 'true or false', accepts: isFlag, missing: false as boolean } as const;
/** Java `Integer` or `Long`. */
export const optionalInteger: Field<number> = { expected: 'an integer up to 2^53', accepts: isInteger };
export const optionalFlag: Field<boolean> = { expected: 'true or false', accepts: isFlag };
export const text: Field<string> = { expected: 'a string', accepts: isText };
export const textList: Field<readonly string[]> = { expected: 'an array of strings', accepts: isTextList };
export const list: Field<readonly unknown[]> = { expected: 'an array', accepts: isList };
export const record: Field<Readonly<Record<string, unknown>>> = { expected: 'an object', accepts: isRecord };

/** One class of messages. */
export interface MessageType<S extends Schema> {
  /** The Java class name on the wire. */
  readonly type: string;
  is(message: Message): boolean;
  encode(input: Input<S>): Message;
  /** Reads the known fields; others are ignored. @throws ProtocolError MESSAGE_FIELD */
  decode(message: Message): Fields<S>;
}

const COMMON = { wait: integer, bypassHostMaintenance: flag } as const;
const ANSWER = { result: flag, details: text } as const;

/** Asks for something. Unless said otherwise it travels with `wait` 0. */
export function command<const S extends Schema>(type: string, schema: S): MessageType<S & typeof COMMON> {
  return message(type, { ...schema, ...COMMON });
}

/** Replies to a command. */
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
        // Java writes contextMap, a map that may be missing but never null, before the last two fields.
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
          throw new ProtocolError('MESSAGE_FIELD', `${message.type}.${name} must be ${field.expected}`, {
            type: message.type,
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
