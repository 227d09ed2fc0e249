// The folders of src/, which of them may import which, and what belongs in each. test/house.test.ts holds the imports, and
// scripts/architecture.ts draws them in docs/architecture.md.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** One folder of src/. */
export interface Room {
  /** What belongs in it. */
  readonly holds: string;
  /** What does not, and where that is. */
  readonly not: string;
  /** The folders whose files its files may import. Files of one folder may always import each other. */
  readonly mayImport: readonly string[];
}

const STORE = ['lib', 'mgmt/store'];
const BASE = [...STORE, 'mgmt/config'];
const SHARED = [...BASE, 'protocol', 'mgmt/metrics', 'mgmt/cluster', 'mgmt/security'];
const HOSTS = [...SHARED, 'mgmt/hosts'];
const LISTS = [...HOSTS, 'mgmt/lists'];
const AGENTS = [...LISTS, 'mgmt/agents'];
const COMMANDS = [...AGENTS, 'mgmt/cluster/links', 'mgmt/commands'];
const JOBS = [...COMMANDS, 'mgmt/canary', 'mgmt/jobs'];
const HTTP = [...JOBS, 'api', 'metrics', 'mgmt/http'];

/**
 * By the path below src/. A folder in a folder, such as agent/handlers, belongs to the room around it unless it is named
 * here. The files of src/ itself are the entry points: they may import everything.
 */
export const ROOMS: Readonly<Record<string, Room>> = {
  lib: {
    holds: 'what any program could use: clock, random, log, files, properties, addresses, errors',
    not: 'anything that knows of CloudStack, agents or servers',
    mayImport: [],
  },
  program: {
    holds: 'what running programs have in common: arguments, settings file, signals, an end in order',
    not: 'what a program does between its start and its end',
    mayImport: ['lib'],
  },
  metrics: {
    holds: 'metrics in general: their tables, what the program counts with, and how Prometheus reads them',
    not: 'which metrics there are: that is in `mgmt/metrics` and `agent`, but for those of any process',
    mayImport: ['lib'],
  },
  protocol: {
    holds: 'bytes to messages and back, in both directions; links over which both sides ask and answer',
    not: 'what a message leads to: that is in `agent/handlers` and `mgmt/agents`',
    mayImport: ['lib'],
  },
  api: {
    holds: 'what the HTTP API looks like: its commands with typed parameters and responses, words, envelope, signature',
    not: 'what a command does (`mgmt/http`), or how the command line shows it (`admin`)',
    mayImport: ['lib'],
  },
  'agent/dial': {
    holds: 'from the name of a host to a TCP connection: lookups, addresses, connects',
    not: 'which host is dialled and when (`agent/steps`), and what is said on the connection',
    mayImport: ['lib', 'protocol'],
  },
  'agent/trust': {
    holds: 'certificates: whether a server is trusted, what the agent presents, and how it is given new ones',
    not: 'when a link is replaced to present them (`agent/steps`)',
    mayImport: ['lib', 'protocol'],
  },
  agent: {
    holds:
      'the agent: its state, its links, its settings and its properties file; in `steps` the decisions, in `doctor` what it ' +
      'and the command line look at when something may be wrong',
    not: 'anything of a server; what both need of the wire is in `protocol`',
    mayImport: ['lib', 'program', 'metrics', 'protocol', 'agent/dial', 'agent/trust'],
  },
  testing: {
    holds: 'what tests of programs that speak the protocol need: fakes, a proxy with faults, recorded packets',
    not: 'what only tests of this project need: that is in `test/helpers`',
    mayImport: ['lib', 'protocol', 'agent', 'agent/dial', 'mgmt/security'],
  },
  fleet: {
    holds: 'many agents in one process, for load tests and demonstrations',
    not: 'behaviour of a single agent (`agent`)',
    mayImport: ['lib', 'program', 'protocol', 'agent', 'agent/dial'],
  },
  admin: {
    holds: 'the command line: arguments, credentials, calls of the API, tables',
    not: 'rules: it asks a server, by the API alone',
    mayImport: ['lib', 'api', 'agent'],
  },
  console: {
    holds: 'the console in the browser; in `model`, without a browser, what it shows, computed from what the API tells',
    not: 'rules and rights: it asks a server, by the API alone',
    mayImport: ['lib', 'api'],
  },
  'mgmt/store': {
    holds: 'the contract of the store in the words of the domain, its errors, and whether it can be reached',
    not: 'SQL',
    mayImport: ['lib', 'protocol'],
  },
  'mgmt/store/sql': {
    holds: 'the contract in SQL that all databases here understand; schema and migrations',
    not: 'what only one database does: that goes through `SqlDatabase`',
    mayImport: STORE,
  },
  'mgmt/store/sqlite': {
    holds: 'how SQLite is opened and driven, and what its errors mean',
    not: 'queries',
    mayImport: [...STORE, 'mgmt/store/sql'],
  },
  'mgmt/store/mysql': {
    holds: 'likewise for MariaDB and MySQL, with one node or several',
    not: 'queries',
    mayImport: [...STORE, 'mgmt/store/sql'],
  },
  'mgmt/metrics': {
    holds: 'which metrics a management server has, and the measuring of the store',
    not: 'where the figures come from: what happens is counted where it does, and the rest is in `mgmt`',
    mayImport: [...STORE, 'metrics'],
  },
  'mgmt/config': {
    holds: 'names, values and bounds: global configuration, settings of one server, limits',
    not: 'what a change of the configuration leads to (`mgmt/lists`)',
    mayImport: [...STORE, 'api'],
  },
  'mgmt/cluster': {
    holds: 'the servers among each other: rows and states of servers, heartbeats, events, the data folder',
    not: 'anything about agents',
    mayImport: BASE,
  },
  'mgmt/cluster/links': {
    holds: 'the links between servers: one for each pair, who may open it, what is asked over it',
    not: 'what is done with a command for an agent (`mgmt/commands`)',
    mayImport: SHARED,
  },
  'mgmt/security': {
    holds: 'CA, certificates, API keys, sealed secrets',
    not: 'the check of an API request (`mgmt/http`)',
    mayImport: [...BASE, 'protocol'],
  },
  'mgmt/hosts': {
    holds: 'what is known of hosts, and which server has which',
    not: 'links and packets (`mgmt/agents`), and what hosts are told (`mgmt/lists`)',
    mayImport: SHARED,
  },
  'mgmt/lists': {
    holds: 'from the configuration to the list of each agent: algorithms, assignments, preview, propagation',
    not: 'how an agent is connected (`mgmt/agents`), or moved (`mgmt/jobs`)',
    mayImport: [...HOSTS, 'api'],
  },
  'mgmt/agents': {
    holds: 'the conversation with a connected agent, from the accepted socket to its last packet',
    not: 'which list an agent gets (`mgmt/lists`), and work that outlives a link (`mgmt/jobs`)',
    mayImport: LISTS,
  },
  'mgmt/commands': {
    holds: 'commands for agents: to the server that has the agent, and until there is an outcome',
    not: 'how the agent is connected (`mgmt/agents`), and jobs over many hosts (`mgmt/jobs`)',
    mayImport: COMMANDS.filter(room => room !== 'mgmt/commands'),
  },
  'mgmt/canary': {
    holds: 'a change tried on a few hosts first: which hosts, what their dials tell, and how it ends',
    not: 'how lists follow from it (`mgmt/lists`), and how the hosts are asked (`mgmt/commands`)',
    mayImport: COMMANDS,
  },
  'mgmt/jobs': {
    holds: 'what operators ask of the cluster, and work that takes time: drains, rebalancing, jobs about hosts',
    not: 'HTTP: the names and forms of requests are in `mgmt/http`',
    mayImport: [...COMMANDS, 'mgmt/canary'],
  },
  'mgmt/alerts': {
    holds: 'what operators are told of by itself: when an alert begins and ends, and its way to webhooks',
    not: 'events (`mgmt/cluster`), and how alerts are listed (`mgmt/http`)',
    mayImport: [...SHARED, 'api'],
  },
  'mgmt/http': {
    holds: 'the HTTP API’s server side: port, authentication, checks of parameters, one handler for each command',
    not: 'rules: a handler translates between the API and a call of `mgmt/jobs`, `mgmt/lists` or the store',
    mayImport: [...JOBS, 'api', 'metrics'],
  },
  mgmt: {
    holds: 'one server put together from its parts, and the face for programs that embed a server',
    not: 'behaviour: that is in the folders below',
    mayImport: [...HTTP, 'mgmt/alerts', 'program', 'mgmt/store/sql', 'mgmt/store/sqlite', 'mgmt/store/mysql'],
  },
};

/** The files of a source folder, as paths below it. Declarations of foreign modules are none. */
export function sourceFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(file => /(?<!\.d)\.tsx?$/.test(file))
    .sort();
}

/** What a file of `folder` imports of it, at its start or later, as paths below `folder` that end in `.js`. */
export function importsOf(folder: string, file: string): readonly string[] {
  const source = readFileSync(join(folder, file), 'utf8');
  return [...source.matchAll(/(?:\bfrom |\bimport |\bimport\()'(\.[^']+)'/g)].map(([, path = '']) =>
    relative(folder, join(folder, dirname(file), path)),
  );
}

/** The room that a file is in: the innermost folder of its path that `ROOMS` names. Undefined for an entry point. */
export function roomOf(file: string): string | undefined {
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
    if (folder in ROOMS) return folder;
  }
  return undefined;
}
