import type { API, CommandName } from './commands/index.js';
import type { Field, Fields, ListField, Param } from './table.js';

/** The checked parameters of a command. */
export type Params<N extends CommandName> = ParamValues<(typeof API)[N]['params']>;

/**
 * What the handler of a command gives back. Every field of the table must be written out, also one that has no value
 * now: then it is `undefined` or null, and not sent.
 */
export type Response<N extends CommandName> = Responses[N];

/** One object of a command's response. */
export type ResponseObject<N extends CommandName> = ObjectOf<(typeof API)[N]['response']['fields']>;

/** One page of a list. */
export interface Listed<T> {
  /** Of all objects that match, on whatever page. */
  readonly count: number;
  readonly items: readonly T[];
  /** Why the list is not what the store would tell. */
  readonly warning?: string;
}

/** The response of a command that makes a job. */
export interface JobReference {
  readonly jobid: string;
  /** What the job is about, such as a host, if it has an id. */
  readonly id?: string;
}

/** The fields of an object, as the table has them. */
export type ObjectOf<F> = {
  readonly [K in keyof F]: F[K] extends { readonly optional: true } ? Value<F[K]> | undefined | null : Value<F[K]>;
};

/** By command. As a mapped type, so that the response of any command is one of them. */
export type Responses = {
  readonly [N in CommandName]: (typeof API)[N] extends { readonly isAsync: true }
    ? JobReference
    : (typeof API)[N]['response']['kind'] extends 'list'
      ? Listed<ResponseObject<N>>
      : ResponseObject<N>;
};

type Value<F> = F extends ListField
  ? F['of'] extends Fields
    ? readonly ObjectOf<F['of']>[]
    : readonly string[]
  : F extends Field
    ? SimpleValues[Exclude<F['type'], 'list'>]
    : never;

interface SimpleValues {
  readonly string: string;
  readonly date: string;
  readonly integer: number;
  readonly decimal: number;
  readonly boolean: boolean;
  readonly map: Readonly<Record<string, unknown>>;
}

type ParamValues<P> = {
  readonly [K in RequiredNames<P>]: ParamValue<P[K]>;
} & {
  readonly [K in Exclude<keyof P, RequiredNames<P>>]?: ParamValue<P[K]> | undefined;
};

type RequiredNames<P> = { [K in keyof P]: P[K] extends { readonly required: true } ? K : never }[keyof P];

type ParamValue<P> = P extends Param ? ParamTypes[P['type']] : never;

interface ParamTypes {
  readonly string: string;
  /** In lower case. */
  readonly uuid: string;
  readonly integer: number;
  readonly boolean: boolean;
}
