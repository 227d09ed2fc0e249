import t from 'tap';
import { SetupMSListAnswer, SetupMSListCommand } from '../../src/protocol/index.js';
import { startCluster } from '../helpers/cluster-bench.js';
import { knownFault } from '../helpers/known-fault.js';
import { obeys } from '../helpers/obedient-agent.js';
import { registerHost, wholeHosts } from '../helpers/one-host.js';
import { testServer } from '../helpers/test-server.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
const refuses = (details: string) => () => SetupMSListAnswer.encode({ result: false, details });

t.test("regression: lists: the retry wait of an agent's former link does not hold up its new one", async t => {
  const bench = await testServer();
  const former = bench.agent();
  await former.join({ guid: 'g1' });
  const refused = obeys(former, refuses('disk full'));
  await bench.store.setConfiguration('host', `${B},${A}`);
  // It has refused three times, and the longest wait runs.
  for (let second = 0; second < 27; second++) await bench.clock.advance(1_000);
  t.equal(refused.told.length, 3);
  const agent = bench.agent();
  await agent.join({ guid: 'g1', msHostList: A });
  t.ok(former.closed);
  const { told } = obeys(agent);
  await bench.store.setConfiguration('host', `${C},${A}`);
  for (let second = 0; second < 10; second++) await bench.clock.advance(1_000);
  t.same(
    told.filter(([type]) => SetupMSListCommand.type.endsWith(type)).map(([, { msList }]) => msList),
    [[C, A]],
    'told within 10 s',
  );
});

knownFault(t, 'lists: after a host has moved to another zone, all servers give the others the same list', async t => {
  const cluster = await startCluster(t, [A, B], {
    'indirect.agent.lb.algorithm': 'roundrobin',
    'indirect.agent.lb.check.interval': '5',
    zones: 'default,other',
  });
  const [moved, ...others] = await cluster.addAgents(3, `${A},${B}`);
  await cluster.goesOn(30_000);
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
  for (let i = 0; i < 24; i++) {
    await cluster.goesOn(5_000);
    seen.push(others.map(({ host }) => host).join());
  }
  const moves = seen.filter((hosts, i) => i > 0 && hosts !== seen[i - 1]).length;
  t.ok(moves <= 1, `${moves} moves in 2 minutes: ${seen.join(' ')}`);
  const hosts = await cluster.store.hosts();
  for (const { guid } of others) {
    const host = hosts.find(row => row.guid === `${guid}-R`);
    if (host === undefined) throw new Error('the host has no row');
    const [one, other] = [A, B].map(address => cluster.node(address).node.agents.lists.listFor(host).hosts);
    t.same(one, other, guid);
  }
});

knownFault(t, 'lists: with roundrobin a removal shows at the next connect, not with the next avoid list', async t => {
  const bench = await testServer({ configuration: { 'indirect.agent.lb.algorithm': 'roundrobin' } });
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
  const first = () => [...bench.registry].map(({ held }) => held?.hosts[0]);
  const before = first();
  t.equal(before.length, 3);
  bench.lists.avoid([C]);
  await bench.clock.advance(6_000);
  t.same(first(), before, 'the first hosts stay as they were');
});

knownFault(t, 'lists: what an agent says when it refuses its list is not kept at length', async t => {
  const bench = await testServer();
  const agent = bench.agent();
  await agent.join({ guid: 'g1' });
  obeys(agent, refuses('x'.repeat(1_000_000)));
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(3_000);
  const [attache] = bench.registry;
  t.ok(attache?.lag, 'it has refused');
  t.ok((attache?.lag?.length ?? 0) < 10_000, `${attache?.lag?.length} characters`);
});
