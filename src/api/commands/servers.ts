import {
  type ApiCommands,
  boolean,
  DONE,
  date,
  integer,
  LIST_PARAMS,
  list,
  optional,
  required,
  string,
  uuid,
} from '../table.js';

const PEER = {
  id: string('the id of the other server'),
  name: string('its name'),
  state: string('its state'),
  ipaddress: string('its address, as it stands in host'),
  lastupdated: date('its last heartbeat'),
} as const;

const SERVER = {
  id: string('the id of the management server'),
  name: string('its name'),
  state: string('Up, Down, PreparingForMaintenance, Maintenance, PreparingForShutDown, ReadyToShutDown, ShuttingDown'),
  statesince: date('since when it has been in this state'),
  stateby: optional(string('who has asked for this state, such as operator; none: the servers themselves')),
  version: string('its version'),
  osdistribution: optional(string('its operating system')),
  kernelversion: optional(string("its kernel's version")),
  lastserverstart: optional(date('when its process started')),
  lastserverstop: optional(date('when it last stopped in good order')),
  lastboottime: optional(date('when its machine started')),
  heartbeatage: optional(
    integer('seconds for which the server that answers has seen no heartbeat of it; none once it has stopped'),
  ),
  processstate: string(
    'Running; Silent: it has missed five heartbeats, and counts as Down after cluster.heartbeat.threshold; or Stopped',
  ),
  serviceip: string('its address, as it stands in host'),
  ipaddress: string('the same'),
  agents: list('string', 'the ids of the hosts that it has'),
  lastagents: list('string', 'the ids of the hosts that it had last, and no server has now'),
  agentscount: integer('how many hosts it has'),
  pendingjobscount: optional(integer('how many jobs it has to carry out')),
  survivorload: optional(
    integer(
      'how many hosts it would have if that other server died whose death is worst for it, by the lists of the hosts; up to ten seconds old; none: it takes no agents, or no other server does',
    ),
  ),
  strandedcount: optional(
    integer('how many of its hosts would have nowhere to go if it died, likewise; none: it takes no agents'),
  ),
  peers: optional(list(PEER, 'the other servers, as the store has them; only if asked for')),
} as const;

export const SERVER_COMMANDS = {
  listManagementServers: {
    description: 'Lists management servers',
    forReaders: true,
    params: {
      id: uuid('only this server'),
      name: string('only the server with this name'),
      peers: boolean('with the other servers of each (false)'),
      agents: boolean('with the ids of the hosts of each (true)'),
      ...LIST_PARAMS,
    },
    response: { kind: 'list', object: 'managementserver', fields: SERVER },
    columns: [
      'name',
      'state',
      'processstate',
      'ipaddress',
      'version',
      'agentscount',
      'pendingjobscount',
      'lastserverstart',
    ],
  },
  listManagementServersMetrics: {
    description:
      'Lists management servers with what is measured of them; of its process only the server that answers knows',
    forReaders: true,
    params: {
      id: uuid('only this server'),
      name: string('only the server with this name'),
      ...LIST_PARAMS,
    },
    response: {
      kind: 'list',
      object: 'managementserver',
      fields: {
        ...SERVER,
        agentcount: integer('how many hosts it has'),
        lastheartbeat: optional(date('when it last raised its heartbeat counter, by the clock of the store')),
        collectiontime: optional(date('when what follows was measured')),
        availableprocessors: optional(integer('processors of its machine')),
        heapmemoryused: optional(integer('bytes of its process')),
        heapmemorytotal: optional(integer('likewise, in use or not')),
        systemmemorytotal: optional(string('of its machine, as 7.67 GB')),
        systemmemoryfree: optional(string('likewise')),
      },
    },
    columns: [
      'name',
      'state',
      'agentcount',
      'lastheartbeat',
      'availableprocessors',
      'heapmemoryused',
      'systemmemoryfree',
    ],
  },
  removeManagementServer: {
    description: 'Removes a management server that is Down and will not come back, with all that waits for it',
    params: { id: required(uuid('the management server')) },
    ...DONE,
  },
} as const satisfies ApiCommands;
