import { type ApiCommands, boolean, integer, list, optional, required, string, uuid } from '../table.js';

const SERVER_STATE = {
  managementserverid: string('the id of the management server'),
  state: string('its state'),
  maintenanceinitiated: boolean('whether it is in maintenance, or on the way there'),
  shutdowntriggered: boolean('whether it is shutting down, or on the way there'),
  readyforshutdown: boolean('whether it has no agents any more'),
  pendingjobscount: integer('how many jobs it has to carry out'),
  agentscount: integer('how many hosts it still has'),
  agents: list('string', 'the ids of these hosts'),
} as const;
const STATE_COLUMNS = ['state', 'agentscount', 'pendingjobscount'] as const;

/** Of a server whose agents are moved away. */
const DRAINING_SERVER = {
  ...SERVER_STATE,
  jobid: string(
    'the job that moves its agents away: queryAsyncJobResult tells how far it is, and what is left and why',
  ),
} as const;
const DRAINING_COLUMNS = [...STATE_COLUMNS, 'jobid'] as const;

const SERVER_ID = { managementserverid: required(uuid('the management server')) } as const;

export const MAINTENANCE_COMMANDS = {
  prepareForMaintenance: {
    description: 'Takes a server out of service: it takes no new agents, and its agents move to others',
    params: {
      ...SERVER_ID,
      algorithm: string('how the lists are ordered by which its agents move away (the configured one)'),
      forced: boolean(
        'also when no other server of host is Up; links that are left when the time is out are closed (false)',
      ),
    },
    response: { kind: 'object', object: 'prepareformaintenance', fields: DRAINING_SERVER },
    columns: DRAINING_COLUMNS,
  },
  cancelMaintenance: {
    description: 'Takes a server back into service',
    params: { ...SERVER_ID, rebalance: boolean('its agents return, at a pace (true)') },
    response: { kind: 'object', object: 'cancelmaintenance', fields: SERVER_STATE },
    columns: STATE_COLUMNS,
  },
  prepareForShutdown: {
    description: 'Moves the agents of a server to others, so that it can be shut down',
    params: SERVER_ID,
    response: { kind: 'object', object: 'prepareforshutdown', fields: DRAINING_SERVER },
    columns: DRAINING_COLUMNS,
  },
  cancelShutdown: {
    description: 'Takes a server that was prepared for its shutdown back into service',
    params: SERVER_ID,
    response: { kind: 'object', object: 'cancelshutdown', fields: SERVER_STATE },
    columns: STATE_COLUMNS,
  },
  readyForShutdown: {
    description: 'Tells whether a server has no agents any more',
    forReaders: true,
    params: SERVER_ID,
    response: { kind: 'object', object: 'readyforshutdown', fields: SERVER_STATE },
    columns: ['readyforshutdown', ...STATE_COLUMNS],
  },
  triggerShutdown: {
    description: 'Ends the process of a server, in good order: its agents are moved first, as on SIGTERM',
    params: { ...SERVER_ID, forced: boolean('also when no other server would take its agents (false)') },
    response: { kind: 'object', object: 'triggershutdown', fields: SERVER_STATE },
    columns: STATE_COLUMNS,
  },
  rebalanceAgents: {
    description:
      'Has agents that are not on their preferred host go there now, at a pace; with rendezvous, after all were assigned anew',
    params: { managementserverid: uuid('only agents that prefer this server') },
    response: {
      kind: 'plain',
      object: 'success',
      fields: {
        success: boolean('true'),
        placed: optional(integer('with rendezvous: how many hosts have another preferred host now')),
        jobids: list('string', 'a job for each server that can take agents'),
      },
    },
    columns: ['success', 'placed', 'jobids'],
  },
} as const satisfies ApiCommands;
