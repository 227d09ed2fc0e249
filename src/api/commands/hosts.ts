import {
  type ApiCommands,
  boolean,
  DONE,
  date,
  integer,
  LIST_PARAMS,
  list,
  longString,
  optional,
  orEmpty,
  required,
  string,
  uuid,
} from '../table.js';

const HOST = {
  id: string('the id of the host'),
  name: string('the name of the host'),
  state: string('Creating (it has a certificate, and its agent has not come yet), Connecting, Up, Disconnected'),
  type: optional(string('Routing for hypervisors')),
  ipaddress: optional(string('the address that the host gives as its own')),
  zoneid: optional(string('the id of its zone')),
  zonename: optional(string('the name of its zone')),
  podid: optional(string('the id of its pod')),
  podname: optional(string('the name of its pod')),
  clusterid: optional(string('the id of its cluster')),
  clustername: optional(string('the name of its cluster')),
  version: optional(string("the version of the host's agent")),
  hypervisor: optional(string('the hypervisor')),
  arch: optional(string('the processor architecture')),
  resourcestate: optional(string('Enabled')),
  managementserverid: optional(string('the management server that has it')),
  managementservername: optional(string('the name of that server')),
  cpusockets: optional(integer('processor sockets')),
  cpunumber: optional(integer('processors')),
  cpuspeed: optional(integer('MHz')),
  memorytotal: optional(integer('bytes')),
  hosttags: optional(string('its tags, with commas between them: those of operators and those of its agent')),
  explicithosttags: optional(string('those of them that operators have given it')),
  implicithosttags: optional(string('those of them that its agent gives it, by host.tags of agent.properties')),
  annotation: optional(string('what an operator has written about it')),
  created: optional(date('when it registered first')),
  disconnected: optional(date('when its server lost it')),
  lastpinged: optional(date('when it last pinged; as old as `factsage` of listAgentLinks says')),
  certificatestate: optional(string('of its certificate: none, good, due (to be renewed), expired, revoked')),
  certificateserial: optional(string('the serial number of its certificate, hex')),
  certificateends: optional(date('when its certificate ends')),
  certificaterenews: optional(date('when its certificate is renewed')),
} as const;

/** Which hosts are listed, for all commands that list hosts. */
const WHICH_HOSTS = {
  id: uuid('only this host'),
  name: string('only hosts with this name'),
  state: string('only hosts in this state'),
  type: string('only hosts of this type'),
  zoneid: uuid('only hosts of this zone'),
  podid: uuid('only hosts of this pod'),
  clusterid: uuid('only hosts of this cluster'),
  managementserverid: uuid('only hosts of this management server'),
} as const;

export const HOST_COMMANDS = {
  listHosts: {
    description: 'Lists hosts, by name',
    forReaders: true,
    params: {
      ...WHICH_HOSTS,
      hypervisor: string('only hosts with this hypervisor'),
      resourcestate: string('only hosts in this resource state'),
      arch: string('only hosts with this architecture'),
      tag: string('only hosts with this tag'),
      details: string('for CloudStack clients; there is only one degree of detail'),
      ...LIST_PARAMS,
      keyword: string('only hosts with this in their name or address'),
    },
    response: { kind: 'list', object: 'host', fields: HOST },
    columns: ['name', 'state', 'ipaddress', 'clustername', 'managementservername', 'hosttags', 'version', 'lastpinged'],
  },
  listHostsMetrics: {
    description: 'Lists hosts, by name, with what their machines have',
    forReaders: true,
    params: {
      ...WHICH_HOSTS,
      ...LIST_PARAMS,
      keyword: string('only hosts with this in their name or address'),
    },
    response: {
      kind: 'list',
      object: 'host',
      fields: {
        ...HOST,
        cputotalghz: optional(string('all of its processors, as 19.20 Ghz')),
        memorytotalgb: optional(string('as 7.67 GB')),
      },
    },
    columns: ['name', 'state', 'cputotalghz', 'memorytotalgb', 'managementservername', 'lastpinged'],
  },
  updateHost: {
    description: 'Gives a host tags, and writes something about it',
    params: {
      id: required(uuid('the host')),
      hosttags: orEmpty(string('its tags, in place of those that operators have given it before; empty: none')),
      annotation: orEmpty(string('what is to be known about it; empty: nothing')),
    },
    response: { kind: 'object', object: 'host', fields: HOST },
    columns: ['name', 'hosttags', 'annotation'],
  },
  reconnectHost: {
    description: 'Ends the link of a host, and waits until it is Ready again',
    isAsync: true,
    params: { id: required(uuid('the host')) },
    response: { kind: 'object', object: 'host', fields: HOST },
    columns: ['name', 'state', 'managementservername'],
  },
  migrateHost: {
    description:
      'Has the agent of a host go to another server of its list, without a gap; it goes back at its next check of the preferred host',
    isAsync: true,
    params: {
      id: required(uuid('the host')),
      managementserverid: required(uuid('the management server that it goes to')),
    },
    response: { kind: 'object', object: 'host', fields: HOST },
    columns: ['name', 'state', 'managementservername'],
  },
  diagnoseHost: {
    description:
      "Has a host's agent look at its files, its certificates and every server of its list, as doctor does there",
    isAsync: true,
    params: {
      id: required(uuid('the host')),
      hosts: longString('it dials these management servers alone, with commas between them, and looks at nothing else'),
    },
    response: {
      kind: 'object',
      object: 'diagnosis',
      fields: {
        hostid: string('the id of the host'),
        hostname: string('its name'),
        result: boolean('whether no finding is an error'),
        details: string('the worst finding, or that all is well'),
        findings: list(
          {
            level: string('ok, warn, error'),
            what: string('the file, the setting or the management server'),
            found: string('what was found'),
            remedy: optional(string('what to do about it')),
          },
          'what was looked at, in its order',
        ),
      },
    },
    columns: ['hostname', 'result', 'details'],
  },
  deleteHost: {
    description: 'Removes a host: its agent is told not to come back, and its id is never used again',
    params: {
      id: required(uuid('the host')),
      forced: boolean('also when its agent cannot be told (false)'),
    },
    ...DONE,
  },
} as const satisfies ApiCommands;
