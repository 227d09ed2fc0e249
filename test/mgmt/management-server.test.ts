import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../src/lib/logger.js';
import { startManagementServer } from '../../src/mgmt/management-server.js';
import { RecordingLog } from '../helpers/recording-log.js';
import { testFolder } from '../helpers/scratch.js';
import { until } from '../helpers/until.js';

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

t.test(
  'regression: management server: what onShutdown of a program rejects with is logged, and ends no process',
  async t => {
    const folder = testFolder(t);
    const log = new RecordingLog();
    const onShutdown = async () => {
      throw new Error('no');
    };
    const server = await startManagementServer({
      ...{ log, onShutdown },
      overrides: {
        ...{ 'data.dir': join(folder, 'data'), 'db.url': `sqlite:${join(folder, 'muster.db')}` },
        ...{ port: '0', 'api.port': '0', 'cluster.node.IP': '127.0.0.1', 'bind.address': '127.0.0.1' },
      },
    });
    t.teardown(() => server.stop('SIGINT'));
    const [own] = server.node.membership.servers;
    await server.node.operations.triggerShutdown({ serverId: own?.uuid ?? '', forced: true });
    await until(() => log.count('error A callback of the program has failed') === 1);
    t.match(log.fieldsOf('error A callback of the program has failed'), { callback: 'onShutdown', reason: 'no' });
  },
);
