import t from 'tap';
import { ClusterAgent, startCluster } from '../helpers/cluster-bench.js';
import { knownFault } from '../helpers/known-fault.js';
import { type Member, memberBench } from '../helpers/member-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

knownFault(
  t,
  'identity: a server that comes back with another data.dir is not avoided for its former self',
  async t => {
    const bench = await memberBench(t);
    const [other, former] = (await bench.members(1001, 1002)) as [Member, Member];
    await bench.store.changeServerState(1002, { from: ['Up'], to: 'Maintenance' });
    await bench.goesOn(3_000);
    // An orderly stop for a reinstallation: data.dir is lost.
    await former.membership.leave();
    const { membership } = bench.member(7772, { address: B, name: 'ms-new' });
    await membership.join();
    await bench.goesOn(600_000, 1_500);
    t.equal(membership.state, 'Up');
    t.same(other.membership.avoided, []);
  },
);

knownFault(t, 'identity: a drain goes to a server that came back with another data.dir after Maintenance', async t => {
  const cluster = await startCluster(t, [A, B], { 'management.server.maintenance.timeout': '3' });
  await cluster.addAgents(3, `${A},${B}`);
  const former = (await cluster.row(B)).uuid;
  await cluster.node(A).call('prepareForMaintenance', { managementserverid: former });
  await cluster.comes(() => cluster.node(B).state === 'Maintenance', 30_000);
  await cluster.passes(cluster.node(B).stop('SIGTERM'));
  await cluster.start(B, 7772);
  await cluster.goesOn(6_000);
  t.notOk(cluster.node(A).membership.avoided.includes(B), 'B, which is Up, is not avoided');
  const { status } = await cluster.node(A).call('prepareForMaintenance', {
    managementserverid: (await cluster.row(A)).uuid,
  });
  t.equal(status, 200, 'another server of host is Up');
  await cluster.goesOn(60_000);
  t.equal(cluster.node(A).state, 'Maintenance');
  t.same(cluster.counts(), { [A]: 0, [B]: 3 });
});

knownFault(
  t,
  'identity: of two agents with one guid on two servers, the established one stays, and it is said',
  async t => {
    const cluster = await startCluster(t, [A, B]);
    const [first] = await cluster.addAgents(1, A);
    await cluster.goesOn(1_000);
    const clone = await ClusterAgent.make(cluster, 1, B, first?.guid);
    cluster.agents.push(clone);
    clone.agent.start();
    const epochs: (number | undefined)[] = [];
    for (let minute = 0; minute < 10; minute++) {
      await cluster.goesOn(60_000);
      epochs.push((await cluster.store.hosts()).find(({ guid }) => guid === 'agent-0-R')?.epoch);
    }
    const { count } = await cluster.store.events({ page: 1, pagesize: 1, type: 'AGENT.GUID.FIGHT' });
    t.ok(count > 0, 'an operator is told');
    t.equal(new Set(epochs.slice(5)).size, 1, `they do not fight for ever: epochs, minute by minute: ${epochs}`);
    t.equal(first?.host, A);
    t.equal(first?.log.count('warn Lost connection'), 0, 'the established link is kept');
  },
);
