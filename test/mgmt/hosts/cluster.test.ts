import t from 'tap';
import { ClusterAgent, startCluster } from '../../helpers/cluster-bench.js';
import { hostReady, registerHost, wholeHosts } from '../../helpers/one-host.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('regression: a good link is kept though its row says a server that was killed a moment ago', async t => {
  const cluster = await startCluster(t, [A, B]);
  const [agent] = await cluster.addAgents(1, A);
  await cluster.goesOn(3_000);
  const [host] = await cluster.store.hosts();
  if (host === undefined) throw new Error('the agent has no row');
  // B writes its late Ready, since its store was away, and is killed in that moment.
  await hostReady(cluster.store, host.id, { msid: cluster.node(B).msid, msHostList: 'x@static', at: 1 });
  await cluster.node(B).kill();
  await cluster.goesOn(60_000);
  const { count } = await cluster.store.moves({ page: 1, pagesize: 1, kind: 'lost' });
  t.equal(count, 0);
  t.equal(agent?.log.count('warn Lost connection'), 0);
  t.equal(cluster.counts()[A], 1);
});

t.test('regression: of two agents with one guid on two servers, the established one stays, and it is said', async t => {
  const cluster = await startCluster(t, [A, B]);
  const [first] = await cluster.addAgents(1, A);
  await cluster.goesOn(3_000);
  const clone = await ClusterAgent.make(cluster, 1, B, { guid: first?.guid ?? '' });
  cluster.agents.push(clone);
  clone.agent.start();
  await cluster.goesOn(120_000);
  const { count } = await cluster.store.events({ page: 1, pagesize: 1, type: 'AGENT.GUID.FIGHT' });
  t.ok(count >= 1 && count <= 2, `${count} events: one an hour for the pair at each server`);
  t.match(await cluster.store.hosts(), [{ epoch: 1, msid: cluster.node(A).msid }]);
  t.equal(first?.host, A);
  t.equal(first?.log.count('warn Lost connection'), 0, 'the established link is kept');
  t.equal(clone.host, undefined);
});

t.test('regression: after a host has moved to another zone, all servers give the others the same list', async t => {
  const cluster = await startCluster(t, [A, B], {
    'indirect.agent.lb.algorithm': 'roundrobin',
    'indirect.agent.lb.check.interval': '5',
    zones: 'default,other',
  });
  const [moved, ...others] = await cluster.addAgents(3, `${A},${B}`);
  await cluster.goesOn(10_000);
  const row = (await wholeHosts(cluster.store)).find(({ guid }) => guid === `${moved?.guid}-R`);
  if (row === undefined) throw new Error('the host has no row');
  await moved?.agent.stop();
  await registerHost(cluster.store, { ...row, zoneId: await cluster.store.zoneId('other') });
  // One of the servers reads everything anew.
  await cluster.passes(cluster.node(A).stop('SIGTERM'));
  await cluster.goesOn(3_000);
  await cluster.start(A);
  await cluster.goesOn(20_000);
  const seen: string[] = [];
  for (let i = 0; i < 10; i++) {
    await cluster.goesOn(5_000);
    seen.push(others.map(({ host }) => host).join());
  }
  const moves = seen.filter((hosts, i) => i > 0 && hosts !== seen[i - 1]).length;
  t.ok(moves <= 1, `${moves} moves: ${seen.join(' ')}`);
  const hosts = await cluster.store.hosts();
  for (const { guid } of others) {
    const host = hosts.find(row => row.guid === `${guid}-R`);
    if (host === undefined) throw new Error('the host has no row');
    const [one, other] = [A, B].map(address => cluster.node(address).node.agents.lists.listFor(host).hosts);
    t.same(one, other, guid);
  }
});
