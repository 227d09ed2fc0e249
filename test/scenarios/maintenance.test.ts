import t from 'tap';
import { type Cluster, startCluster } from '../helpers/cluster-bench.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
const ALL = `${A},${B},${C}`;

/** Agents that some server has had Ready, and none has any more: looked at on every step. */
function watchLinks(cluster: Cluster) {
  const gaps = new Set<string>();
  const look = () => {
    for (const { guid, host, log } of cluster.agents) {
      const isReady = [...cluster.nodes.values()].some(({ node }) => node.agents.registry.byGuid(`${guid}-R`));
      if (host === undefined) gaps.add(`${guid} has no Ready link in its own eyes`);
      if (!isReady) gaps.add(`${guid} has no Ready link on any server`);
      if (log.count('warn Lost connection') > 0) gaps.add(`${guid} has lost a link`);
    }
  };
  return { gaps, look };
}

const idOf = async (cluster: Cluster, address: string) => (await cluster.row(address)).uuid;

t.test('scenario: while a server drains and comes back, no agent is ever without a Ready link', async t => {
  const cluster = await startCluster(t, [A, B, C], { 'agent.migrate.rate': '5' });
  await cluster.addAgents(9, ALL);
  t.same(cluster.counts(), { [A]: 9, [B]: 0, [C]: 0 }, 'static: all prefer the first');
  const { gaps, look } = watchLinks(cluster);
  const managementserverid = await idOf(cluster, A);
  const { body } = await cluster.node(C).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 30_000, look);
  t.same(cluster.counts(), { [A]: 0, [B]: 9, [C]: 0 });
  t.match(await cluster.job(body.prepareformaintenance.jobid), {
    status: 'succeeded',
    result: /"moved":9,"leftcount":0/,
  });
  const avoided = cluster.agents.map(({ agent }) => agent.state.avoid.join());
  t.same(new Set(avoided), new Set([A]));

  await cluster.node(C).call('cancelMaintenance', { managementserverid });
  await cluster.comes(() => cluster.counts()[A] === 9, 60_000, look);
  await cluster.goesOn(10_000, look);
  t.same(cluster.counts(), { [A]: 9, [B]: 0, [C]: 0 });
  t.same(new Set(cluster.agents.map(({ agent }) => agent.state.avoid.join())), new Set(['']));
  t.same([...gaps], []);
  const hosts = await cluster.store.hosts();
  t.ok(hosts.every(({ status, msid }) => status === 'Up' && msid === cluster.node(A).msid));
});

t.test('scenario: an upgrade, one server after the other: drain, stop, start, cancel', async t => {
  const cluster = await startCluster(t, [A, B, C], { 'indirect.agent.lb.algorithm': 'rendezvous' });
  await cluster.addAgents(9, ALL);
  // A new agent goes to the one it knows, and then to where it belongs.
  await cluster.node(A).call('rebalanceAgents');
  await cluster.goesOn(10_000);
  const even = cluster.counts();
  t.ok(
    Object.values(even).every(count => count >= 2 && count <= 4),
    JSON.stringify(even),
  );
  const { gaps, look } = watchLinks(cluster);
  for (const address of [A, B, C]) {
    const other = address === A ? B : A;
    const managementserverid = await idOf(cluster, address);
    await cluster.node(other).call('prepareForMaintenance', { managementserverid });
    await cluster.comes(() => cluster.node(address).state === 'Maintenance', 30_000, look);
    t.equal(cluster.counts()[address], 0, address);
    await cluster.passes(cluster.node(address).stop('SIGTERM'));
    await cluster.goesOn(5_000, look);
    await cluster.start(address);
    t.equal(cluster.node(address).state, 'Maintenance', 'it comes up as it went down');
    await cluster.goesOn(5_000, look);
    t.equal(cluster.counts()[address], 0);
    await cluster.node(other).call('cancelMaintenance', { managementserverid });
    await cluster.comes(() => cluster.counts()[address] === even[address], 60_000, look);
  }
  t.same(cluster.counts(), even, 'everybody is where they were');
  t.same([...gaps], []);
});

t.test('scenario: SIGTERM moves the agents first', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(4, `${A},${B}`);
  const { gaps, look } = watchLinks(cluster);
  let isStopped = false;
  const stopping = cluster
    .node(A)
    .stop('SIGTERM')
    .then(() => {
      isStopped = true;
    });
  await cluster.comes(() => isStopped, 30_000, look);
  await stopping;
  await cluster.goesOn(1_000, look);
  t.same(cluster.counts(), { [A]: 0, [B]: 4 });
  t.same([...gaps], []);
  t.equal((await cluster.row(A)).state, 'Down');
});

t.test('scenario: SIGTERM does not wait where nobody could take the agents', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(2, `${A},${B}`);
  const from = cluster.clock.now();
  // The whole cluster stops.
  await cluster.passes(Promise.all([A, B].map(address => cluster.node(address).stop('SIGTERM'))));
  t.ok(cluster.clock.now() - from < 5_000, `${cluster.clock.now() - from} ms`);
  const alone = await startCluster(t, [A]);
  await alone.addAgents(1, A);
  await alone.passes(alone.node(A).stop('SIGTERM'));
  t.equal(alone.node(A).log.count('info Draining'), 0);
});

t.test(
  'scenario: the target dies in the midst of a drain: the agents find the third server, and the drain ends',
  async t => {
    const cluster = await startCluster(t, [A, B, C], { 'agent.migrate.rate': '2' });
    await cluster.addAgents(8, ALL);
    const managementserverid = await idOf(cluster, A);
    await cluster.node(C).call('prepareForMaintenance', { managementserverid });
    await cluster.comes(() => (cluster.counts()[B] ?? 0) >= 2);
    await cluster.node(B).kill();
    await cluster.comes(() => cluster.node(A).state === 'Maintenance', 60_000);
    t.same(cluster.counts(), { [A]: 0, [B]: 0, [C]: 8 });
    await cluster.goesOn(10_000);
    const hosts = await cluster.store.hosts();
    t.ok(hosts.every(({ status, msid }) => status === 'Up' && msid === cluster.node(C).msid));
  },
);

t.test('scenario: a drain that is cancelled in its midst stops at once, and those who went come back', async t => {
  const cluster = await startCluster(t, [A, B], { 'agent.migrate.rate': '2' });
  await cluster.addAgents(8, `${A},${B}`);
  const { gaps, look } = watchLinks(cluster);
  const managementserverid = await idOf(cluster, A);
  const { body } = await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => (cluster.counts()[B] ?? 0) >= 3, 30_000, look);
  await cluster.node(B).call('cancelMaintenance', { managementserverid });
  await cluster.comes(() => cluster.counts()[A] === 8, 60_000, look);
  await cluster.goesOn(20_000, look);
  t.same(cluster.counts(), { [A]: 8, [B]: 0 });
  t.match(await cluster.job(body.prepareformaintenance.jobid), { status: 'succeeded', result: /"cancelled":true/ });
  t.equal(cluster.node(A).state, 'Up');
  t.same([...gaps], []);
});

t.test('regression: cancelled and prepared anew at once, one drain goes on, at the pace of one', async t => {
  const cluster = await startCluster(t, [A, B], { 'agent.migrate.rate': '1' });
  await cluster.addAgents(8, `${A},${B}`);
  const managementserverid = await idOf(cluster, A);
  const first = await cluster.node(A).call('prepareForMaintenance', { managementserverid });
  await cluster.goesOn(1_000);
  await cluster.store.changeServerState(cluster.node(A).msid, { from: ['PreparingForMaintenance'], to: 'Up' });
  const second = await cluster.node(A).call('prepareForMaintenance', { managementserverid });
  const from = cluster.clock.now();
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 60_000);
  t.ok(cluster.clock.now() - from > 4_900, `6 agents in ${cluster.clock.now() - from} ms`);
  await cluster.goesOn(1_000);
  t.match(await cluster.job(first.body.prepareformaintenance.jobid), { result: /"cancelled":true/ });
  t.match(await cluster.job(second.body.prepareformaintenance.jobid), { result: /"leftcount":0,.*"forced":false/ });
});

t.test('scenario: forced, those who stay lose their links when the time is out', async t => {
  const cluster = await startCluster(t, [A, B], { 'management.server.maintenance.timeout': '1', host: A });
  await cluster.addAgents(2, A);
  const managementserverid = await idOf(cluster, A);
  const { body } = await cluster.node(B).call('prepareForMaintenance', { managementserverid, forced: 'true' });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 90_000);
  await cluster.goesOn(500);
  t.same(cluster.counts(), { [A]: 0, [B]: 0 });
  const job = await cluster.job(body.prepareformaintenance.jobid);
  t.match(JSON.parse(job?.result ?? ''), {
    moved: 0,
    leftcount: 2,
    left: [{ why: 'no other server of its list is Up' }, {}],
    forced: true,
  });
});

t.test('scenario: the store is away during a drain: the agents go all the same', async t => {
  const cluster = await startCluster(t, [A, B], { 'agent.migrate.rate': '2' });
  await cluster.addAgents(6, `${A},${B}`);
  // B has read them: without the store it takes only those that it knows.
  await cluster.goesOn(3_000);
  const { gaps, look } = watchLinks(cluster);
  const managementserverid = await idOf(cluster, A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => (cluster.counts()[B] ?? 0) >= 2, 30_000, look);
  for (const node of cluster.nodes.values()) node.outage = true;
  await cluster.comes(() => cluster.counts()[B] === 6, 30_000, look);
  await cluster.goesOn(5_000, look);
  for (const node of cluster.nodes.values()) node.outage = false;
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 30_000, look);
  await cluster.goesOn(3_000, look);
  const hosts = await cluster.store.hosts();
  t.ok(hosts.every(({ status, msid }) => status === 'Up' && msid === cluster.node(B).msid));
  t.same([...gaps], []);
});

t.test('scenario: host is changed during a drain: agents go to the new servers, and end on the new list', async t => {
  const cluster = await startCluster(t, [A, B, C], { 'agent.migrate.rate': '2', host: `${A},${B}` });
  await cluster.addAgents(8, `${A},${B}`);
  const { gaps, look } = watchLinks(cluster);
  const managementserverid = await idOf(cluster, A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => (cluster.counts()[B] ?? 0) >= 2, 30_000, look);
  const changed = await cluster.node(B).call('updateConfiguration', { name: 'host', value: `${C},${A}` });
  t.equal(changed.status, 200);
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 60_000, look);
  t.equal(cluster.counts()[A], 0);
  // Whoever is on B is on no server of its list, and leaves within 30 s.
  await cluster.comes(() => cluster.counts()[C] === 8, 60_000, look);
  t.same(new Set(cluster.agents.map(({ agent }) => agent.state.list.hosts.join())), new Set([`${C},${A}`]));
  t.same([...gaps], []);
});

t.test('scenario: by another algorithm the agents of a drained server spread over all others', async t => {
  const cluster = await startCluster(t, [A, B, C]);
  await cluster.addAgents(12, ALL);
  const managementserverid = await idOf(cluster, A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid, algorithm: 'rendezvous' });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 30_000);
  const { [B]: onB = 0, [C]: onC = 0 } = cluster.counts();
  t.equal(onB + onC, 12);
  t.ok(onB > 0 && onC > 0, `${onB} and ${onC}`);
  const hosts = await cluster.store.hosts();
  t.same(new Set(hosts.map(({ preferred }) => preferred)), new Set([null]), 'and no row remembers it');
  t.same(new Set(cluster.agents.map(({ agent }) => agent.state.list.algorithm)), new Set(['static']), 'nor any agent');
});

t.test('scenario: the port of a server that takes no agents is closed', async t => {
  const cluster = await startCluster(t, [A, B]);
  const managementserverid = await idOf(cluster, A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance');
  await cluster.addAgents(2, `${A},${B}`);
  t.same(cluster.counts(), { [A]: 0, [B]: 2 });
  t.equal(cluster.node(A).port.serve, undefined, 'its port is closed');
});

t.test('scenario: a drain while one target has just died takes the others', async t => {
  const cluster = await startCluster(t, [A, B, C]);
  await cluster.addAgents(3, ALL);
  await cluster.node(B).kill();
  await cluster.goesOn(3_000);
  const from = cluster.clock.now();
  await cluster.node(C).call('prepareForMaintenance', { managementserverid: await idOf(cluster, A) });
  await cluster.comes(() => cluster.counts()[C] === 3, 30_000);
  const took = cluster.clock.now() - from;
  t.ok(took < 30_000, `after ${took} ms`);
});
