import { isLosslessNumber } from 'lossless-json';
import { LIMITS, RawJson } from '../../protocol/index.js';

/** Kept answers travel in a body that nests deeper by less than this. */
const LEVELS_AROUND = 10;
const MOST_LEVELS = LIMITS.bodyDepth - LEVELS_AROUND;

/**
 * Why the fields of an answer cannot travel; undefined when they can. It says where the fault is: whoever has written the
 * resource reads it.
 * @param values how many values may be looked at
 */
export function objectionToFields(fields: object, values: number = LIMITS.bodyValues): string | undefined {
  return new Check(values).object(fields, []);
}

class Check {
  readonly #within = new Set<object>();
  #left: number;

  constructor(values: number) {
    this.#left = values;
  }

  object(value: object, path: readonly string[]): string | undefined {
    if (this.#within.has(value)) return `${at(path)} is a circle: it leads back to what it is in`;
    if (path.length >= MOST_LEVELS) return `${at(path.slice(0, 3))} nests deeper than ${MOST_LEVELS}`;
    this.#within.add(value);
    for (const [key, item] of Object.entries(value)) {
      const objection = this.#value(item, [...path, key]);
      if (objection !== undefined) return objection;
    }
    this.#within.delete(value);
    return undefined;
  }

  #value(value: unknown, path: readonly string[]): string | undefined {
    if (--this.#left < 0) return 'it has too many values';
    switch (typeof value) {
      case 'function':
      case 'symbol':
        return `${at(path)} is a ${typeof value}`;
      case 'bigint':
        return BigInt.asIntN(64, value) === value ? undefined : `${at(path)} is beyond 64 bits`;
      case 'number':
        return Number.isFinite(value) ? undefined : `${at(path)} is ${value}`;
      case 'object':
        break;
      default:
        return undefined;
    }
    if (value === null || isLosslessNumber(value) || value instanceof RawJson) return undefined;
    if (value instanceof Map || value instanceof Set)
      return `${at(path)} is a Map or a Set: make an object or an array of it`;
    if (value instanceof Promise) return `${at(path)} is a promise: await it`;
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.#value(value.toJSON(), path);
    return this.object(value, path);
  }
}

function at(path: readonly string[]): string {
  return path.length === 0 ? 'it' : path.join('.');
}
