import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LIMITS } from '../../src/protocol/limits.js';
import { ROOT } from '../helpers/root.js';

t.test('limits: docs/limits.md has each of them, and its value', async t => {
  const rows = readFileSync(join(ROOT, 'docs/limits.md'), 'utf8').split('\n');
  const missing = [];
  for (const [name, value] of Object.entries(LIMITS)) {
    // A row may name two bounds, and has their values in the same order.
    const [, names = '', values = ''] = rows.find(row => row.split('|')[1]?.includes(`\`${name}\``))?.split('|') ?? [];
    const at = names.split(', ').findIndex(cell => cell.trim() === `\`${name}\``);
    if (!spellings(name, value).includes(values.split(', ')[at]?.trim() ?? '')) missing.push(name);
  }
  t.same(missing, []);
});

function spellings(name: string, value: number): string[] {
  if (name.endsWith('Ms')) return [`${value} ms`, `${value / 1000} s`, `${value / 60_000} min`];
  return [value.toLocaleString('en-US'), `${value / 2 ** 20} MiB`];
}
