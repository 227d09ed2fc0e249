import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../helpers/root.js';

t.test('regression: npm start names what it does not know, and starts nothing', async t => {
  const start = (...words: readonly string[]) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [join(ROOT, 'build/scripts/start.js'), ...words]);
    return { status, said: `${stderr}`, printed: `${stdout}` };
  };
  t.match(start('--prots=1'), { status: 66, said: /^--prots=1 is no option\nUsage: npm start/ });
  t.match(start('--ports=abc'), { status: 66, said: /^--ports=abc: one port or two are needed, such as / });
  t.match(start('one', 'two'), { status: 66, said: /^two is too much\n/ });
  t.match(start('--help'), { status: 0, said: '', printed: /^Usage: npm start/ });
});
