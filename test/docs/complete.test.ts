import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AGENT_KEYS } from '../../src/agent/settings.js';
import { FLEET_KEYS } from '../../src/fleet/settings.js';
import { PARAMETER_NAMES } from '../../src/mgmt/config/parameters.js';
import { SETTING_HELP } from '../../src/mgmt/config/settings.js';

const root = new URL('../../', import.meta.url).pathname;
const read = (file: string) => readFileSync(join(root, file), 'utf8');

t.test('docs: every setting and every name of the global configuration is in docs/configuration.md', async t => {
  const text = read('docs/configuration.md');
  const names = [...Object.keys(AGENT_KEYS), ...PARAMETER_NAMES, ...SETTING_HELP.map(([key]) => key)];
  t.same(
    names.filter(name => !text.includes(`\`${name}\``)),
    [],
  );
});

t.test('docs: every setting of a fleet is in docs/bench.md, or is a setting of an agent', async t => {
  const text = read('docs/bench.md');
  t.same(
    Object.keys(FLEET_KEYS).filter(key => !(key in AGENT_KEYS) && !text.includes(`\`${key}\``)),
    [],
  );
});

t.test('docs: every error code in the sources is in docs/errors.md', async t => {
  const text = read('docs/errors.md');
  const codes = new Set<string>();
  for (const file of sources('src')) {
    const source = read(file);
    // Unions of codes, one a line or in one line, and the code of an error class.
    for (const [, union = ''] of source.matchAll(/type \w*ErrorCode =([^;]+);/g)) {
      for (const [, code = ''] of union.matchAll(/'([A-Z][A-Z_]+)'/g)) codes.add(code);
    }
    for (const [, code = ''] of source.matchAll(/readonly code = '([A-Z_]+)'/g)) codes.add(code);
  }
  t.ok(codes.size > 30);
  t.same(
    [...codes].filter(code => !text.includes(`\`${code}\``)),
    [],
  );
});

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => join(folder, file));
}
