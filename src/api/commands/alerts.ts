import {
  type ApiCommands,
  boolean,
  DONE,
  date,
  integer,
  LIST_PARAMS,
  optional,
  required,
  string,
  uuid,
} from '../table.js';

const ALERT = {
  id: string('the id of the alert'),
  type: integer('what it is about, by the number of CloudStack: 7 a host, 14 a management server, 31 a certificate'),
  name: string('the same as a name'),
  description: string('what is wrong'),
  sent: date('when it was raised'),
  cleared: optional(date('when it was over')),
  subject: string('its kind, and behind colons what tells it from others of the kind; silenceAlert takes it'),
  silencedto: optional(date('until when it is not posted; not given where it is')),
} as const;

const SILENCE = {
  subject: string('a kind of alert, or the subject of one'),
  end: date('until when it is not posted'),
} as const;

export const ALERT_COMMANDS = {
  listAlerts: {
    description: 'Lists alerts, newest first; they are raised without a webhook as well',
    forReaders: true,
    params: {
      id: uuid('only this alert'),
      type: integer('only those of this type'),
      open: boolean('only those that are not over'),
      ...LIST_PARAMS,
      keyword: string('only alerts with this in their description or name'),
    },
    response: { kind: 'list', object: 'alert', fields: ALERT },
    columns: ['sent', 'cleared', 'silencedto', 'subject', 'description'],
  },
  silenceAlert: {
    description: 'Keeps alerts from the webhooks until a moment; they are listed all the same',
    params: {
      subject: required(string('a kind of alert, such as server-down, or the subject of one as listAlerts shows it')),
      minutes: integer('for so long; this or end'),
      end: string('until this moment, within a year: 2026-11-28, or 2026-11-28T14:00:00+0000'),
      reason: string('why: the event tells it'),
    },
    response: { kind: 'object', object: 'alertsilence', fields: SILENCE },
    columns: ['subject', 'end'],
  },
  listAlertSilences: {
    description:
      'Lists the silences of alerts that are not over; listEvents keyword=ALERT.SILENCE tells by whom, and why',
    forReaders: true,
    params: { ...LIST_PARAMS, keyword: string('only those with this in their subject') },
    response: { kind: 'list', object: 'alertsilence', fields: SILENCE },
    columns: ['subject', 'end'],
  },
  deleteAlertSilence: {
    description: 'Ends a silence: alerts are posted again',
    params: { subject: required(string('the subject of the silence')) },
    ...DONE,
  },
} as const satisfies ApiCommands;
