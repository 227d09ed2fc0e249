import t from 'tap';
import { ClusterNode, startCluster } from '../helpers/cluster-bench.js';
import { fails } from '../helpers/store-faults.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('regression: start: a server whose start fails behind its claim does not stand Up', async t => {
  const cluster = await startCluster(t, [A]);
  const node = await ClusterNode.make(cluster, B);
  node.faults.before = fails('failJobsOfServer', 1_000, 'STORE_FAILED');
  await t.rejects(cluster.passes(node.start()), { code: 'STORE_FAILED' });
  t.match(await cluster.row(B), { state: 'Down' });
});
