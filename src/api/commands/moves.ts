import { type ApiCommands, date, integer, LIST_PARAMS, optional, string, uuid } from '../table.js';

const KINDS = 'connect, failover, failback, migrate, suspect, left-list, register or lost';
const GAP =
  'milliseconds without a Ready link, as the agent has measured them; since the silent server was last heard, for suspect';

const MOVE = {
  id: string('the id of the record'),
  created: date('when'),
  at: integer('when, in milliseconds since 1970'),
  hostid: optional(string('the id of the host')),
  hostname: optional(string('its name')),
  frommanagementserverid: optional(string('the management server that had the host before; missing: none ever had')),
  frommanagementservername: optional(string('its name')),
  tomanagementserverid: optional(string('the management server that has it from then on; missing: none')),
  tomanagementservername: optional(string('its name')),
  kind: string(KINDS),
  cause: string('why, as a code'),
  gap: optional(integer(GAP)),
} as const;

const SUMMARY = {
  kind: string(KINDS),
  cause: string('why, as a code'),
  count: integer('how many moves'),
  gapmedian: optional(integer('half of the gaps are no longer, in milliseconds; missing: none is known')),
  gapp99: optional(integer('99 of 100 gaps are no longer, in milliseconds')),
  gapmax: optional(integer('the longest gap, in milliseconds')),
} as const;

const SELECTION = {
  hostid: uuid('only of this host'),
  managementserverid: uuid('only those to this management server, or from it'),
  kind: string(`only of this kind: ${KINDS}`),
  cause: string('only with this cause'),
  startdate: string('only moves since this moment: 2026-11-22, or 2026-11-22T09:00:00+0000'),
  enddate: string('only moves before this moment, in the same form'),
} as const;

export const MOVE_COMMANDS = {
  listMoves: {
    description: 'Lists where hosts went, and why, newest first: one record for each change of place',
    forReaders: true,
    params: { ...SELECTION, page: LIST_PARAMS.page, pagesize: LIST_PARAMS.pagesize },
    response: { kind: 'list', object: 'move', fields: MOVE },
    columns: ['created', 'hostname', 'kind', 'cause', 'frommanagementservername', 'tomanagementservername', 'gap'],
  },
  listMovesSummary: {
    description: 'Counts the moves of hosts by kind and cause, with how long hosts had no Ready link',
    forReaders: true,
    params: { ...SELECTION },
    response: { kind: 'list', object: 'movesummary', fields: SUMMARY },
    columns: ['kind', 'cause', 'count', 'gapmedian', 'gapp99', 'gapmax'],
  },
} as const satisfies ApiCommands;
