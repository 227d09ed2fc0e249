import { reasonOf } from '../../lib/errors.js';

/** A kind of value: what is allowed, and how it is read and written. */
export interface Kind<T> {
  /** The type in CloudStack's words, as `listConfigurations` has it. */
  readonly type: 'String' | 'Number' | 'Decimal' | 'Boolean';
  /** What is allowed, in words. */
  readonly allowed: string;
  /** All allowed values, if there are few. */
  readonly options?: readonly string[];
  /** @throws ValueError */
  parse(text: string): T;
  /** The spelling in which the store keeps the value. */
  format(value: T): string;
}

/** A value that its kind does not allow. The message says what is allowed. */
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

/** A text that does not consist of blanks alone. */
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

/** A kind with its own rules. The message of what `parse` throws says what is wrong. */
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
