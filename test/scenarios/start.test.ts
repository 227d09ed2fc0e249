import t from 'tap';
import { ClusterNode, startCluster } from '../helpers/cluster-bench.js';
import { fails } from '../helpers/store-faults.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('regression: start: a server whose start fails behind its claim does not stand Up', async t => {
  const cluster = await startCluster(t, [A]);
  const node = await ClusterNode.make(cluster, B);
  node.faults.before = fails('failJobsOfServer', 1_000, 'STORE_FAILED');
  await t.rejects(cluster.passes(node.start()), { code: 'STORE_FAILED' });
  t.match(await cluster.row(B), { state: 'Down' });
});

t.test('regression: start: one that is stopped while it starts rejects, and leaves nothing', async t => {
  for (const call of ['claimServer', 'hosts', 'heartbeat']) {
    const cluster = await startCluster(t, [A]);
    const node = await ClusterNode.make(cluster, B);
    let stopped: Promise<void> | undefined;
    node.faults.after = name => {
      if (name === call) stopped ??= node.node.stop('now');
    };
    await t.rejects(cluster.passes(node.start()), { name: 'AbortError' }, `stopped after ${call}`);
    await cluster.passes(stopped ?? Promise.reject(new Error(`${call} was not called`)));
    t.match(await cluster.row(B), { state: 'Down', runId: null });
    t.equal(node.port.serve, undefined, 'its port is closed');
  }
});

t.test('regression: start: what is asked of a server in its first seconds is not refused for want of news', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.passes(cluster.node(A).stop('SIGINT'));
  await cluster.start(A);
  const { uuid } = await cluster.row(B);
  const reply = await cluster.node(A).call('prepareForMaintenance', { managementserverid: uuid });
  t.equal(reply.status, 200, JSON.stringify(reply.body));
  await cluster.comes(() => cluster.node(B).state === 'Maintenance', 30_000);
});

t.test('regression: start: maintenance that was cancelled just before a server stopped is over', async t => {
  const cluster = await startCluster(t, [A, B]);
  const { uuid } = await cluster.row(A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid: uuid });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 30_000);
  const reply = await cluster.node(B).call('cancelMaintenance', { managementserverid: uuid });
  t.equal(reply.status, 200, JSON.stringify(reply.body));
  await cluster.passes(cluster.node(A).stop('SIGTERM'));
  await cluster.start(A);
  t.match(await cluster.row(A), { state: 'Up' });
});
