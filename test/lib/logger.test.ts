import { join } from 'node:path';
import t from 'tap';
import { LOG_DEFAULTS, openLog } from '../../src/lib/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { captureStderr } from '../helpers/capture-stderr.js';
import { testFolder } from '../helpers/scratch.js';

t.test('regression: log: on a terminal, one line says to which file it goes', async t => {
  const file = join(testFolder(t), 'x.log');
  for (const isTerminal of [true, false]) {
    await t.test(`${isTerminal ? 'a' : 'no'} terminal`, async t => {
      const stderr = captureStderr(t, isTerminal);
      const log = await openLog({ ...LOG_DEFAULTS, file }, new FakeClock());
      log.info('more');
      await log.close();
      t.equal(stderr(), isTerminal ? `The log goes to ${file} (process ${process.pid})\n` : '');
    });
  }
});

t.test('regression: log: a folder that is not there is a mistake', async t => {
  const folder = join(testFolder(t), 'mistyped', 'folder');
  await t.rejects(openLog({ ...LOG_DEFAULTS, file: join(folder, 'x.log') }, new FakeClock()), {
    code: 'CONFIG_INVALID',
    message: `log.file=${folder}/x.log: a file that can be written is needed, or stdout (there is no folder ${folder})`,
  });
});
