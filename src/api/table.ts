/**
 * The form of the API's table (`commands/`): what a command takes and what it answers. Requests are checked by it,
 * responses are typed by it, and listApis, the command line's help and docs/api.md are made from it.
 */
export interface ApiCommand {
  readonly description: string;
  /** It answers with the id of a job. The outcome is asked for by queryAsyncJobResult. */
  readonly isAsync?: true;
  /** A reader's key may call it: it only shows. @default only an operator's key may */
  readonly forReaders?: true;
  /** It only shows, though to operators alone. @default a command that is not for readers changes something */
  readonly showsOperators?: true;
  /** By name, in lower case. */
  readonly params: Readonly<Record<string, Param>>;
  readonly response: ApiResponse;
  /** The fields that the command line shows as a table; `-o json` shows all. */
  readonly columns: readonly string[];
}

export interface Param {
  readonly type: ParamType;
  readonly description: string;
  readonly required?: true;
  /** As long as a request may be. @default 4,096 characters */
  readonly long?: true;
  /** An empty text is a value. @default it counts as not given */
  readonly mayBeEmpty?: true;
}
export type ParamType = 'string' | 'uuid' | 'integer' | 'boolean';

export interface ApiResponse {
  /** `list`: `{count, <object>: […]}`; `object`: `{<object>: {…}}`; `plain`: the fields themselves. */
  readonly kind: 'list' | 'object' | 'plain';
  readonly object: string;
  readonly fields: Fields;
}

/** By name, in lower case. */
export type Fields = Readonly<Record<string, Field>>;
export type Field = SimpleField | ListField;

interface AnyField {
  readonly description: string;
  /** It is left out where there is no value. */
  readonly optional?: true;
}
export interface SimpleField extends AnyField {
  /** `date`: `2026-11-22T09:00:00+0000`; `map`: an object whose fields depend on the case. */
  readonly type: 'string' | 'integer' | 'decimal' | 'boolean' | 'date' | 'map';
}
export interface ListField extends AnyField {
  readonly type: 'list';
  /** What the list consists of: texts, or objects with these fields. */
  readonly of: 'string' | Fields;
}

/** Commands by name: what a file of `commands/` holds. */
export type ApiCommands = Readonly<Record<string, ApiCommand>>;

// How a command is written down: `id: required(uuid('the host'))`, `arch: optional(string('the architecture'))`.

export const uuid = (description: string) => ({ type: 'uuid', description }) as const;
export const string = (description: string) => ({ type: 'string', description }) as const;
/** Of any length that a request can have. */
export const longString = (description: string) => ({ type: 'string', description, long: true }) as const;
export const integer = (description: string) => ({ type: 'integer', description }) as const;
export const decimal = (description: string) => ({ type: 'decimal', description }) as const;
export const boolean = (description: string) => ({ type: 'boolean', description }) as const;
export const date = (description: string) => ({ type: 'date', description }) as const;
export const map = (description: string) => ({ type: 'map', description }) as const;
export const list = <const I extends ListField['of']>(of: I, description: string) =>
  ({ type: 'list', of, description }) as const;
export const required = <const P extends Param>(param: P) => ({ ...param, required: true }) as const;
export const orEmpty = <const P extends Param>(param: P) => ({ ...param, mayBeEmpty: true }) as const;
export const optional = <const F extends Field>(field: F) => ({ ...field, optional: true }) as const;

/** The answer of a command that only does something. */
export const DONE = {
  response: {
    kind: 'plain',
    object: 'success',
    fields: { success: boolean('true'), displaytext: string('what was done') },
  },
  columns: ['success', 'displaytext'],
} as const;

/** What every list takes. */
export const LIST_PARAMS = {
  keyword: string('only objects with this in their name'),
  page: integer('which page, from 1'),
  pagesize: integer('objects on a page; -1 for all (500)'),
} as const;
