import t from 'tap';
import { startCluster } from '../../helpers/cluster-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('rebalanceAgents: asked several times, it keeps to agent.migrate.rate', async t => {
  const cluster = await startCluster(t, [A, B], { 'agent.migrate.rate': '2' });
  await cluster.addAgents(12, `${B},${A}`);
  for (let i = 0; i < 3; i++) await cluster.node(A).call('rebalanceAgents');
  const from = cluster.clock.now();
  await cluster.comes(() => cluster.counts()[A] === 12, 60_000);
  const took = cluster.clock.now() - from;
  t.ok(took >= 5_000, `12 agents at 2 a second within ${took} ms`);
});
