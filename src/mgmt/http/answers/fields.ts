import { dateText } from '../../../api/moment.js';

/** The date of a moment, if there is one. @param moment milliseconds since 1970 */
export function dated(moment: number | null | undefined): string | undefined {
  return moment === null || moment === undefined ? undefined : dateText(moment);
}

/** As CloudStack writes an amount of memory: `7.67 GB`. */
export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GB`;
}

/** Leaves out keys whose value is undefined: a query of the store takes each key as a condition. */
export function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
