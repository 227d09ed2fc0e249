import { API } from '../api/commands/index.js';
import type { ApiCommand } from '../api/table.js';
import { formatTable } from './table.js';

/** Commands of the command line alone: they are no commands of the API. */
export const LOCAL_COMMANDS = {
  status: 'One screen: who is where, who is not where it should be, since when, and why',
  doctor: 'On a hypervisor: looks at the agent in folder DIR, and dials every host of its list',
} as const;

const LOCAL_HELP: Readonly<Record<keyof typeof LOCAL_COMMANDS, readonly string[]>> = {
  status: [
    '--watch redraws it every two seconds, until Ctrl-C.',
    'Exit codes: 0 everybody is where it should be, 1 somebody is not, 66 and 67 as for all commands.',
  ],
  doctor: [
    'DIR is the folder of agent.properties (conf). Nothing is changed, and no credentials are needed.',
    'Exit codes: 0 all is well, 1 a warning, 2 an error, 66 wrong arguments.',
  ],
};

export function localHelp(name: keyof typeof LOCAL_COMMANDS): string {
  return [`${name}: ${LOCAL_COMMANDS[name]}`, '', ...LOCAL_HELP[name], ''].join('\n');
}

const EXIT_CODES_HELP =
  'Exit codes: 0 done, 1 refused or failed, 66 wrong arguments or credentials file, 67 no answer from the server.';

/** @param width of the terminal, in characters; undefined: nothing is cut */
export function generalHelp(width?: number): string {
  const commands: [string, string][] = Object.entries<ApiCommand>(API).map(([name, { description }]) => [
    name,
    description,
  ]);
  const lines = [...commands, ...Object.entries(LOCAL_COMMANDS)].sort(([a], [b]) => a.localeCompare(b));
  return [
    'The command line for operators, over the HTTP API of a management server.',
    '',
    'Usage: node dist/admin.js COMMAND [key=value …] [-o table|json] [--config FILE] [--endpoint URL] [--async]',
    '       node dist/admin.js status [--watch]',
    '       node dist/admin.js doctor [DIR]',
    '       node dist/admin.js COMMAND --help',
    '',
    ...formatTable(lines, width && width - 2).map(line => `  ${line}`),
    '',
    'Credentials: --config FILE, or CLOUDSTACK_ENDPOINT, CLOUDSTACK_KEY and CLOUDSTACK_SECRET, or ~/.cloudstack.ini,',
    'or data/cloudstack.ini, which the first server writes. --endpoint asks another server with the same key.',
    EXIT_CODES_HELP,
    '',
  ].join('\n');
}

export function commandHelp(name: string, command: ApiCommand): string {
  const params = Object.entries(command.params).map(([param, { type, description, required }]) => [
    `${param}=`,
    `${type}${required ? ', required' : ''}`,
    description,
  ]);
  return [
    `${name}: ${command.description}`,
    '',
    ...(params.length === 0 ? ['No parameters.'] : formatTable(params).map(line => `  ${line}`)),
    '',
    `Columns: ${command.columns.join(', ')}; -o json shows all of ${Object.keys(command.response.fields).join(', ')}.`,
    ...(command.isAsync ? ['', 'It is a job: the command waits for its end, unless --async is given.'] : []),
    '',
  ].join('\n');
}
