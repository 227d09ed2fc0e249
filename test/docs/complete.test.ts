import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AGENT_KEYS } from '../../src/agent/settings.js';
import { FLEET_KEYS } from '../../src/fleet/settings.js';
import { MGMT_LIMITS } from '../../src/mgmt/config/limits.js';
import { defaultValue, PARAMETER_NAMES } from '../../src/mgmt/config/parameters.js';
import { SETTING_HELP } from '../../src/mgmt/config/settings.js';
import { ROOT } from '../helpers/root.js';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

t.test('docs: every setting and every name of the global configuration is in docs/configuration.md', async t => {
  const text = read('docs/configuration.md');
  const names = [...Object.keys(AGENT_KEYS), ...PARAMETER_NAMES, ...SETTING_HELP.map(([key]) => key)];
  t.same(
    names.filter(name => !text.includes(`\`${name}\``)),
    [],
  );
});

t.test('docs: docs/configuration.md has the default of every name of the global configuration', async t => {
  const rows = read('docs/configuration.md').split('\n');
  const defaultOf = (name: string) => rows.find(row => row.startsWith(`| \`${name}\` |`))?.split('|')[3];
  const texts: Readonly<Record<string, string>> = {
    host: "the first server's address",
    'indirect.agent.lb.weights': 'empty',
    'alert.webhook.url': 'empty',
    'alert.webhook.key': 'empty',
    'alert.silences': 'empty',
  };
  t.same(
    PARAMETER_NAMES.filter(name => defaultOf(name)?.replaceAll('`', '').trim() !== (texts[name] ?? defaultValue(name))),
    [],
  );
});

t.test('docs: docs/limits.md has every bound of the management server, with its value', async t => {
  const rows = read('docs/limits.md').split('\n');
  const missing = Object.entries(MGMT_LIMITS).filter(([name, value]) => {
    const row = rows.find(row => row.includes(`\`${name}\``));
    const [, names = '', bounds = ''] = row?.split('|') ?? [];
    // A row of several bounds has their values in the order of their names.
    const index = names.split(',').findIndex(one => one.includes(`\`${name}\``));
    const amounts = [...bounds.matchAll(AMOUNT)].map(([amount]) => amount.trim());
    const given = names.includes(',') ? [amounts[index]] : amounts;
    return !spellings(name, value).some(text => given.includes(text));
  });
  t.same(missing, []);
});

/** A number as a document writes it, with its unit of time if it has one. */
const AMOUNT = /(?<![\d.,])\d(?:[\d,.]*\d)?(?: (?:s|h|ms|min)\b)?/g;

/** How a bound may be written: `5_000` milliseconds as 5 s. */
function spellings(name: string, value: number): readonly string[] {
  if (name.endsWith('Ms')) return [`${value / 1_000} s`, `${value / 3_600_000} h`];
  return name.endsWith('Seconds') ? [`${value} s`] : [value.toLocaleString('en-US')];
}

t.test('docs: every setting of a fleet is in docs/fleet.md, or is a setting of an agent', async t => {
  const text = read('docs/fleet.md');
  t.same(
    Object.keys(FLEET_KEYS).filter(key => !(key in AGENT_KEYS) && !text.includes(`\`${key}\``)),
    [],
  );
});

t.test('docs: every type of event is in docs/operating.md', async t => {
  const [, union = ''] = /type EventType =([^;]+);/.exec(read('src/mgmt/cluster/events.ts')) ?? [];
  const types = [...union.matchAll(/'([A-Z.]+)'/g)].map(([, type = '']) => type);
  t.ok(types.length > 20);
  const text = read('docs/operating.md');
  t.same(
    types.filter(type => !text.includes(`\`${type}\``)),
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
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => join(folder, file));
}

t.test('docs: every test that docs/incidents.md names is there', async t => {
  const missing: string[] = [];
  for (const row of read('docs/incidents.md').split('\n')) {
    let text = '';
    for (const [, file, name] of row.matchAll(/`(test\/[^`]+)`|"([^"]+)"/g)) {
      if (file !== undefined) text = read(file);
      else if (name !== undefined && !text.includes(name)) missing.push(name);
    }
  }
  t.same(missing, []);
});
