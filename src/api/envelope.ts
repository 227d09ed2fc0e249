import { API, type CommandName } from './commands/index.js';
import type { ApiCommand } from './table.js';
import type { Listed, Response } from './types.js';

/** `{"<command in lower case>response": …}`. CloudStack leaves fields without a value out, at any depth, nulls too. */
export function envelope<N extends CommandName>(command: N, response: Response<N>): object {
  return { [responseName(command)]: body(API[command], response) };
}

/** The error of a command. @param name of the envelope: `responseName`, or `ERROR_RESPONSE` */
export function errorEnvelope(
  name: string,
  { code, csCode, message }: { readonly code: number; readonly csCode: number; readonly message: string },
): string {
  return JSON.stringify({ [name]: { uuidList: [], errorcode: code, cserrorcode: csCode, errortext: message } });
}

export function responseName(command: string): string {
  return `${command.toLowerCase()}response`;
}

/** The name of the envelope when there is no such command. */
export const ERROR_RESPONSE = 'errorresponse';

function body({ isAsync, response: { kind, object } }: ApiCommand, response: object): unknown {
  if (isAsync || kind === 'plain') return response;
  if (kind === 'object') return { [object]: response };
  // The table says that it is a list.
  const { count, items, warning } = response as Listed<unknown>;
  // CloudStack: with nothing found there is nothing, not even a count of 0; behind the last page only the count.
  if (count === 0) return { warning };
  return items.length === 0 ? { count, warning } : { count, warning, [object]: items };
}
