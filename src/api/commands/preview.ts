import { type ApiCommands, boolean, decimal, integer, LIST_PARAMS, list, optional, orEmpty, string } from '../table.js';

const { page, pagesize } = LIST_PARAMS;

const SHARE = {
  address: string('the server, as it stands in host'),
  agents: integer('how many agents would prefer it'),
  percent: decimal('of all agents'),
} as const;

const PREVIEWED_AGENT = {
  hostid: string('the id of the host'),
  hostname: string('its name'),
  preferredhost: optional(string('the first server of its list')),
  hostlist: list('string', 'the list that it would get'),
  moves: boolean('whether it would have another preferred host than now'),
} as const;

export const PREVIEW_COMMANDS = {
  previewHostList: {
    description: 'Tells what a proposed host list or algorithm would do: who would get which list, and who would move',
    forReaders: true,
    params: {
      host: string('the management servers proposed (those that hold)'),
      algorithm: string('the algorithm proposed (the one that holds)'),
      weights: orEmpty(string('the weights proposed, for rendezvous (those that hold)')),
      page,
      pagesize,
    },
    response: {
      kind: 'object',
      object: 'preview',
      fields: {
        host: string('the management servers'),
        algorithm: string('the algorithm'),
        agentscount: integer('how many agents there are'),
        moves: integer('how many would have another preferred host than now'),
        shares: list(SHARE, 'the share of each server'),
        count: integer('how many agents there are, on all pages'),
        agents: list(PREVIEWED_AGENT, 'the agents of this page'),
      },
    },
    columns: ['algorithm', 'host', 'agentscount', 'moves', 'shares'],
  },
} as const satisfies ApiCommands;
