import { readFileSync } from 'node:fs';
import t from 'tap';
import { API } from '../../src/api/commands.js';
import { sign } from '../../src/api/signature.js';

const text = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
const SCRIPT: string = new URL('../../scripts/api-docs.mjs', import.meta.url).href;

t.test('docs: docs/api.md has every command as the table has it', async t => {
  const { withCommands } = (await import(SCRIPT)) as { withCommands(text: string, api: typeof API): string };
  t.ok(withCommands(text, API) === text, 'npm run docs writes it anew');
  const other = { ...API, listHosts: { ...API.listHosts, description: 'Something else' } } as unknown as typeof API;
  t.not(withCommands(text, other), text, 'a change of the table is noticed');
});

t.test('docs: the worked example of a signature is right', async t => {
  const example = {
    command: 'listHosts',
    response: 'json',
    apiKey: 'KEY',
    name: 'kvm 1',
    signatureVersion: '3',
    expires: '2026-11-22T09:00:00+0000',
  };
  t.match(text, `\`${sign(new Map(Object.entries(example)), 'SECRET')}\``);
});
