import { API } from '../api/commands/index.js';
import type { ApiCommand } from '../api/table.js';
import { wrapWords } from '../lib/text/wrap-words.js';
import { formatTable } from './table.js';

/** Commands of the command line alone: they are no commands of the API. */
export const LOCAL_COMMANDS = {
  status: 'One screen: who is where, who is not where it should be, since when, and why',
  doctor: 'On a hypervisor: looks at the agent in folder DIR, and dials every host of its list',
  backup: 'On a management server: copies its store, keys and settings into the new folder DIR',
} as const;

const LOCAL_HELP: Readonly<Record<keyof typeof LOCAL_COMMANDS, readonly string[]>> = {
  status: [
    '--watch redraws it every two seconds, until Ctrl-C.',
    'Exit codes: 0 everybody is where it should be, 1 somebody is not, 66 and 67 as for all commands.',
  ],
  doctor: [
    'DIR is the folder of agent.properties (conf). Nothing is changed, and no credentials are needed.',
    'port=N is for an agent that has its port from its command line, not from the file.',
    'Exit codes: 0 all is well, 1 a warning, 2 an error, 66 wrong arguments.',
  ],
  backup: [
    'FILE is that of the server (/etc/muster/mgmt.properties if it is there, else conf/mgmt.properties). The server may run meanwhile.',
    'DIR gets secrets, and is for the user alone who calls this. How to restore: docs/backup.md.',
    'Exit codes: 0 done, 66 a configuration error, 67 another one.',
  ],
};

export function localHelp(name: keyof typeof LOCAL_COMMANDS, width = DEFAULT_WIDTH): string {
  const paragraphs = [`${name}: ${LOCAL_COMMANDS[name]}`, '', ...LOCAL_HELP[name], ''];
  return paragraphs.flatMap(text => wrapWords(text, width)).join('\n');
}

export const CREDENTIALS_HELP =
  'Credentials: --config FILE, or CLOUDSTACK_ENDPOINT, CLOUDSTACK_KEY and CLOUDSTACK_SECRET, or ~/.cloudstack.ini, or data/cloudstack.ini, which a server writes when it starts. verify in such a file, or CLOUDSTACK_VERIFY, names a file with the CA by which the certificate of the API is verified. --endpoint asks another server with the same key.';
export const EXIT_CODES_HELP =
  'Exit codes: 0 done, 1 refused or failed, 66 wrong arguments or credentials file, 67 no answer from the server, 130 Ctrl-C while waiting for a job. sendCommand: 0 all hosts have answered well, 1 some have not, 3 of some nobody knows, 66 refused before anything was sent. diagnoseHost: 1 also when it has found an error.';

const DEFAULT_WIDTH = 80;
/** The last column is not made narrower than this, in characters. */
const NARROWEST = 24;
const USAGE_INDENT = 'Usage: '.length;

/** Rows as aligned columns, of which the last one is broken between words. */
function helpRows(rows: readonly (readonly string[])[], width: number): string[] {
  const left = formatTable(rows.map(row => row.slice(0, -1)));
  const leftWidth = Math.max(...left.map(line => line.length));
  return rows.flatMap((row, index) =>
    wrapWords(row.at(-1) ?? '', Math.max(NARROWEST, width - leftWidth - 4)).map(
      (line, part) => `  ${(part === 0 ? (left[index] ?? '') : '').padEnd(leftWidth)}  ${line}`,
    ),
  );
}

/** The forms of the command line, without the program. */
export const USAGES = [
  'COMMAND [key=value …] [-o table|json] [--async] [--config FILE] [--endpoint URL]',
  'status [--watch]',
  'doctor [DIR] [port=N]',
  'backup DIR [FILE]',
  'COMMAND --help',
] as const;

/**
 * @param program how it is called
 * @param width of the terminal, in characters
 */
export function generalHelp(program: string, width = DEFAULT_WIDTH): string {
  const commands: [string, string][] = Object.entries<ApiCommand>(API).map(([name, { description }]) => [
    name,
    description,
  ]);
  const lines = [...commands, ...Object.entries(LOCAL_COMMANDS)].sort(([a], [b]) => a.localeCompare(b));
  return [
    'The command line for operators, over the HTTP API of a management server.',
    '',
    ...USAGES.flatMap((usage, index) => {
      const [first = '', ...more] = wrapWords(usage, Math.max(NARROWEST, width - USAGE_INDENT - program.length - 1));
      const start = `${(index === 0 ? 'Usage:' : '').padEnd(USAGE_INDENT)}${program}`;
      return [`${start} ${first}`, ...more.map(line => `${' '.repeat(start.length)} ${line}`)];
    }),
    '',
    ...helpRows(lines, width),
    '',
    ...wrapWords(CREDENTIALS_HELP, width),
    ...wrapWords(EXIT_CODES_HELP, width),
    '',
  ].join('\n');
}

export function commandHelp(name: string, command: ApiCommand, width = DEFAULT_WIDTH): string {
  const params = Object.entries(command.params).map(([param, { type, description, required }]) => [
    `${param}=`,
    `${type}${required ? ', required' : ''}`,
    description,
  ]);
  return [
    ...wrapWords(`${name}: ${command.description}`, width),
    '',
    ...(params.length === 0 ? ['No parameters.'] : helpRows(params, width)),
    '',
    ...wrapWords(
      `Columns: ${command.columns.join(', ')}; -o json shows all of ${Object.keys(command.response.fields).join(', ')}.`,
      width,
    ),
    '',
    command.forReaders ? "Any key may call it, a reader's too." : "Only an operator's key may call it.",
    ...(command.isAsync ? ['', 'It is a job: the command waits for its end, unless --async is given.'] : []),
    '',
  ].join('\n');
}
