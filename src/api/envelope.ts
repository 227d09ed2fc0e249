import type { ApiResponse } from './commands.js';

/** What a handler gives back, before it is wrapped as its command's response says. */
export type Result =
  | { readonly kind: 'list'; readonly count: number; readonly items: readonly ApiObject[] }
  | { readonly kind: 'object' | 'plain'; readonly fields: ApiObject }
  | { readonly kind: 'job'; readonly jobid: string; readonly id: string | undefined };

/** Values by field name; `undefined` and null are left out. Moments are milliseconds since 1970, in a `Moment`. */
export type ApiObject = Readonly<Record<string, unknown>>;

/** `{"<command in lower case>response": …}` */
export function envelope(command: string, response: ApiResponse, result: Result): string {
  return JSON.stringify({ [responseName(command)]: body(response, result) }, withoutNulls);
}

export function errorEnvelope(
  name: string,
  { code, csCode, message }: { readonly code: number; readonly csCode: number; readonly message: string },
): string {
  return JSON.stringify({ [name]: { uuidList: [], errorcode: code, cserrorcode: csCode, errortext: message } });
}

export function responseName(command: string): string {
  return `${command.toLowerCase()}response`;
}

/** `yyyy-MM-dd'T'HH:mm:ssZ`, in UTC. @param moment milliseconds since 1970 */
export function dateText(moment: number): string {
  return `${new Date(moment).toISOString().slice(0, 19)}+0000`;
}

function body({ object }: ApiResponse, result: Result): unknown {
  switch (result.kind) {
    case 'list':
      // CloudStack: with nothing found there is nothing, not even a count of 0; behind the last page only the count.
      if (result.count === 0) return {};
      if (result.items.length === 0) return { count: result.count };
      return { count: result.count, [object]: result.items };
    case 'object':
      return { [object]: result.fields };
    case 'plain':
      return result.fields;
    case 'job':
      return { jobid: result.jobid, id: result.id };
  }
}

/** CloudStack leaves them out, however deep; JSON does so with `undefined`. */
function withoutNulls(_name: string, value: unknown): unknown {
  return value === null ? undefined : value;
}
