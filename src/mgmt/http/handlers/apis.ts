import { API, isCommandName } from '../../../api/commands/index.js';
import type { ApiCommand, Field, Param } from '../../../api/table.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { invalidParameter } from '../api-error.js';
import { mayCall } from '../roles.js';
import type { HandlerParts } from './handler.js';

/** As CloudStack's: what the caller may not call is not there. */
export async function listApis({ caller }: HandlerParts, { name }: Params<'listApis'>): Promise<Response<'listApis'>> {
  const isThere = (command: string) => isCommandName(command) && mayCall(caller, command);
  if (name !== undefined && !isThere(name)) {
    throw invalidParameter('listApis', 'name', name, 'there is no such command');
  }
  const commands = Object.entries<ApiCommand>(API).filter(([command]) =>
    name === undefined ? isThere(command) : command === name,
  );
  return { count: commands.length, items: commands.map(apiObject) };
}

type ApiObject = ResponseObject<'listApis'>;

function apiObject([name, { description, isAsync, params, response }]: [string, ApiCommand]): ApiObject {
  return {
    name,
    description,
    isasync: isAsync ?? false,
    params: Object.entries(params).map(paramObject),
    response: Object.entries(response.fields).map(fieldObject),
  };
}

function paramObject([name, { type, description, required }]: [string, Param]): ApiObject['params'][number] {
  return { name, type, description, required: required ?? false };
}

function fieldObject([name, { type, description }]: [string, Field]): ApiObject['response'][number] {
  return { name, type, description };
}
