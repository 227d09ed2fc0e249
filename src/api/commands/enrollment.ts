import {
  type ApiCommands,
  boolean,
  DONE,
  date,
  integer,
  LIST_PARAMS,
  optional,
  required,
  string,
  uuid,
} from '../table.js';

const ENROLLMENT_TOKEN = {
  id: string('the id of the token'),
  zone: optional(string('the zone that its hosts are to be in; none: any')),
  cluster: optional(string('the cluster that its hosts are to be in; none: any')),
  guid: optional(string('the guid that it is for; none: any that has no certificate in force')),
  uses: integer('how many agents may use it'),
  used: integer('how many have used it'),
  created: date('when it was made'),
  createdby: optional(string('the key that asked for it')),
  expires: date('when it ends'),
  isexpired: boolean('whether it has ended'),
} as const;

export const ENROLLMENT_COMMANDS = {
  createEnrollmentToken: {
    description: 'Makes a token by which agents get their first certificate: enrollment.token in agent.properties',
    params: {
      zone: string('only for hosts of this zone'),
      cluster: string('only for hosts of this cluster'),
      guid: string(
        'only for the agent with this guid, also when it has a certificate; -LibvirtComputingResource belongs to it',
      ),
      uses: integer('how many agents may use it (1)'),
      validity: integer('for how many hours (24)'),
    },
    response: {
      kind: 'object',
      object: 'enrollmenttoken',
      fields: { ...ENROLLMENT_TOKEN, token: string('what agents need; it is shown this once') },
    },
    columns: ['token', 'zone', 'uses', 'expires', 'id'],
  },
  listEnrollmentTokens: {
    description: 'Lists the enrolment tokens, newest first; the tokens themselves are not shown',
    showsOperators: true,
    params: { page: LIST_PARAMS.page, pagesize: LIST_PARAMS.pagesize },
    response: { kind: 'list', object: 'enrollmenttoken', fields: ENROLLMENT_TOKEN },
    columns: ['zone', 'cluster', 'guid', 'uses', 'used', 'expires', 'createdby', 'id'],
  },
  deleteEnrollmentToken: {
    description: 'Deletes an enrolment token: no agent can use it any more; certificates that it has led to stay',
    params: { id: required(uuid('the token')) },
    ...DONE,
  },
} as const satisfies ApiCommands;
