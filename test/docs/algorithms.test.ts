import { readFileSync } from 'node:fs';
import t from 'tap';
import { withTables } from '../../scripts/algorithms-table.js';

t.test('docs: the tables of docs/algorithms.md are what our functions give', async t => {
  const text = readFileSync(new URL('../../docs/algorithms.md', import.meta.url), 'utf8');
  t.ok(withTables(text) === text, 'npm run docs writes them');
});
