import t from 'tap';
import { startCluster } from '../../helpers/cluster-bench.js';
import { testServer } from '../../helpers/test-server.js';

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

t.test('regression: a removed host that returns is called that, in its event and in the log', async t => {
  const { agent, store, clock, lines, events } = await testServer();
  await agent().join({ guid: 'g1', name: 'kvm-1' });
  await store.removeHost(1, 1_000);
  await clock.advance(2_000);
  await agent().join({ guid: 'g1', name: 'kvm-1' });
  await agent().join({ guid: 'g2', name: 'kvm-2' });
  t.match(
    events.filter(({ type }) => type === 'HOST.RETURN'),
    [{ level: 'WARN', description: 'Host kvm-1 was removed (as host 1) and has come back as a new host (2)' }],
  );
  t.match(
    lines.filter(({ message }) => message.startsWith('A host that was removed has come back')),
    [{ fields: { name: 'kvm-1', hostId: 2, formerHostId: 1 } }],
  );
});
