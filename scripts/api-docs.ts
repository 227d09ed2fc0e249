// Writes the commands in docs/api.md from the table of the API: npm run docs. With --check it changes nothing, and exits
// with 1 when the file is out of date.
import { fileURLToPath } from 'node:url';
import { API } from '#dist/api/commands/index.js';
import type { ApiCommand, Fields } from '#dist/api/table.js';
import { remakePage } from './made-page.js';

type ApiTable = Readonly<Record<string, ApiCommand>>;

const FILE = 'docs/api.md';
const MARK = '<!-- commands: made by scripts/api-docs.ts, npm run docs -->\n';

/** @returns `text`, the content of docs/api.md, with the commands of `api` after the mark. Before the mark it is hand-written. */
export function withCommands(text: string, api: ApiTable): string {
  const at = text.indexOf(MARK);
  if (at < 0) throw new Error(`${FILE} has no line ${MARK}`);
  return `${text.slice(0, at)}${MARK}\n${commandsText(api)}`;
}

function commandsText(api: ApiTable): string {
  const commands = Object.entries(api);
  const lines = ['## Commands', '', '| command | role | |', '|---|---|---|'];
  for (const [name, { description, forReaders }] of commands) {
    const role = forReaders ? 'reader' : 'operator';
    lines.push(`| [${name}](#${name.toLowerCase()}) | ${role} | ${cell(description)} |`);
  }
  for (const [name, command] of commands) lines.push('', ...commandText(name, command));
  return `${lines.join('\n')}\n`;
}

function commandText(name: string, { description, isAsync, params, response, columns }: ApiCommand): string[] {
  const { kind, object, fields } = response;
  const inside = { list: `count, ${object} (a list)`, object, plain: 'the fields themselves' }[kind];
  const job = isAsync ? ['It answers with a job: `jobid`, to be asked for by queryAsyncJobResult.', ''] : [];
  const given = Object.entries(params);
  return [
    `### ${name}`,
    '',
    `${description}.`,
    '',
    ...job,
    ...(given.length === 0
      ? ['No parameters.']
      : [
          '| parameter | type | |',
          '|---|---|---|',
          ...given.map(
            ([param, { type, description, required }]) =>
              `| \`${param}\` | ${type}${required ? ', required' : ''} | ${cell(description)} |`,
          ),
        ]),
    '',
    `Answer: \`${name.toLowerCase()}response\` with ${inside}.`,
    '',
    '| field | type | |',
    '|---|---|---|',
    ...fieldRows(fields, name => (columns.includes(name) ? '' : ' ¹')),
  ];
}

/** A row for each field; the fields of objects in a list stand below the list, as `peers[].name`. */
function fieldRows(fields: Fields, mark: (name: string) => string, path = ''): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const type = field.type === 'list' ? `list of ${field.of === 'string' ? 'strings' : 'objects'}` : field.type;
    const optional = field.optional ? ', optional' : '';
    const row = `| \`${path}${name}\`${mark(name)} | ${type}${optional} | ${cell(field.description)} |`;
    if (field.type !== 'list' || field.of === 'string') return [row];
    return [row, ...fieldRows(field.of, () => '', `${path}${name}[].`)];
  });
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) remakePage(FILE, text => withCommands(text, API));
