// The pages of the manual, made from the tables that --help shows.
import { CREDENTIALS_HELP, EXIT_CODES_HELP, LOCAL_COMMANDS, localHelp, USAGES } from '#dist/admin/help.js';
import * as agent from '#dist/agent/main.js';
import { API } from '#dist/api/commands/index.js';
import type { ApiCommand } from '#dist/api/table.js';
import { FAULT_FORMS, FAULT_WORDS } from '#dist/fleet/faults/fault.js';
import * as fleet from '#dist/fleet/main.js';
import { VERSION } from '#dist/lib/version.js';
import * as mgmt from '#dist/mgmt/main.js';
import type { Program } from '#dist/program/entry.js';

/** A paragraph, or a term and what it means. */
type Entry = string | readonly [term: string, text: string];
/** A section has its own title; a subsection follows its section. */
interface Part {
  readonly title: string;
  readonly isSubsection?: true;
  readonly entries: readonly Entry[];
}
interface Page {
  readonly name: string;
  readonly section: 1 | 8;
  readonly parts: readonly Part[];
}

/** The pages by the names of their files. */
export function manual(): ReadonlyMap<string, string> {
  const pages = [commandLine(), ...PROGRAMS.map(program), fleetPage()];
  return new Map(pages.map(page => [`${page.name}.${page.section}`, troff(page)]));
}

const PROGRAMS = [
  {
    name: 'muster-mgmt',
    main: mgmt as Program,
    file: '/etc/muster/mgmt.properties',
    folder: '/var/lib/muster-mgmt',
    writes: 'The identity of the server, cloudstack.ini with the key for operators, and with SQLite the store.',
  },
  {
    name: 'muster-agent',
    main: agent as Program,
    file: '/var/lib/muster-agent/agent.properties',
    folder: '/var/lib/muster-agent',
    writes: 'The settings, which the agent writes too, its certificates, and its journal of commands.',
  },
] as const;

function program({ name, main, file, folder, writes }: (typeof PROGRAMS)[number]): Page {
  return {
    name,
    section: 8,
    parts: [
      { title: 'NAME', entries: [`${name} - ${lowered(main.summary)}`] },
      { title: 'SYNOPSIS', entries: [`${name} [FILE] [key=value ...] [--help] [--version]`] },
      {
        title: 'DESCRIPTION',
        entries: [main.summary, `As a service it is started with ${file}. What is given as key=value beats the file.`],
      },
      { title: 'SETTINGS', entries: main.settings },
      {
        title: 'SIGNALS',
        entries: [
          ['SIGTERM', 'An orderly stop. A second signal ends the process at once.'],
          ['SIGINT', 'A stop at once.'],
          ['SIGHUP', 'Opens the log anew, and reads certificates again.'],
        ],
      },
      {
        title: 'EXIT STATUS',
        entries: [
          ['0', 'after a stop'],
          ['66', 'a configuration error: the key, the value and what is allowed stand on stderr'],
          ['67', 'another fatal error'],
        ],
      },
      {
        title: 'FILES',
        entries: [
          [file, 'The settings.'],
          [folder, writes],
        ],
      },
      { title: 'SEE ALSO', entries: [`muster(1), /usr/share/doc/${name}`] },
    ],
  };
}

function fleetPage(): Page {
  const { summary, settings } = fleet as Program;
  return {
    name: 'muster-fleet',
    section: 1,
    parts: [
      { title: 'NAME', entries: [`muster-fleet - ${lowered(summary)}`] },
      { title: 'SYNOPSIS', entries: ['muster-fleet [FILE] [key=value ...] [--help] [--version]'] },
      {
        title: 'DESCRIPTION',
        entries: [
          summary,
          'FILE is conf/fleet.properties, which may be absent. What is given as key=value beats the file.',
        ],
      },
      { title: 'SETTINGS', entries: settings },
      {
        title: 'FAULTS',
        entries: [
          'Each is a line of the file that faults names, behind "at TIME" or "every TIME", or a line of standard input.',
          ...FAULT_FORMS,
          ...FAULT_WORDS,
        ],
      },
      {
        title: 'EXIT STATUS',
        entries: [
          ['0', 'after a stop'],
          ['1', 'after a stop, when something that was expected is not so'],
          ['66', 'a configuration error: the key, the value and what is allowed stand on stderr'],
          ['67', 'another fatal error'],
        ],
      },
      { title: 'SEE ALSO', entries: ['muster(1), muster-mgmt(8), muster-agent(8)'] },
    ],
  };
}

function commandLine(): Page {
  const commands = Object.entries<ApiCommand>(API).sort(([one], [other]) => one.localeCompare(other));
  const locals = Object.keys(LOCAL_COMMANDS) as (keyof typeof LOCAL_COMMANDS)[];
  return {
    name: 'muster',
    section: 1,
    parts: [
      { title: 'NAME', entries: ['muster - the command line of Muster, for operators'] },
      { title: 'SYNOPSIS', entries: USAGES.map(usage => `muster ${usage}`) },
      {
        title: 'DESCRIPTION',
        entries: ['Asks a management server by its HTTP API.', CREDENTIALS_HELP],
      },
      { title: 'COMMANDS OF THIS MACHINE', entries: [] },
      ...locals.map(name => {
        const [, ...paragraphs] = localHelp(name, Number.POSITIVE_INFINITY).split('\n').filter(Boolean);
        return { title: name, isSubsection: true, entries: [LOCAL_COMMANDS[name], ...paragraphs] } as const;
      }),
      { title: 'COMMANDS OF THE API', entries: [] },
      ...commands.map(([name, { description, params, forReaders, isAsync }]) => ({
        title: name,
        isSubsection: true as const,
        entries: [
          description,
          ...Object.entries(params).map(
            ([param, { type, required, description }]) =>
              [`${param}=`, `${description} (${type}${required ? ', required' : ''})`] as const,
          ),
          forReaders ? "Any key may call it, a reader's too." : "Only an operator's key may call it.",
          ...(isAsync ? ['It is a job: the command waits for its end, unless --async is given.'] : []),
        ],
      })),
      { title: 'EXIT STATUS', entries: [EXIT_CODES_HELP] },
      {
        title: 'FILES',
        entries: [['~/.cloudstack.ini', "A server's endpoint and a key of its API."]],
      },
      { title: 'SEE ALSO', entries: ['muster-mgmt(8), muster-agent(8), muster-fleet(1)'] },
    ],
  };
}

/** As the text after a name: without its capital and its full stop. */
function lowered(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '');
}

function troff({ name, section, parts }: Page): string {
  const lines = [`.TH ${name.toUpperCase().replaceAll('-', '\\-')} ${section} "" "Muster ${VERSION}"`];
  for (const { title, isSubsection, entries } of parts) {
    lines.push(`.${isSubsection ? 'SS' : 'SH'} ${escaped(title)}`);
    for (const [index, entry] of entries.entries()) {
      if (typeof entry === 'string') lines.push(...(index === 0 ? [] : ['.PP']), escaped(entry));
      else lines.push('.TP', `.B ${escaped(entry[0])}`, escaped(entry[1]));
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A hyphen that is typed as such is `\-`; a line that begins with a dot or an apostrophe would be a request. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
