import type { Interruptible } from '../../lib/interruptible.js';

/** Elements of an array that are written in one step, a few milliseconds at most. */
const ELEMENTS_PER_STEP = 200;

/**
 * What `JSON.stringify` makes of a value that has neither cycles nor `toJSON`, as texts to be put one behind the other,
 * without fields that are null or undefined. A list of 100,000 hosts in one step would block the event loop for a second.
 */
export function* jsonInSteps(value: unknown): Interruptible<string[]> {
  const parts: string[] = [];
  yield* write(value, parts);
  return parts;
}

function* write(value: unknown, parts: string[]): Interruptible<void> {
  if (!isLarge(value)) parts.push(JSON.stringify(value, withoutNulls) ?? 'null');
  else if (Array.isArray(value)) yield* writeArray(value, parts);
  else yield* writeObject(value as object, parts);
}

function* writeArray(array: readonly unknown[], parts: string[]): Interruptible<void> {
  let separator = '[';
  for (let from = 0; from < array.length; from += ELEMENTS_PER_STEP) {
    const slice = array.slice(from, from + ELEMENTS_PER_STEP);
    if (slice.some(isLarge)) {
      for (const element of slice) {
        parts.push(separator);
        yield* write(element, parts);
        separator = ',';
      }
    } else parts.push(separator, JSON.stringify(slice, withoutNulls).slice(1, -1));
    separator = ',';
    yield;
  }
  parts.push(']');
}

function* writeObject(object: object, parts: string[]): Interruptible<void> {
  let separator = '{';
  for (const [name, field] of Object.entries(object)) {
    if (field === null || field === undefined) continue;
    parts.push(`${separator}${JSON.stringify(name)}:`);
    yield* write(field, parts);
    separator = ',';
  }
  parts.push('}');
}

/** It has an array that is longer than one step. */
function isLarge(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > ELEMENTS_PER_STEP || value.some(isLarge);
  return typeof value === 'object' && value !== null && Object.values(value).some(isLarge);
}

/** CloudStack leaves nulls out, at any depth; JSON does so with `undefined`. */
function withoutNulls(_name: string, value: unknown): unknown {
  return value === null ? undefined : value;
}
