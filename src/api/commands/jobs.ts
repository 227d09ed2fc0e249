import { type ApiCommands, date, integer, map, optional, required, string, uuid } from '../table.js';

const JOB = {
  jobid: string('the id of the job'),
  cmd: string('what is to be done: reconnectHost, deleteHost, drain, rebalance, shutdown'),
  jobstatus: integer('0 under way, 1 succeeded, 2 failed'),
  jobprocstatus: integer('0'),
  jobresultcode: integer('0, or the error code'),
  jobresulttype: optional(string('object, once it has ended')),
  jobresult: optional(map('what came of it: what the command answers, or the error')),
  jobinstanceid: optional(string('the id of the host that it is about, else of the management server')),
  progress: optional(string('how far it is')),
  created: date('when it was asked for'),
  completed: optional(date('when it ended')),
} as const;

export const JOB_COMMANDS = {
  queryAsyncJobResult: {
    description: 'Tells how far a job is, and what came of it',
    params: { jobid: required(uuid('the job')) },
    response: { kind: 'plain', object: 'asyncjobs', fields: JOB },
    columns: ['cmd', 'jobstatus', 'progress', 'created', 'completed'],
  },
} as const satisfies ApiCommands;
