import { API, type CommandName } from '../../api/commands/index.js';
import type { RequestParams } from '../../api/signature.js';
import type { Param } from '../../api/table.js';
import type { Params } from '../../api/types.js';
import { isUuid } from '../../lib/uuid.js';
import { invalidParameter, missingParameter } from './api-error.js';

/** The parameters of a command, checked by the API's table; names in any case, others ignored. @throws ApiError 431 */
export function validated<N extends CommandName>(command: N, request: RequestParams): Params<N> {
  const given = new Map<string, string>();
  for (const [name, value] of request) if (!given.has(name.toLowerCase())) given.set(name.toLowerCase(), value);
  const params: Record<string, unknown> = {};
  for (const [name, param] of Object.entries<Param>(API[command].params)) {
    const text = given.get(name)?.trim();
    if (text === undefined || (text === '' && !param.mayBeEmpty)) {
      if (param.required) throw missingParameter(command, name);
      continue;
    }
    params[name] = parsed(command, name, param, text);
  }
  // Each parameter was just checked against the table that the type is made from.
  return params as Params<N>;
}

const LONGEST = 4096;

function parsed(command: string, name: string, { type, long }: Param, text: string): string | number | boolean {
  const wrong = (why: string) => invalidParameter(command, name, text.slice(0, 200), why);
  if (text.length > LONGEST && !long) throw wrong(`its length: at most ${LONGEST} characters are allowed`);
  if (text.includes('\0')) throw wrong('the NUL character in it');
  switch (type) {
    case 'string':
      return text;
    case 'uuid':
      if (!isUuid(text)) throw wrong('it is no id: a UUID is expected');
      return text.toLowerCase();
    case 'integer': {
      const number = Number(text);
      if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(number)) throw wrong('it is no whole number');
      return number;
    }
    case 'boolean':
      if (/^true$/i.test(text)) return true;
      if (/^false$/i.test(text)) return false;
      throw wrong('it is neither true nor false');
  }
}
