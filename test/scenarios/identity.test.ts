import t from 'tap';
import { startCluster } from '../helpers/cluster-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test(
  'regression: identity: a drain goes to a server that came back with another data.dir after Maintenance',
  async t => {
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
  },
);
