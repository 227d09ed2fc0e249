import { type ApiCommands, date, integer, LIST_PARAMS, map, optional, required, string, uuid } from '../table.js';

const JOB = {
  jobid: string('the id of the job'),
  cmd: string(
    'what is to be done: reconnectHost, migrateHost, diagnoseHost, deleteHost, checkHealth, drain, rebalance, shutdown, sendCommand, provisionCertificate, issueCertificate, revokeCertificate',
  ),
  commands: optional(string('of sendCommand: the classes of what is sent, without their packages')),
  jobstatus: integer('0 under way, 1 succeeded, 2 failed'),
  jobprocstatus: integer('0'),
  jobresultcode: integer('0, or the error code'),
  jobresulttype: optional(string('object, once it has ended')),
  jobresult: optional(
    map('what came of it: what the command answers, or the error; in listAsyncJobs, of a host only its id'),
  ),
  jobinstanceid: optional(string('the id of the host that it is about, else of the management server')),
  managementserverid: optional(string('the management server that carries it out, or has to')),
  managementservername: optional(string('its name')),
  progress: optional(string('how far it is, while it is under way')),
  createdby: optional(string('the API key that asked for it, or the address of the management server that did')),
  created: date('when it was asked for'),
  completed: optional(date('when it ended')),
} as const;

export const JOB_COMMANDS = {
  queryAsyncJobResult: {
    description: 'Tells how far a job is, and what came of it',
    forReaders: true,
    params: { jobid: required(uuid('the job')) },
    response: { kind: 'plain', object: 'asyncjobs', fields: JOB },
    columns: ['cmd', 'jobstatus', 'progress', 'created', 'completed'],
  },
  listAsyncJobs: {
    description: 'Lists jobs, newest first; those that have ended are kept for a week',
    forReaders: true,
    params: {
      startdate: string('only jobs since this moment: 2026-11-22, or 2026-11-22T09:00:00+0000'),
      managementserverid: uuid('only jobs that this management server carries out, or has to'),
      page: LIST_PARAMS.page,
      pagesize: LIST_PARAMS.pagesize,
    },
    response: { kind: 'list', object: 'asyncjobs', fields: JOB },
    columns: ['created', 'cmd', 'commands', 'jobstatus', 'managementservername', 'progress', 'completed', 'jobid'],
  },
} as const satisfies ApiCommands;
