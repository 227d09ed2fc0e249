import t from 'tap';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { SetupMSListCommand } from '../../../src/protocol/index.js';
import { apiBench } from '../../helpers/api-bench.js';
import { assignments, leads, writtenAttempt } from '../../helpers/assign.js';
import { type Cluster, startCluster } from '../../helpers/cluster-bench.js';
import { obeys } from '../../helpers/obedient-agent.js';
import { setConfiguration } from '../../helpers/set-configuration.js';
import { fails } from '../../helpers/store-faults.js';
import { testServer } from '../../helpers/test-server.js';
import { until } from '../../helpers/until.js';

const [A, B, C, D] = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'] as const;
const ALGORITHM = 'indirect.agent.lb.algorithm';

const listsOf = (cluster: Cluster) =>
  new Map(cluster.agents.map(({ guid, agent }) => [guid, agent.state.list.hosts.join()]));

/** 60 hosts that `rendezvous` has assigned to two servers. */
async function assigned(t: Parameters<typeof apiBench>[0]) {
  const bench = await apiBench(t);
  await bench.addHosts(60);
  await bench.call('updateConfiguration', { name: ALGORITHM, value: 'rendezvous' });
  return bench;
}

t.test('regression: one whose clusters could not be read once is still told to agents', async t => {
  const bench = await testServer();
  const agent = bench.agent();
  await agent.join({ guid: 'g1' });
  const { told } = obeys(agent);
  const { clusters } = bench.store;
  bench.store.clusters = async () => {
    bench.store.clusters = clusters;
    throw new StoreError('STORE_BUSY', 'clusters');
  };
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(2_000);
  t.equal(bench.lists.configuration.values.host.join(), `${A},${B},${C}`, 'not before all of it was read');
  for (let i = 0; i < 5; i++) await bench.clock.advance(2_000);
  t.equal(bench.lists.configuration.values.host.join(), `${B},${A}`, 'the server has it');
  t.equal(told.filter(([type]) => SetupMSListCommand.type.endsWith(type)).length, 1, 'the agent was told');
});

t.test('regression: with one failed read on every server a configuration still arrives at all agents', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(2, `${A},${B}`);
  for (const { faults } of cluster.nodes.values()) faults.before = fails('clusters');
  await setConfiguration(cluster.store, 'host', `${B},${A}`);
  await cluster.goesOn(30_000);
  t.same(new Set(listsOf(cluster).values()), new Set([`${B},${A}`]));
});

t.test(
  'regression: a server that cannot read new hosts tells nobody the configuration that came with them',
  async t => {
    const bench = await testServer();
    const agent = bench.agent();
    await agent.join({ guid: 'g1' });
    const { told } = obeys(agent);
    const { hostVersions } = bench.store;
    bench.store.hostVersions = async () => {
      throw new StoreError('STORE_BUSY', 'hostVersions');
    };
    await bench.store.setConfiguration('host', `${B},${A}`);
    await bench.clock.advance(4_000);
    t.equal(told.length, 0);
    bench.store.hostVersions = hostVersions;
    await bench.clock.advance(4_000);
    t.equal(told.length, 1);
  },
);

t.test('regression: of two changes at one moment neither is overwritten, and all hosts follow both', async t => {
  const bench = await assigned(t);
  const replies = await Promise.all([
    bench.call('updateConfiguration', { name: 'host', value: `${A},${B},${C}` }),
    bench.call('updateConfiguration', { name: 'indirect.agent.lb.weights', value: `${A}=3` }),
  ]);
  t.same(
    replies.map(({ status }) => status),
    [200, 200],
  );
  const { values } = await bench.store.configuration();
  t.same([values.get('host'), values.get('indirect.agent.lb.weights')], [`${A},${B},${C}`, `${A}=3`]);
  const counts = await leads(bench.store);
  // 3:1:1 of 60, within 5 %.
  t.ok(Math.abs((counts[A] ?? 0) - 36) <= 3 && Math.abs((counts[C] ?? 0) - 12) <= 2, JSON.stringify(counts));
});

t.test('configuration: a change that another server made in between is judged by that one', async t => {
  const bench = await assigned(t);
  const { writeAssignments } = bench.store;
  bench.store.writeAssignments = async (...args) => {
    bench.store.writeAssignments = writeAssignments;
    const written = await writeAssignments(...args);
    await setConfiguration(bench.store, 'indirect.agent.lb.weights', `${A}=3`);
    return written;
  };
  // The first attempt is found by the second one, which waits whether anything is still written there.
  const call = bench.call('updateConfiguration', { name: 'host', value: `${A},${B},${C}` });
  await until(() => bench.clock.pending > 0);
  await bench.clock.advance(3_000);
  t.equal((await call).status, 200);
  const counts = await leads(bench.store);
  t.ok(Math.abs((counts[A] ?? 0) - 36) <= 3 && Math.abs((counts[C] ?? 0) - 12) <= 2, JSON.stringify(counts));
});

t.test('configuration: a change that comes in between again and again is refused with a reason', async t => {
  const bench = await apiBench(t);
  const { updateConfiguration } = bench.store;
  let others = 0;
  bench.store.updateConfiguration = async (...args) => {
    await bench.store.initialiseConfiguration(new Map([[`other.${others++}`, '1']]));
    return updateConfiguration(...args);
  };
  const { status, body } = await bench.call('updateConfiguration', { name: 'ping.interval', value: '30' });
  t.not(status, 200);
  t.match(body.errortext, /came in between again and again/);
  t.equal(others, 10);
  const { values } = await bench.store.configuration();
  t.equal(values.get('ping.interval'), undefined);
});

t.test('regression: a change of host that fails has changed nothing', async t => {
  const bench = await assigned(t);
  const before = await assignments(bench.store);
  const { updateConfiguration } = bench.store;
  bench.store.updateConfiguration = async () => {
    throw new StoreError('STORE_UNAVAILABLE', 'updateConfiguration');
  };
  const { status } = await bench.call('updateConfiguration', { name: 'host', value: B });
  bench.store.updateConfiguration = updateConfiguration;
  t.equal(status, 530);
  t.same(await assignments(bench.store), before, 'hosts are still where they belong');
});

t.test('configuration: what a killed server has left of a change is erased by the next one', async t => {
  const bench = await assigned(t);
  const before = await assignments(bench.store);
  await writtenAttempt(
    bench.store,
    [...before.keys()].map(id => ({ id, preferred: D })),
  );
  const call = bench.call('updateConfiguration', { name: 'host', value: `${A},${B},${C}` });
  await until(() => bench.clock.pending > 0);
  await bench.clock.advance(3_000);
  t.equal((await call).status, 200);
  t.same(Object.keys(await leads(bench.store)).toSorted(), [A, B, C]);
  t.notOk((await bench.store.hosts()).some(({ nextPreferred }) => nextPreferred === D));
});

t.test("configuration: a cluster's own interval is judged anew when another change came in between", async t => {
  const bench = await apiBench(t);
  await bench.addHosts(1);
  const [cluster] = await bench.store.clusters();
  const { clusters } = bench.store;
  bench.store.clusters = async () => {
    bench.store.clusters = clusters;
    await setConfiguration(bench.store, 'ping.interval', '30');
    return clusters();
  };
  const change = { name: 'indirect.agent.lb.check.interval', value: '15', clusterid: cluster?.uuid ?? '' };
  t.equal((await bench.call('updateConfiguration', change)).status, 200);
  t.match(await bench.store.clusters(), [{ checkIntervalSeconds: 15 }]);
  t.equal((await bench.store.configuration()).values.get('ping.interval'), '30');
});

t.test('regression: a heartbeat threshold below three intervals is refused, whichever is changed', async t => {
  const bench = await apiBench(t);
  const set = (name: string, value: string) =>
    bench.call('updateConfiguration', { name: `cluster.heartbeat.${name}`, value });
  const refused = await set('threshold', '4499');
  t.equal(refused.status, 431);
  t.match(refused.body.errortext, /threshold is at least 3 times cluster\.heartbeat\.interval/);
  t.equal((await set('threshold', '4500')).status, 200);
  t.equal((await set('interval', '1501')).status, 431);
  t.equal((await set('interval', '1000')).status, 200);
  t.equal((await set('threshold', '3000')).status, 200);
  t.equal((await bench.call('updateConfiguration', { name: 'ping.interval', value: '30' })).status, 200);
});

t.test('regression: while assignments are written for a longer host, no list is neither old nor new', async t => {
  const cluster = await startCluster(t, [A, B, C], { [ALGORITHM]: 'rendezvous' });
  await cluster.addAgents(12, `${A},${B},${C}`);
  await cluster.node(A).call('rebalanceAgents');
  await cluster.goesOn(20_000);
  const before = listsOf(cluster);
  // With 100,000 hosts it takes so long.
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  cluster.node(A).faults.before = call => (call === 'updateConfiguration' ? held : undefined);
  const call = cluster.node(A).call('updateConfiguration', { name: 'host', value: `${A},${B},${C},${D}` });
  await cluster.goesOn(10_000);
  const between = listsOf(cluster);
  release();
  t.equal((await call).status, 200);
  await cluster.goesOn(10_000);
  const after = listsOf(cluster);
  t.same(between, before);
  t.ok([...after.values()].every(list => list.split(',').length === 4));
});

t.test('regression: rebalanceAgents at another server right after a change of host goes by the new host', async t => {
  const cluster = await startCluster(t, [A, B, C], { [ALGORITHM]: 'rendezvous' });
  await cluster.addAgents(9, `${A},${B},${C}`);
  await cluster.node(A).call('rebalanceAgents');
  await cluster.goesOn(20_000);
  await cluster.node(A).call('updateConfiguration', { name: 'host', value: `${A},${B}` });
  await cluster.node(B).call('rebalanceAgents');
  await cluster.goesOn(10_000);
  t.notOk((await leads(cluster.store))[C], 'nobody is assigned to a server that is not in host');
});

t.test('regression: with roundrobin a removal shows at the next connect, not with the next avoid list', async t => {
  const bench = await testServer({ configuration: { [ALGORITHM]: 'roundrobin' } });
  const told: (readonly unknown[])[] = [];
  for (const guid of ['g1', 'g2', 'g3', 'g4']) {
    const agent = bench.agent();
    await agent.join({ guid });
    told.push(obeys(agent).told);
  }
  await bench.store.removeHost(1, 1);
  await bench.clock.advance(6_000);
  t.same(
    told.slice(1).map(({ length }) => length),
    [0, 0, 0],
    'the removal itself pushes nothing',
  );
  // The agent of the removed host does not answer.
  const others = () => [...bench.registry].filter(({ host }) => host.id !== 1);
  const first = () => others().map(({ held }) => held?.hosts[0]);
  const before = first();
  t.equal(before.length, 3);
  bench.lists.avoid([C]);
  await bench.store.setConfiguration('indirect.agent.lb.check.interval', '90');
  await bench.clock.advance(6_000);
  t.same(first(), before, 'the first hosts stay as they were');
  await bench.store.setConfiguration('host', `${A},${B}`);
  await bench.clock.advance(6_000);
  t.same(first(), [A, B, A], 'a change of the list counts those that are left');
});
