import t from 'tap';
import { startCluster } from '../../helpers/cluster-bench.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
const ALL = `${A},${B},${C}`;

t.test('server-jobs: rebalanceAgents brings those who are astray to where they belong, and only those', async t => {
  const cluster = await startCluster(t, [A, B, C]);
  await cluster.addAgents(4, `${C},${A},${B}`);
  t.same(cluster.counts(), { [A]: 0, [B]: 0, [C]: 4 });
  const { body } = await cluster.node(B).call('rebalanceAgents');
  t.match(body, { success: true, jobids: [/^[0-9a-f-]{36}$/, /./, /./] });
  await cluster.comes(() => cluster.counts()[A] === 4, 20_000);
  await cluster.goesOn(3_000);
  const results = [];
  for (const uuid of body.jobids) results.push((await cluster.job(uuid))?.result);
  t.same(results.sort(), [
    '{"moved":0,"leftcount":0,"left":[]}',
    '{"moved":0,"leftcount":0,"left":[]}',
    '{"moved":4,"leftcount":0,"left":[]}',
  ]);
});

t.test('server-jobs: with the id of a server only those go that belong there', async t => {
  const cluster = await startCluster(t, [A, B, C], { 'indirect.agent.lb.algorithm': 'roundrobin' });
  await cluster.addAgents(6, C);
  t.same(cluster.counts(), { [A]: 0, [B]: 0, [C]: 6 });
  await cluster.node(A).call('rebalanceAgents', { managementserverid: (await cluster.row(B)).uuid });
  await cluster.comes(() => cluster.counts()[B] === 2, 20_000);
  await cluster.goesOn(5_000);
  t.same(cluster.counts(), { [A]: 0, [B]: 2, [C]: 4 });
});

t.test('regression: rebalancing leaves an agent on the first of its own shuffled list', async t => {
  const cluster = await startCluster(t, [A, B, C], { 'indirect.agent.lb.algorithm': 'shuffle' });
  await cluster.addAgents(8, ALL);
  await cluster.node(A).call('rebalanceAgents');
  await cluster.goesOn(20_000);
  const at = cluster.agents.map(({ host }) => host);
  t.same(
    at,
    cluster.agents.map(({ agent }) => agent.state.list.hosts[0]),
  );
  // Another generation would give other orders, but the sets are equal.
  await cluster.node(A).call('updateConfiguration', { name: 'ping.interval', value: '45' });
  await cluster.node(A).call('rebalanceAgents');
  await cluster.goesOn(20_000);
  t.same(
    cluster.agents.map(({ host }) => host),
    at,
  );
});

t.test('regression: agents come back to a server that has not noticed yet that it is Up', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(5, `${A},${B}`);
  const managementserverid = (await cluster.row(A)).uuid;
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance');
  // Asked where the agents are: its job begins at once, within a heartbeat of the other's.
  await cluster.node(B).call('cancelMaintenance', { managementserverid });
  const turnedAway = cluster.node(A).server.turnedAway;
  await cluster.comes(() => cluster.counts()[A] === 5, 20_000);
  t.equal(cluster.node(A).server.turnedAway, turnedAway, 'nobody knocked too early');
});

t.test('server-jobs: agents return at the pace of the setting, however many servers send them', async t => {
  const cluster = await startCluster(t, [A, B, C], { 'agent.migrate.rate': '2' });
  await cluster.addAgents(4, `${B},${C},${A}`);
  await cluster.addAgents(4, `${C},${B},${A}`);
  t.same(cluster.counts(), { [A]: 0, [B]: 4, [C]: 4 });
  await cluster.node(A).call('rebalanceAgents');
  const arrived: number[] = [];
  await cluster.comes(
    () => cluster.counts()[A] === 8,
    30_000,
    () => {
      while (arrived.length < (cluster.counts()[A] ?? 0)) arrived.push(cluster.clock.now());
    },
  );
  const [first = 0] = arrived;
  const last = arrived.at(-1) ?? 0;
  t.ok(last - first >= 2_500 && last - first < 6_500, `8 agents within ${last - first} ms`);
});

t.test('server-jobs: an agent whose server does not take it is named, after three tries', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(1, `${B},${A}`);
  // It accepts nobody, though nothing in the store says so.
  cluster.node(A).port.serve = socket => void socket.destroy();
  const { body } = await cluster.node(B).call('rebalanceAgents');
  await cluster.goesOn(60_000);
  const job = [];
  for (const uuid of body.jobids) job.push(JSON.parse((await cluster.job(uuid))?.result ?? '{}'));
  t.match(
    job.find(({ leftcount }) => leftcount === 1),
    { moved: 0, left: [{ why: 'it was asked, and stayed' }] },
  );
  t.same(cluster.counts(), { [A]: 0, [B]: 1 });
});

t.test('server-jobs: a server that stops ends what it had begun, and leaves no timer', async t => {
  const cluster = await startCluster(t, [A, B], {
    'agent.migrate.rate': '1',
    'management.server.shutdown.drain.timeout': '2',
  });
  await cluster.addAgents(6, `${B},${A}`);
  await cluster.node(A).call('rebalanceAgents');
  await cluster.goesOn(2_500);
  for (const { agent } of cluster.agents) await agent.stop();
  for (const address of [B, A]) await cluster.passes(cluster.node(address).stop('SIGTERM'));
  await cluster.goesOn(200);
  t.equal(cluster.clock.pending, 0);
});

t.test(
  'server-jobs: SIGTERM in the midst of a drain for maintenance takes it over, and ends within its own time',
  async t => {
    const cluster = await startCluster(t, [A, B], {
      'agent.migrate.rate': '1',
      'management.server.shutdown.drain.timeout': '3',
    });
    await cluster.addAgents(10, `${A},${B}`);
    const managementserverid = (await cluster.row(A)).uuid;
    await cluster.node(B).call('prepareForMaintenance', { managementserverid });
    await cluster.goesOn(2_000);
    const from = cluster.clock.now();
    await cluster.passes(cluster.node(A).stop('SIGTERM'));
    t.ok(cluster.clock.now() - from < 4_000, `${cluster.clock.now() - from} ms`);
    t.equal((await cluster.row(A)).state, 'Maintenance');
    await cluster.comes(() => cluster.counts()[B] === 10, 10_000);
  },
);

t.test('server-jobs: an agent that registers while its server goes into maintenance does not stay behind', async t => {
  const cluster = await startCluster(t, [A, B]);
  const { registerHosts } = cluster.store;
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  cluster.store.registerHosts = async batch => {
    await held;
    return registerHosts(batch);
  };
  const adding = cluster.addAgents(1, `${A},${B}`);
  adding.catch(() => {});
  await cluster.comes(() => cluster.node(A).server.arriving === 1, 5_000);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid: (await cluster.row(A)).uuid });
  await cluster.goesOn(5_000);
  t.equal(cluster.node(A).server.arriving, 0, 'a link that was not Ready when the port closed is closed');
  release();
  await adding;
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 20_000);
  await cluster.comes(() => cluster.counts()[B] === 1, 20_000);
  t.same(cluster.counts(), { [A]: 0, [B]: 1 });
  cluster.store.registerHosts = registerHosts;
});

t.test('regression: a second order to stop ends what the first one waits for, and nothing is logged of it', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.node(B).kill();
  const again = await cluster.start(B);
  await cluster.addAgents(1, B);
  const first = again.stop('SIGTERM');
  await cluster.goesOn(500);
  t.equal(cluster.counts()[B], 1, 'it waits until the others could be heard');
  await cluster.passes(again.stop('SIGINT'));
  await t.resolves(first);
  t.equal(again.log.count('warn Agents could not be moved away'), 0);
});
