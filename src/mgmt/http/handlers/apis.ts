import { API, type ApiCommand, isCommandName } from '../../../api/commands.js';
import type { ApiObject } from '../../../api/envelope.js';
import { invalidParameter } from '../api-error.js';
import type { Handler } from './handler.js';

export const listApis: Handler<'listApis'> = async ({ name }) => {
  if (name !== undefined && !isCommandName(name)) {
    throw invalidParameter('listApis', 'name', name, 'there is no such command');
  }
  const names = Object.keys(API).filter(command => name === undefined || command === name);
  const items = names.map(command => apiObject(command, (API as Readonly<Record<string, ApiCommand>>)[command]));
  return { kind: 'list', count: items.length, items };
};

function apiObject(name: string, command: ApiCommand | undefined): ApiObject {
  const { description, isAsync = false, params = {}, response } = command ?? {};
  return {
    name,
    description,
    isasync: isAsync,
    params: Object.entries(params).map(([param, { type, description, required = false }]) => ({
      name: param,
      type,
      description,
      required,
    })),
    response: Object.entries(response?.fields ?? {}).map(([field, { type, description }]) => ({
      name: field,
      type,
      description,
    })),
  };
}
