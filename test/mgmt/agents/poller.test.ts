import t from 'tap';
import { startCluster } from '../../helpers/cluster-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('poller: the agent of a host that somebody removed loses its link, and comes back as a new host', async t => {
  const cluster = await startCluster(t, [A, B]);
  const [agent] = await cluster.addAgents(1, `${A},${B}`);
  await cluster.goesOn(3_000);
  const [before] = await cluster.store.hosts();
  if (before === undefined) throw new Error('the agent has no row');
  // Its agent is told nothing.
  await cluster.store.removeHost(before.id, 1);
  await cluster.goesOn(40_000);
  t.match(await cluster.store.hosts(), [{ guid: before.guid, status: 'Up' }]);
  const [after] = await cluster.store.hosts();
  t.not(after?.id, before.id);
  t.ok(agent?.host);
  t.equal(after?.msid, cluster.node(agent?.host ?? '').msid);
  t.equal(cluster.node(agent?.host ?? '').node.agents.registry.get(after?.id ?? 0)?.guid, before.guid);
});
