/**
 * Every command of the HTTP API, once: what validates requests, answers listApis, helps on the command line and makes
 * docs/api.md. Names are CloudStack's where it has the command.
 */

export type ParamType = 'string' | 'uuid' | 'integer' | 'boolean';
export interface Param {
  readonly type: ParamType;
  readonly description: string;
  readonly required?: true;
}

export type FieldType = 'string' | 'integer' | 'decimal' | 'boolean' | 'date' | 'list' | 'map';
export interface Field {
  readonly type: FieldType;
  readonly description: string;
}

export interface ApiCommand {
  readonly description: string;
  /** It answers with a job id; the outcome is asked for by queryAsyncJobResult. */
  readonly isAsync?: true;
  readonly params: Readonly<Record<string, Param>>;
  readonly response: ApiResponse;
  /** What the command line shows of each object, unless asked for all. */
  readonly columns: readonly string[];
}

export interface ApiResponse {
  /** `list`: `{count, <object>: […]}`; `object`: `{<object>: {…}}`; `plain`: the fields themselves. */
  readonly kind: 'list' | 'object' | 'plain';
  readonly object: string;
  readonly fields: Readonly<Record<string, Field>>;
}

const uuid = (description: string) => ({ type: 'uuid', description }) as const;
const string = (description: string) => ({ type: 'string', description }) as const;
const integer = (description: string) => ({ type: 'integer', description }) as const;
const decimal = (description: string) => ({ type: 'decimal', description }) as const;
const boolean = (description: string) => ({ type: 'boolean', description }) as const;
const date = (description: string) => ({ type: 'date', description }) as const;
const list = (description: string) => ({ type: 'list', description }) as const;
const map = (description: string) => ({ type: 'map', description }) as const;
const required = <P extends Param>(param: P) => ({ ...param, required: true }) as const;

const PAGING = {
  page: integer('which page, from 1'),
  pagesize: integer('objects on a page; -1 for all (500)'),
} as const;
const KEYWORD = { keyword: string('only objects with this in their name') } as const;

const HOST = {
  id: string('the id of the host'),
  name: string('the name of the host'),
  state: string('Connecting, Up, Disconnected, Removed'),
  type: string('Routing for hypervisors'),
  ipaddress: string('the address that the host gives as its own'),
  zoneid: string('the id of its zone'),
  zonename: string('the name of its zone'),
  podid: string('the id of its pod'),
  podname: string('the name of its pod'),
  clusterid: string('the id of its cluster'),
  clustername: string('the name of its cluster'),
  version: string("the version of the host's agent"),
  hypervisor: string('the hypervisor'),
  arch: string('the processor architecture'),
  resourcestate: string('Enabled'),
  managementserverid: string('the management server that has it'),
  managementservername: string('the name of that server'),
  cpusockets: integer('processor sockets'),
  cpunumber: integer('processors'),
  cpuspeed: integer('MHz'),
  memorytotal: integer('bytes'),
  created: date('when it registered first'),
  disconnected: date('when its server lost it'),
  removed: date('when it was removed'),
  lastpinged: date('when it last pinged; as old as `factsage` of listAgentLinks says'),
} as const;

const SERVER = {
  id: string('the id of the management server'),
  name: string('its name'),
  state: string('Up, Down, PreparingForMaintenance, Maintenance, PreparingForShutDown, ReadyToShutDown, ShuttingDown'),
  version: string('its version'),
  osdistribution: string('its operating system'),
  kernelversion: string("its kernel's version"),
  lastserverstart: date('when its process started'),
  lastserverstop: date('when it stopped in good order'),
  lastboottime: date('when its machine started'),
  heartbeatage: integer('seconds since it last showed that it lives; none once it has stopped in good order'),
  serviceip: string('its address, as it stands in host'),
  ipaddress: string('the same'),
  agents: list('the hosts that it has'),
  lastagents: list('the hosts that it had before they moved away'),
  agentscount: integer('how many hosts it has'),
  pendingjobscount: integer('how many jobs it has to carry out'),
  peers: list('what it knows of the other servers; only if asked for'),
} as const;

const CONFIGURATION = {
  category: string('Advanced'),
  group: string('Management Server, Agent'),
  name: string('the name'),
  value: string('the value that holds'),
  defaultvalue: string('what holds when nothing else is set'),
  description: string('what it is for'),
  component: string('management-server'),
  displaytext: string('the same as a title'),
  type: string('String, Number, Decimal, Boolean, Select, CSV'),
  options: string('the values that are allowed, of a Select'),
  isdynamic: boolean('whether a change takes effect without a restart'),
  scope: string('of a value that is not global'),
  agentsmoving: integer('of an update: how many agents have another first server by it'),
} as const;

const EVENT = {
  id: string('the id of the event'),
  type: string('what kind of event'),
  level: string('INFO, WARN or ERROR'),
  description: string('what happened'),
  created: date('when'),
  resourceid: string('what it is about'),
  resourcetype: string('Host or ManagementServer'),
  managementserverid: string('the management server that says so'),
  managementservername: string('its name'),
} as const;

const JOB = {
  jobid: string('the id of the job'),
  cmd: string('the command'),
  jobstatus: integer('0 under way, 1 succeeded, 2 failed'),
  jobprocstatus: integer('0'),
  jobresultcode: integer('0, or the error code'),
  jobresulttype: string('object or text'),
  jobresult: map('what the command answers, or the error'),
  jobinstanceid: string('what it is about'),
  progress: string('how far it is'),
  created: date('when it was asked for'),
  completed: date('when it ended'),
} as const;

const LINK = {
  hostid: string('the id of the host'),
  hostname: string('its name'),
  state: string('Connecting, Up or Disconnected'),
  connectedhost: string('the management server that it is on, as in host'),
  managementserverid: string('the same by its id'),
  preferredhost: string('the first of its list'),
  ispreferred: boolean('whether it is where it should be'),
  hostlist: list('its list of management servers'),
  algorithm: string('the algorithm that ordered the list'),
  since: date('since when the link is Ready'),
  lastpinged: date('its last ping'),
  roundtripms: decimal('the last round trip, milliseconds'),
  failovers: integer('links that it has lost since its process started; Muster agents only'),
  lastloss: string('why the last link was lost'),
  disconnected: date('when its server lost it'),
  lag: string('why it has not taken the list that it should have by now'),
  configurationversion: integer('the generation of the configuration that its list was made from'),
  factsage: integer('seconds since the facts of this link were written to the store'),
} as const;

const SERVER_STATE = {
  managementserverid: string('the id of the management server'),
  state: string('its state'),
  maintenanceinitiated: boolean('whether it is in maintenance, or on the way there'),
  shutdowntriggered: boolean('whether it is shutting down, or on the way there'),
  readyforshutdown: boolean('whether it has no agents any more'),
  pendingjobscount: integer('how many jobs it has to carry out'),
  agentscount: integer('how many hosts it still has'),
  agents: list('the ids of these hosts'),
  jobid: string(
    'the job that moves its agents away: queryAsyncJobResult tells how far it is, and what is left and why',
  ),
} as const;
const SERVER_ID = { managementserverid: required(uuid('the management server')) } as const;
const STATE_COLUMNS = ['state', 'agentscount', 'pendingjobscount', 'jobid'] as const;

export const API = {
  listManagementServers: {
    description: 'Lists management servers',
    params: {
      id: uuid('only this server'),
      name: string('only the server with this name'),
      peers: boolean('with what each knows of the others (false)'),
      ...KEYWORD,
      ...PAGING,
    },
    response: { kind: 'list', object: 'managementserver', fields: SERVER },
    columns: ['name', 'state', 'ipaddress', 'version', 'agentscount', 'pendingjobscount', 'lastserverstart'],
  },
  listHosts: {
    description: 'Lists hosts',
    params: {
      id: uuid('only this host'),
      name: string('only hosts with this name'),
      state: string('only hosts in this state'),
      type: string('only hosts of this type'),
      zoneid: uuid('only hosts of this zone'),
      podid: uuid('only hosts of this pod'),
      clusterid: uuid('only hosts of this cluster'),
      managementserverid: uuid('only hosts of this management server'),
      hypervisor: string('only hosts with this hypervisor'),
      resourcestate: string('only hosts in this resource state'),
      arch: string('only hosts with this architecture'),
      details: string('for CloudStack clients; there is only one degree of detail'),
      ...KEYWORD,
      ...PAGING,
    },
    response: { kind: 'list', object: 'host', fields: HOST },
    columns: ['name', 'state', 'ipaddress', 'zonename', 'clustername', 'managementservername', 'version', 'lastpinged'],
  },
  reconnectHost: {
    description: 'Ends the link of a host, and waits until it is Ready again',
    isAsync: true,
    params: { id: required(uuid('the host')) },
    response: { kind: 'object', object: 'host', fields: HOST },
    columns: ['name', 'state', 'managementservername'],
  },
  deleteHost: {
    description: 'Removes a host: its agent is told not to come back, and its id is never used again',
    params: {
      id: required(uuid('the host')),
      forced: boolean('also when its agent cannot be told (false)'),
    },
    response: {
      kind: 'plain',
      object: 'success',
      fields: { success: boolean('true'), displaytext: string('what was done') },
    },
    columns: ['success', 'displaytext'],
  },
  listConfigurations: {
    description: 'Lists the global configuration',
    params: {
      name: string('only names with this in them'),
      category: string('only this category'),
      clusterid: uuid('the values of this cluster'),
      ...KEYWORD,
      ...PAGING,
    },
    response: { kind: 'list', object: 'configuration', fields: CONFIGURATION },
    columns: ['name', 'value', 'defaultvalue', 'description'],
  },
  updateConfiguration: {
    description: 'Changes a value of the global configuration',
    params: {
      name: required(string('the name')),
      value: required(string('the value')),
      clusterid: uuid('for this cluster alone; only indirect.agent.lb.check.interval, and empty for the global value'),
      forced: boolean('also a host list without any server that is Up (false)'),
    },
    response: { kind: 'object', object: 'configuration', fields: CONFIGURATION },
    columns: ['name', 'value', 'defaultvalue', 'agentsmoving'],
  },
  listEvents: {
    description: 'Lists events, newest first',
    params: {
      level: string('only INFO, WARN or ERROR'),
      type: string('only this type'),
      startdate: string('only events since this moment'),
      ...KEYWORD,
      ...PAGING,
    },
    response: { kind: 'list', object: 'event', fields: EVENT },
    columns: ['created', 'level', 'managementservername', 'type', 'description'],
  },
  listApis: {
    description: 'Lists the commands of this API, with their parameters and responses',
    params: { name: string('only this command') },
    response: {
      kind: 'list',
      object: 'api',
      fields: {
        name: string('the name'),
        description: string('what it does'),
        isasync: boolean('whether it answers with a job id'),
        params: list('its parameters: name, type, description, required'),
        response: list('the fields of its response: name, type, description'),
      },
    },
    columns: ['name', 'description', 'isasync'],
  },
  queryAsyncJobResult: {
    description: 'Tells how far a job is, and what came of it',
    params: { jobid: required(uuid('the job')) },
    response: { kind: 'plain', object: 'asyncjobs', fields: JOB },
    columns: ['cmd', 'jobstatus', 'progress', 'created', 'completed'],
  },
  listAgentLinks: {
    description: 'Lists who is connected where, who is not where it should be, since when, and why',
    params: {
      hostid: uuid('only this host'),
      managementserverid: uuid('only the hosts of this management server'),
      state: string('only hosts in this state'),
      astray: boolean('only hosts that are not on their preferred server (false)'),
      laggards: boolean('only hosts that have not taken the list that they should have by now (false)'),
      ...KEYWORD,
      ...PAGING,
    },
    response: { kind: 'list', object: 'agentlink', fields: LINK },
    columns: ['hostname', 'state', 'connectedhost', 'preferredhost', 'ispreferred', 'since', 'roundtripms', 'lastloss'],
  },
  prepareForMaintenance: {
    description: 'Takes a server out of service: it takes no new agents, and its agents move to others',
    params: {
      ...SERVER_ID,
      algorithm: string('how the lists are ordered by which its agents move away (the configured one)'),
      forced: boolean('when the time is out, close the links of agents that stayed (false)'),
    },
    response: { kind: 'object', object: 'prepareformaintenance', fields: SERVER_STATE },
    columns: STATE_COLUMNS,
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
    response: { kind: 'object', object: 'prepareforshutdown', fields: SERVER_STATE },
    columns: STATE_COLUMNS,
  },
  cancelShutdown: {
    description: 'Takes a server that was prepared for its shutdown back into service',
    params: SERVER_ID,
    response: { kind: 'object', object: 'cancelshutdown', fields: SERVER_STATE },
    columns: STATE_COLUMNS,
  },
  readyForShutdown: {
    description: 'Tells whether a server has no agents any more',
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
      'Has agents that are not on their preferred server go there now, at a pace; with rendezvous, after all were placed anew',
    params: { managementserverid: uuid('only agents that prefer this server') },
    response: {
      kind: 'plain',
      object: 'success',
      fields: {
        success: boolean('true'),
        placed: integer('with rendezvous: how many hosts have another first server now'),
        jobids: list('a job for each server that is Up'),
      },
    },
    columns: ['success', 'placed', 'jobids'],
  },
  previewHostList: {
    description: 'Tells what a proposed host list or algorithm would do: who would get which list, and who would move',
    params: {
      host: string('the management servers proposed (those that hold)'),
      algorithm: string('the algorithm proposed (the one that holds)'),
      ...PAGING,
    },
    response: {
      kind: 'object',
      object: 'preview',
      fields: {
        host: string('the management servers'),
        algorithm: string('the algorithm'),
        agentscount: integer('how many agents there are'),
        moves: integer('how many would get another first server'),
        shares: list('for each server: address, agents, percent'),
        count: integer('how many agents, of all pages'),
        agents: list('for each agent: hostid, hostname, preferredhost, hostlist, moves'),
      },
    },
    columns: ['algorithm', 'host', 'agentscount', 'moves', 'shares'],
  },
} as const satisfies Readonly<Record<string, ApiCommand>>;

export type CommandName = keyof typeof API;

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(API, name);
}

type Value<P extends Param> = P['type'] extends 'integer' ? number : P['type'] extends 'boolean' ? boolean : string;
type RequiredNames<S> = { [K in keyof S]: S[K] extends { readonly required: true } ? K : never }[keyof S];

/** The checked parameters of a command. */
export type Params<N extends CommandName> = {
  readonly [K in RequiredNames<(typeof API)[N]['params']>]: (typeof API)[N]['params'][K] extends Param
    ? Value<(typeof API)[N]['params'][K]>
    : never;
} & {
  readonly [K in Exclude<keyof (typeof API)[N]['params'], RequiredNames<(typeof API)[N]['params']>>]?:
    | ((typeof API)[N]['params'][K] extends Param ? Value<(typeof API)[N]['params'][K]> : never)
    | undefined;
};
