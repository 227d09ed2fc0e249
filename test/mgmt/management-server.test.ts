import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../src/lib/logger.js';
import { startManagementServer } from '../../src/mgmt/management-server.js';
import { testFolder } from '../helpers/scratch.js';

t.test('management server: told to stop before it has begun, it makes nothing', async t => {
  const folder = testFolder(t);
  const started = startManagementServer({
    log: silentLog,
    stopping: AbortSignal.abort(new Error('stopped')),
    overrides: { 'data.dir': join(folder, 'data'), 'db.url': `sqlite:${join(folder, 'muster.db')}` },
  });
  await t.rejects(started, { message: 'stopped' });
  t.same(await readdir(folder), []);
});
