import { type ApiCommands, boolean, date, integer, LIST_PARAMS, optional, string, uuid } from '../table.js';

const ALERT = {
  id: string('the id of the alert'),
  type: integer('what it is about, by the number of CloudStack: 7 a host, 14 a management server, 31 a certificate'),
  name: string('the same as a name'),
  description: string('what is wrong'),
  sent: date('when it was raised'),
  cleared: optional(date('when it was over')),
} as const;

export const ALERT_COMMANDS = {
  listAlerts: {
    description: 'Lists alerts, newest first; without a webhook none are raised',
    forReaders: true,
    params: {
      id: uuid('only this alert'),
      type: integer('only those of this type'),
      open: boolean('only those that are not over'),
      ...LIST_PARAMS,
      keyword: string('only alerts with this in their description or name'),
    },
    response: { kind: 'list', object: 'alert', fields: ALERT },
    columns: ['sent', 'cleared', 'name', 'description'],
  },
} as const satisfies ApiCommands;
