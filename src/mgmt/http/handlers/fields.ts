import { dateText } from '../../../api/envelope.js';

export function dated(moment: number | null | undefined): string | undefined {
  return moment === null || moment === undefined ? undefined : dateText(moment);
}

/** Leaves out what is undefined: the store takes a key that is there for one that is asked for. */
export function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
