import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { lockFile } from '../../src/lib/files/file-lock.js';
import { ROOT } from '../helpers/root.js';
import { testFolder } from '../helpers/scratch.js';

const script = join(ROOT, 'build/scripts/start.js');

t.test('regression: npm start names what it does not know, and starts nothing', async t => {
  const start = (...words: readonly string[]) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [script, ...words]);
    return { status, said: `${stderr}`, printed: `${stdout}` };
  };
  t.match(start('--prots=1'), { status: 66, said: /^--prots=1 is no option\nUsage: npm start/ });
  t.match(start('--ports=abc'), { status: 66, said: /^--ports=abc: one port or two are needed, such as / });
  t.match(start('one', 'two'), { status: 66, said: /^two is too much\n/ });
  t.match(start('--help'), { status: 0, said: '', printed: /^Usage: npm start/ });
});

t.test('regression: npm start names all that an earlier one has left running, and starts nothing', async t => {
  const folder = testFolder(t);
  for (const name of ['server-2/data', 'agent-3']) await mkdir(join(folder, name), { recursive: true });
  const locks = [
    await lockFile(join(folder, 'server-2/data/lock')),
    await lockFile(join(folder, 'agent-3/agent.properties.lock')),
  ];
  const { status, stderr, stdout } = spawnSync(process.execPath, [script, folder]);
  t.match(
    `${stderr}`,
    /^Of .* there run already: server-2, agent-3\. Stop them first: by Ctrl-C of their npm start, or kill (\d+) \1\n$/,
  );
  t.same([status, `${stdout}`], [1, '']);
  for (const lock of locks) await lock.release();
});
