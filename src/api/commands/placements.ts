import { type ApiCommands, integer, list, optional, required, string, uuid } from '../table.js';

const PLACED_SERVER = {
  id: string('the id of the management server'),
  name: string('its name'),
  address: string('its address, as it stands in host'),
} as const;

const PLACEMENT = {
  hostid: string('the id of the host'),
  hostname: string('its name'),
  zonename: optional(string('the name of its zone')),
  clustername: optional(string('the name of its cluster')),
  hosttags: optional(string('its tags, with commas between them')),
  state: string('Creating, Connecting, Up or Disconnected'),
  preferredhost: optional(string('the first of its list')),
  server: optional(
    integer(
      'the server that had it at the start, by its place in servers, from 1; 0: none; missing: it had not come yet',
    ),
  ),
  moves: string(
    'its moves since then, oldest first, with blanks between them: after:server:kind:cause:gap, such as 61250:2:failover:closed:412; after is in milliseconds since the start, server as above, gap is empty when it is not known',
  ),
} as const;

export const PLACEMENT_COMMANDS = {
  listPlacements: {
    description: 'Tells which server each host was on since a moment, and each change of it, in a compact form',
    forReaders: true,
    params: {
      startdate: required(string('the moment: 2026-11-22, or 2026-11-22T09:00:00+0000')),
      hostid: uuid('only this host'),
    },
    response: {
      kind: 'object',
      object: 'placements',
      fields: {
        start: integer('the moment, in milliseconds since 1970'),
        count: integer('how many hosts there are'),
        cut: optional(
          integer('moves before this moment are left out, since there are too many; in milliseconds since 1970'),
        ),
        servers: list(PLACED_SERVER, 'the management servers'),
        hosts: list(PLACEMENT, 'the hosts, by name'),
      },
    },
    columns: ['start', 'count', 'servers'],
  },
} as const satisfies ApiCommands;
