import { dateText } from '../../../api/moment.js';

/** The date of a moment, if there is one. @param moment milliseconds since 1970 */
export function dated(moment: number | null | undefined): string | undefined {
  return moment === null || moment === undefined ? undefined : dateText(moment);
}

/** Leaves out keys whose value is undefined: a query of the store takes each key as a condition. */
export function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
