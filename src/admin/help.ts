import { API, type ApiCommand } from '../mgmt/http/api-table.js';
import { formatTable } from './table.js';

/** Commands that are not one call of the API. */
export const LOCAL_COMMANDS = {
  status: 'One screen: who is where, who is not where it should be, since when, and why (--watch redraws)',
  doctor: 'On a hypervisor: looks at the agent in folder DIR, and dials every host of its list',
} as const;

export const EXIT_CODES_HELP =
  'Exit codes: 0 done, 1 refused or failed, 66 wrong arguments or credentials file, 67 no answer from the server.';

export function generalHelp(): string {
  const commands: [string, string][] = Object.entries<ApiCommand>(API).map(([name, { description }]) => [
    name,
    description,
  ]);
  const lines = [...commands, ...Object.entries(LOCAL_COMMANDS)].sort(([a], [b]) => a.localeCompare(b));
  return [
    'The command line for operators, over the HTTP API of a management server.',
    '',
    'Usage: node dist/admin.js COMMAND [key=value …] [-o table|json] [--config FILE] [--async]',
    '       node dist/admin.js COMMAND --help',
    '',
    ...formatTable(lines.map(([name, description]) => [`  ${name}`, description])),
    '',
    'Credentials: --config FILE, or CLOUDSTACK_ENDPOINT, CLOUDSTACK_KEY and CLOUDSTACK_SECRET, or ~/.cloudstack.ini,',
    'or data/cloudstack.ini, which the first server writes.',
    EXIT_CODES_HELP,
    '',
  ].join('\n');
}

export function commandHelp(name: string, command: ApiCommand): string {
  const params = Object.entries(command.params).map(([param, { type, description, required }]) => [
    `  ${param}=`,
    `${type}${required ? ', required' : ''}`,
    description,
  ]);
  return [
    `${name}: ${command.description}`,
    '',
    ...(params.length === 0 ? ['No parameters.'] : formatTable(params)),
    '',
    `Columns: ${command.columns.join(', ')}; -o json shows all of ${Object.keys(command.response.fields).join(', ')}.`,
    ...(command.isAsync ? ['', 'It is a job: the command waits for its end, unless --async is given.'] : []),
    '',
  ].join('\n');
}
