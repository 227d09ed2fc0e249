import {
  type ApiCommands,
  boolean,
  DONE,
  integer,
  LIST_PARAMS,
  longString,
  optional,
  required,
  string,
  uuid,
} from '../table.js';

const SUMMARY = {
  total: integer('hosts of the job'),
  waiting: integer('hosts that get it later'),
  sent: integer('hosts that have got it, and have not answered'),
  answered: integer('hosts that have answered'),
  failed: integer('of those: with result=false'),
  unsupported: integer('hosts whose agent does not know the class'),
  refused: integer('hosts to which it was not sent: not connected in time, or too much waits'),
  cancelled: integer('hosts that get it no longer'),
  unknown: integer('hosts that have perhaps carried it out, and nobody can say'),
} as const;

const RESULT = {
  hostid: string('the id of the host'),
  hostname: string('its name'),
  outcome: string('answered, unsupported, refused, cancelled, unknown; before that waiting or sent'),
  result: optional(boolean('whether all answers say result=true')),
  reason: optional(string('why it is not well')),
  answers: optional(string('the answers as JSON: an array of objects, each a class and its fields')),
  truncated: optional(boolean('the answers were more than 64 KiB, or those of the job more than 256 MiB, and are cut')),
  durationms: optional(integer('from the moment at which it was to be sent to the outcome')),
  managementservername: optional(string('the management server that had the host')),
} as const;

export const SEND_COMMANDS = {
  sendCommand: {
    description: 'Sends a command to the agents of many hosts, and tells what became of it at each',
    isAsync: true,
    params: {
      ids: longString('the hosts: ids, names or guids, separated by commas'),
      clusterid: uuid('all hosts of this cluster, in place of ids'),
      zoneid: uuid('all hosts of this zone'),
      tag: string('all hosts with this tag'),
      all: boolean('all hosts'),
      class: string(
        'the class of the command, such as com.cloud.agent.api.GetHostStatsCommand; known ones by their last part',
      ),
      fields: longString('its fields, a JSON object ({})'),
      commands: longString(
        'several commands in one packet, in place of class and fields: a JSON array of objects with class and fields',
      ),
      stoponerror: boolean('when one of several fails, those behind it are not carried out (true)'),
      wait: integer('seconds for each host, until it is connected and has answered (60)'),
      insequence: boolean('a host gets it when it has answered what was sent to it in sequence before (false)'),
      maxconcurrency: integer('hosts that carry it out at the same time (50)'),
      maxerrors: integer('more hosts than this that are not well end the job; -1: never (0)'),
      canary: integer('so many hosts first; the others follow if all of them are well (0)'),
      key: string('a name for this job: whoever gives it again gets the same job, and nothing is sent twice'),
    },
    response: { kind: 'object', object: 'commandsummary', fields: SUMMARY },
    columns: ['total', 'answered', 'failed', 'unsupported', 'refused', 'cancelled', 'unknown'],
  },
  listCommandResults: {
    description: 'Lists what became of a command at each host',
    forReaders: true,
    params: {
      jobid: required(uuid('the job of sendCommand')),
      outcome: string('only hosts with this outcome'),
      page: LIST_PARAMS.page,
      pagesize: LIST_PARAMS.pagesize,
    },
    response: { kind: 'list', object: 'commandresult', fields: RESULT },
    columns: ['hostname', 'outcome', 'result', 'reason', 'durationms', 'managementservername'],
  },
  cancelCommand: {
    description: 'Takes back what of a command was not sent yet, and has Muster agents end what was',
    params: { jobid: required(uuid('the job of sendCommand')) },
    ...DONE,
  },
} as const satisfies ApiCommands;
