import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../../../src/agent/index.js';
import { silentLog } from '../../../src/lib/logger.js';
import { startManagementServer } from '../../../src/mgmt/index.js';
import { CheckHealthCommand } from '../../../src/protocol/index.js';
import { signedFiles } from '../../helpers/openssl.js';
import { until } from '../../helpers/until.js';

t.test('commands: over real sockets, also from and to a server with a certificate of the operator’s own', async t => {
  const folder = t.testdir({ one: {}, two: {}, three: {}, agent: {} });
  const files = signedFiles(folder, 'IP:127.0.0.2');
  const start = async (name: string, address: string, more: Readonly<Record<string, string>> = {}) => {
    const overrides = {
      'bind.address': address,
      port: '0',
      'cluster.node.IP': address,
      'api.address': '127.0.0.1',
      'api.port': '0',
      'data.dir': join(folder, name),
      'db.url': `sqlite:${join(folder, 'muster.db')}`,
      'ca.plugin.root.auth.strictness': 'false',
      ...more,
    };
    const running = await startManagementServer({ overrides, log: silentLog, onFatal: t.fail });
    t.teardown(() => running.stop('SIGINT'));
    return running.node;
  };
  const one = await start('one', '127.0.0.1');
  const two = await start('two', '127.0.0.2', { 'tls.cert': files.cert, 'tls.key': files.key, 'tls.ca': files.ca });
  const three = await start('three', '127.0.0.3');
  await until(() => one.membership.servers.length === 3);
  const rows = () => one.membership.servers;
  await until(() => rows().every(({ servicePort }) => servicePort !== null));
  const port = rows().find(({ serviceIp }) => serviceIp === '127.0.0.2')?.servicePort ?? 0;

  const agent = await startAgent({
    file: join(folder, 'agent/agent.properties'),
    overrides: { host: '127.0.0.2', port: String(port), 'log.level': 'error' },
  });
  t.teardown(() => agent.stop());
  await until(() => two.agents.registry.size === 1);
  const [attache] = two.agents.registry;
  const hostId = attache?.host.id ?? 0;
  for (const node of [one, two, three]) {
    const outcome = await node.send(hostId, [CheckHealthCommand.encode({ wait: 5 })], { wait: 20 });
    t.match(outcome, { kind: 'answered', messages: [{ fields: { result: true } }] });
  }
  t.ok(one.serverLinks.isLinked(idOf(rows(), '127.0.0.2')));
});

function idOf(rows: readonly { readonly serviceIp: string; readonly msid: number }[], address: string): number {
  return rows.find(({ serviceIp }) => serviceIp === address)?.msid ?? 0;
}
