import { readFileSync } from 'node:fs';
import t from 'tap';
import { withCommands } from '../../scripts/api-docs.js';
import { API } from '../../src/api/commands.js';
import { sign } from '../../src/api/signature.js';

const text = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');

t.test('docs: docs/api.md has every command as the table has it', async t => {
  t.ok(withCommands(text, API) === text, 'npm run docs writes it anew');
  const other = { ...API, listHosts: { ...API.listHosts, description: 'Something else' } };
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
