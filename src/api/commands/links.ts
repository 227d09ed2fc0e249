import {
  type ApiCommands,
  boolean,
  date,
  decimal,
  integer,
  LIST_PARAMS,
  list,
  optional,
  string,
  uuid,
} from '../table.js';

const LINK = {
  hostid: string('the id of the host'),
  hostname: string('its name'),
  state: string('Connecting, Up or Disconnected'),
  connectedhost: optional(string('the management server that it is on, as in host')),
  managementserverid: optional(string('the same by its id')),
  preferredhost: optional(string('the first of its list')),
  ispreferred: boolean('whether it is on its preferred host'),
  hostlist: list('string', 'its list of management servers'),
  algorithm: optional(string('the algorithm that ordered the list')),
  since: optional(date('since when the link is Ready')),
  lastpinged: optional(date('its last ping')),
  roundtripms: optional(decimal('the last round trip, milliseconds')),
  failovers: optional(integer('links that it has lost since its process started; Muster agents only')),
  lastloss: optional(string('why the link before this one was lost, unless the agent moved to this one')),
  disconnected: optional(date('when its server lost it')),
  lag: optional(string('why it has not taken the list that it should have by now')),
  configurationversion: optional(integer('the generation of the configuration that its list was made from')),
  factsage: optional(integer('how old what is told of this link is, in seconds')),
} as const;

export const LINK_COMMANDS = {
  listAgentLinks: {
    description: 'Lists who is connected where, who is not where it should be, since when, and why',
    forReaders: true,
    params: {
      hostid: uuid('only this host'),
      managementserverid: uuid('only the hosts of this management server'),
      state: string('only hosts in this state'),
      astray: boolean('only hosts that are not on their preferred host (false)'),
      laggards: boolean('only hosts that have not taken the list that they should have by now (false)'),
      ...LIST_PARAMS,
      keyword: string('only hosts with this in their name or address'),
    },
    response: { kind: 'list', object: 'agentlink', fields: LINK },
    columns: ['hostname', 'state', 'connectedhost', 'preferredhost', 'ispreferred', 'since', 'roundtripms', 'lastloss'],
  },
} as const satisfies ApiCommands;
