import { parseMoment } from '../../../api/moment.js';
import type { Params } from '../../../api/types.js';
import { invalidParameter } from '../api-error.js';

/** The moment since when a list is asked for, in milliseconds since 1970. Undefined: none is given. @throws ApiError 431 */
export function sinceOf(
  command: 'listEvents' | 'listAsyncJobs',
  { startdate }: Params<'listEvents'> | Params<'listAsyncJobs'>,
): number | undefined {
  if (startdate === undefined) return undefined;
  const moment = parseMoment(startdate) ?? parseMoment(`${startdate}T00:00:00Z`);
  if (moment === undefined) {
    const why = 'a date such as 2026-11-22 or 2026-11-22T09:00:00+0000 is expected';
    throw invalidParameter(command, 'startdate', startdate, why);
  }
  return moment;
}
