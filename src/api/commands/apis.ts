import { type ApiCommands, boolean, list, string } from '../table.js';

const PARAM = {
  name: string('the name'),
  type: string('string, uuid, integer, boolean'),
  description: string('what it is for'),
  required: boolean('whether it must be given'),
} as const;

const FIELD = {
  name: string('the name'),
  type: string('string, integer, decimal, boolean, date, list, map'),
  description: string('what it tells'),
} as const;

export const API_COMMANDS = {
  listApis: {
    description: 'Lists the commands of this API that the key may call, with their parameters and responses',
    forReaders: true,
    params: { name: string('only this command') },
    response: {
      kind: 'list',
      object: 'api',
      fields: {
        name: string('the name'),
        description: string('what it does'),
        isasync: boolean('whether it answers with a job id'),
        params: list(PARAM, 'its parameters'),
        response: list(FIELD, 'the fields of its response'),
      },
    },
    columns: ['name', 'description', 'isasync'],
  },
} as const satisfies ApiCommands;
