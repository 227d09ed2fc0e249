import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { withCommands } from '../../scripts/api-docs.js';
import { API } from '../../src/api/commands/index.js';
import { sign } from '../../src/api/signature.js';
import { list, optional, string } from '../../src/api/table.js';
import { ROOT } from '../helpers/root.js';

const text = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');

t.test('docs: docs/api.md has every command as the table has it', async t => {
  t.ok(withCommands(text, API) === text, 'npm run docs writes it');
  const { listHosts, previewHostList } = API;
  const { fields } = listHosts.response;
  const share = { ...previewHostList.response.fields.shares.of, more: string('more') };
  const changes: Record<string, Partial<Parameters<typeof withCommands>[1]>> = {
    'a description': { listHosts: { ...listHosts, description: 'Something else' } },
    'a parameter': { listHosts: { ...listHosts, params: { ...listHosts.params, more: string('more') } } },
    'a field that is optional': {
      listHosts: {
        ...listHosts,
        response: { ...listHosts.response, fields: { ...fields, name: optional(fields.name) } },
      },
    },
    'a field of objects in a list': {
      previewHostList: {
        ...previewHostList,
        response: { ...previewHostList.response, fields: { shares: list(share, '') } },
      },
    },
    'a command': { listOthers: listHosts },
  };
  for (const [what, change] of Object.entries(changes)) {
    t.ok(withCommands(text, { ...API, ...change }) !== text, `${what} is noticed`);
  }
  const examples = [...text.matchAll(/^ {4}(\{.*\})$/gm)].map(([, example = '']) => JSON.parse(example));
  t.ok(examples.length >= 4, 'the examples are JSON');
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
