import { type ApiCommands, DONE, date, LIST_PARAMS, optional, required, string, uuid } from '../table.js';

const API_KEY = {
  id: string('the id of the key'),
  name: string('its name, under which events and jobs tell what was done with it'),
  role: string('reader: it may only ask; operator: it may change as well'),
  apikey: string('what is sent with each request'),
  created: date('when it was made'),
  createdby: optional(string('the key that asked for it; none where the first server made it')),
} as const;

const COLUMNS = ['name', 'role', 'created', 'createdby', 'id'] as const;

export const API_KEY_COMMANDS = {
  createApiKey: {
    description: 'Makes a key for this API; every management server knows it within two seconds',
    params: {
      name: required(string('its name, unique, up to 64 characters')),
      role: required(string('reader: it may only ask; operator: it may change as well')),
    },
    response: {
      kind: 'object',
      object: 'apikey',
      fields: { ...API_KEY, secretkey: string('what requests are signed with; it is shown this once') },
    },
    columns: ['name', 'role', 'apikey', 'secretkey', 'id'],
  },
  listApiKeys: {
    description: 'Lists the keys of this API, without their secrets',
    showsOperators: true,
    params: { id: uuid('only this key'), name: string('only the key with this name'), ...LIST_PARAMS },
    response: { kind: 'list', object: 'apikey', fields: API_KEY },
    columns: COLUMNS,
  },
  deleteApiKey: {
    description: 'Deletes a key of this API, but never the last one of an operator, nor the one of alert.webhook.key',
    params: { id: required(uuid('the key')) },
    ...DONE,
  },
} as const satisfies ApiCommands;
