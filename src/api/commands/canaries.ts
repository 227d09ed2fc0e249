import { type ApiCommands, boolean, DONE, date, integer, list, optional, orEmpty, required, string } from '../table.js';

const CAUSE = {
  outcome: string('answered (with result=false), unsupported, refused, cancelled, unknown'),
  reason: optional(string('what the agent or the server says')),
  hosts: integer('how many hosts'),
  hostname: string('one of them'),
} as const;

const CANARY = {
  id: integer('the generation of the configuration that it began with'),
  host: optional(string('the management servers that its hosts are told')),
  algorithm: optional(string('the algorithm by which they are told them')),
  weights: optional(string('the weights, for rendezvous')),
  created: date('when it began'),
  createdby: string('the API key that asked for it, or the address of the management server that did'),
  hosts: integer('how many hosts it has; removed ones are left out'),
  connected: integer('of those: are Up'),
  listed: integer('have their list'),
  arrived: integer('are on the first server of it'),
  jobid: optional(string('the job that asks them to dial: listCommandResults has each of them')),
  dialling: optional(integer('have not ended it')),
  reached: optional(integer('have reached all servers that they are told, by TCP and TLS')),
  failed: optional(integer('have not')),
  unable: optional(integer("have an agent that cannot be asked, such as CloudStack's")),
  unasked: optional(integer('were not connected, or asked no longer')),
  causes: list(CAUSE, 'why hosts have not reached them, the most frequent first'),
  objection: optional(string('why commitCanary refuses without forced=true; missing: nothing speaks against it')),
} as const;

const ONE = {
  response: { kind: 'object', object: 'canary', fields: CANARY },
  columns: ['id', 'hosts', 'connected', 'listed', 'arrived', 'reached', 'failed', 'objection'],
} as const;

const ID = required(integer('the canary'));

export const CANARY_COMMANDS = {
  startCanary: {
    description:
      'Has a proposed host list or algorithm hold for a few hosts first, which dial the servers that they are told',
    params: {
      host: string('the management servers proposed (those that hold)'),
      algorithm: string('the algorithm proposed (the one that holds)'),
      weights: orEmpty(string('the weights proposed, for rendezvous (those that hold)')),
      percent: integer('of the hosts, 1 to 50; at least one host is taken (1)'),
      forced: boolean('also a host list without any server that is Up (false)'),
    },
    ...ONE,
  },
  listCanaries: {
    description: 'Tells which canary stands, and how far it is; there is one at most',
    forReaders: true,
    params: {},
    ...ONE,
    response: { ...ONE.response, kind: 'list' },
  },
  verifyCanary: {
    description: 'Has the hosts of a canary dial the servers that they are told once more',
    params: { id: ID },
    ...ONE,
  },
  commitCanary: {
    description: 'Has the change of a canary hold for all agents',
    params: {
      id: ID,
      forced: boolean(
        'also when dials have failed or not ended, and with a host list without any server that is Up (false)',
      ),
    },
    ...DONE,
  },
  deleteCanary: {
    description: 'Takes a canary back: its hosts are told again what all others are',
    params: { id: ID },
    ...DONE,
  },
} as const satisfies ApiCommands;
