import { parseMoment } from '../../../api/moment.js';
import { invalidParameter } from '../api-error.js';

/** A moment of a parameter, in milliseconds since 1970; undefined: it is not given. @throws ApiError 431 */
export function momentOf(command: string, parameter: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const moment = parseMoment(text) ?? parseMoment(`${text}T00:00:00Z`);
  if (moment === undefined) {
    const why = 'a date such as 2026-11-22 or 2026-11-22T09:00:00+0000 is expected';
    throw invalidParameter(command, parameter, text, why);
  }
  return moment;
}
