import { type ApiCommands, date, LIST_PARAMS, optional, string } from '../table.js';

const EVENT = {
  id: string('the id of the event'),
  type: string('what kind of event'),
  level: string('INFO, WARN or ERROR'),
  description: string('what happened'),
  created: date('when'),
  resourceid: optional(string('the id of what it is about')),
  resourcetype: optional(string('Host')),
  username: optional(string('the API key that asked for it')),
  managementserverid: optional(string('the management server that reported it')),
  managementservername: optional(string('its name')),
} as const;

export const EVENT_COMMANDS = {
  listEvents: {
    description: 'Lists events, newest first',
    forReaders: true,
    params: {
      level: string('only INFO, WARN or ERROR'),
      type: string('only this type'),
      startdate: string('only events since this moment: 2026-11-22, or 2026-11-22T09:00:00+0000'),
      ...LIST_PARAMS,
      keyword: string('only events with this in their description or type'),
    },
    response: { kind: 'list', object: 'event', fields: EVENT },
    columns: ['created', 'level', 'managementservername', 'type', 'username', 'description'],
  },
} as const satisfies ApiCommands;
