import { reasonOf } from '../../lib/errors.js';

/** What the value of a setting may be, and what it means. */
export interface Kind<T> {
  /** CloudStack's word for it, as `listConfigurations` shows it. */
  readonly type: 'String' | 'Number' | 'Decimal' | 'Boolean';
  /** For people: what is allowed. */
  readonly allowed: string;
  /** All values, where there are few. */
  readonly options?: readonly string[];
  /** @throws ValueError */
  parse(text: string): T;
  /** The one spelling under which the value is kept. */
  format(value: T): string;
}

/** A value is not what its kind allows; the message says what is. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  readonly code = 'VALUE_INVALID';
}

export function integer(least: number, most: number): Kind<number> {
  const allowed = `a whole number from ${least} to ${most}`;
  return {
    type: 'Number',
    allowed,
    parse(text) {
      const value = Number(text);
      if (!/^-?\d+$/.test(text) || value < least || value > most) throw new ValueError(`${allowed} is allowed`);
      return value;
    },
    format: String,
  };
}

export function decimal(least: number, most: number): Kind<number> {
  const allowed = `a number from ${least} to ${most}`;
  return {
    type: 'Decimal',
    allowed,
    parse(text) {
      const value = Number(text);
      if (!/^\d+(\.\d+)?$/.test(text) || value < least || value > most) throw new ValueError(`${allowed} is allowed`);
      return value;
    },
    format: String,
  };
}

export function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  const allowed = values.join(', ');
  return {
    type: 'String',
    allowed,
    options: values,
    parse(text) {
      const value = values.find(one => one === text);
      if (value === undefined) throw new ValueError(`allowed are ${allowed}`);
      return value;
    },
    format: value => value,
  };
}

export const flag: Kind<boolean> = {
  type: 'Boolean',
  allowed: 'true, false',
  parse(text) {
    if (text !== 'true' && text !== 'false') throw new ValueError('allowed are true, false');
    return text === 'true';
  },
  format: String,
};

/** Some text, and not just blanks. */
export function text(what: string): Kind<string> {
  return {
    type: 'String',
    allowed: what,
    parse(text) {
      if (text.trim() === '' || text.includes('\0')) throw new ValueError(`${what} is needed`);
      return text;
    },
    format: value => value,
  };
}

/** A kind with rules of its own; what `parse` throws says what is wrong. */
export function custom<T>(allowed: string, parse: (text: string) => T, format: (value: T) => string): Kind<T> {
  return {
    type: 'String',
    allowed,
    parse(text) {
      try {
        return parse(text);
      } catch (error) {
        throw new ValueError(reasonOf(error), { cause: error });
      }
    },
    format,
  };
}
