import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { withTables } from '../../scripts/algorithms-table.js';
import { ROOT } from '../helpers/root.js';

t.test('docs: the tables of docs/algorithms.md are what our functions give', async t => {
  const text = readFileSync(join(ROOT, 'docs/algorithms.md'), 'utf8');
  t.ok(withTables(text) === text, 'npm run docs writes them');
});
