import {
  type ApiCommands,
  boolean,
  integer,
  LIST_PARAMS,
  optional,
  orEmpty,
  required,
  string,
  uuid,
} from '../table.js';

const CONFIGURATION = {
  category: string('Advanced'),
  group: string('Management Server, Agent'),
  name: string('the name'),
  value: string('the value that holds'),
  defaultvalue: string('what holds when nothing else is set'),
  description: string('what it is for'),
  component: string('management-server'),
  displaytext: string('the name as a title'),
  type: string('String, Number, Decimal, Boolean, Select'),
  options: optional(string('of a Select, the values that are allowed')),
  isdynamic: boolean('whether a change takes effect without a restart'),
  scope: optional(string("Cluster, when it is a cluster's own value")),
} as const;

/** What a value was changed to. */
const CHANGED = {
  response: {
    kind: 'object',
    object: 'configuration',
    fields: {
      ...CONFIGURATION,
      agentsmoving: optional(
        integer('how many agents have another preferred host by it; not with a value of a cluster'),
      ),
      warning: optional(string('what is doubtful about the value, such as an address that no server has')),
    },
  },
  columns: ['name', 'value', 'defaultvalue', 'agentsmoving'],
} as const;

export const CONFIGURATION_COMMANDS = {
  listConfigurations: {
    description: 'Lists the global configuration',
    forReaders: true,
    params: {
      name: string('only names with this in them'),
      category: string('only this category'),
      clusterid: uuid('the values of this cluster'),
      ...LIST_PARAMS,
    },
    response: { kind: 'list', object: 'configuration', fields: CONFIGURATION },
    columns: ['name', 'value', 'defaultvalue', 'description'],
  },
  updateConfiguration: {
    description: 'Changes a value of the global configuration',
    params: {
      name: required(string('the name')),
      value: required(orEmpty(string('the value'))),
      clusterid: uuid('for this cluster alone; only indirect.agent.lb.check.interval, and empty for the global value'),
      forced: boolean('also a host list without any server that is Up (false)'),
    },
    ...CHANGED,
  },
  resetConfiguration: {
    description: 'Sets a value of the global configuration back to its default',
    params: {
      name: required(string('the name; host has no default that could be set')),
      clusterid: uuid('for this cluster alone: the global value holds again'),
    },
    ...CHANGED,
  },
} as const satisfies ApiCommands;
