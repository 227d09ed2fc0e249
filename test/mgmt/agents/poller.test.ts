import t from 'tap';
import { startCluster } from '../../helpers/cluster-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';
import { setConfiguration } from '../../helpers/set-configuration.js';
import { testServer } from '../../helpers/test-server.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('poller: the agent of a host that somebody removed is told so, and stays away', async t => {
  const cluster = await startCluster(t, [A, B]);
  const [agent] = await cluster.addAgents(1, `${A},${B}`);
  await cluster.goesOn(3_000);
  const [before] = await cluster.store.hosts();
  if (before === undefined) throw new Error('the agent has no row');
  await cluster.store.removeHost(before.id, 1);
  await cluster.goesOn(10_000);
  t.same(await cluster.store.hosts(), []);
  t.equal(agent?.agent.state.phase.kind, 'idle');
  t.same(cluster.counts(), { [A]: 0, [B]: 0 });
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

t.test('poller: while nothing changes, only where configuration and hosts stand is read', async t => {
  const { agent, store, clock, stop } = await testServer();
  t.teardown(() => stop('now'));
  await agent().join({ guid: 'g1' });
  await clock.advance(20_000);
  store.calls.length = 0;
  await clock.advance(2_000);
  const [first, ...others] = store.calls;
  t.equal(first, 'configurationState');
  t.same(
    others.filter(call => !['hostVersions', 'hostsById', 'deleteMoves'].includes(call)),
    [],
  );
  await setConfiguration(store, 'ping.interval', '61');
  store.calls.length = 0;
  await clock.advance(2_000);
  t.ok(store.calls.includes('configuration'), 'values are read when their version has changed');
});

t.test('poller: a host of another server takes its place in the zone, which is not read again', async t => {
  const { agent, store, clock, lists, stop } = await testServer();
  t.teardown(() => stop('now'));
  await setConfiguration(store, 'host', `${A},${B}`);
  await setConfiguration(store, 'indirect.agent.lb.algorithm', 'roundrobin');
  await clock.advance(2_000);
  await agent().join({ guid: 'g1' });
  const zoneId = await store.zoneId('default');
  for (const guid of ['g2', 'g3']) await registerHost(store, hostDescription(guid, zoneId));
  store.calls.length = 0;
  await clock.advance(2_000);
  t.notOk(store.calls.includes('zoneHostIds'));
  const headOf = (id: number) => lists.listFor({ id, uuid: '', name: '', zoneId, clusterId: null }).hosts.at(0);
  t.same([1, 2, 3].map(headOf), [A, B, A]);
});
