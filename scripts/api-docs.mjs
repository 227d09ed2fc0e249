// Writes the commands in docs/api.md from the API's table: npm run docs. With --check it changes nothing, and exits with 1
// when they are not up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../docs/api.md', import.meta.url));
const MARK = '<!-- commands: made by scripts/api-docs.mjs, npm run docs -->\n';

/** The file as it should be, from the file as it is: what stands before the mark is written by hand. */
export function withCommands(text, api) {
  const at = text.indexOf(MARK);
  if (at < 0) throw new Error(`docs/api.md has no line ${MARK}`);
  return `${text.slice(0, at)}${MARK}\n${commandsText(api)}`;
}

function commandsText(api) {
  const names = Object.keys(api);
  const lines = ['## Commands', '', '| command | |', '|---|---|'];
  for (const name of names) lines.push(`| [${name}](#${name.toLowerCase()}) | ${cell(api[name].description)} |`);
  for (const name of names) lines.push('', ...commandText(name, api[name]));
  return `${lines.join('\n')}\n`;
}

function commandText(name, { description, isAsync, params, response, columns }) {
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
function fieldRows(fields, mark, path = '') {
  return Object.entries(fields).flatMap(([name, { type, of, optional, description }]) => {
    const what = type === 'list' ? `list of ${of === 'string' ? 'strings' : 'objects'}` : type;
    const row = `| \`${path}${name}\`${mark(name)} | ${what}${optional ? ', optional' : ''} | ${cell(description)} |`;
    return typeof of === 'object' ? [row, ...fieldRows(of, () => '', `${path}${name}[].`)] : [row];
  });
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { API } = await import('../dist/api/commands/index.js');
  const text = readFileSync(FILE, 'utf8');
  const wanted = withCommands(text, API);
  if (process.argv.includes('--check')) {
    if (wanted !== text) {
      console.error('docs/api.md is not what the table says: npm run docs writes it');
      process.exitCode = 1;
    }
  } else if (wanted !== text) writeFileSync(FILE, wanted);
}
