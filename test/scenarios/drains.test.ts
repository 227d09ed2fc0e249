import { Duplex, PassThrough } from 'node:stream';
import t from 'tap';
import { ClusterAgent, startCluster } from '../helpers/cluster-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('regression: drains: an agent whose bytes come only when the drain has ended is not Ready there', async t => {
  const cluster = await startCluster(t, [A, B], { 'management.server.maintenance.timeout': '1' });
  await cluster.addAgents(1, `${B},${A}`);
  const slow = await ClusterAgent.make(cluster, 7, `${A},${B}`);
  cluster.agents.push(slow);
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  const { port } = cluster.node(A);
  const { serve } = port;
  // The connection is accepted at once, and what comes on it is late.
  port.serve = (socket, remote) => {
    const late = new PassThrough();
    void held.then(() => socket.pipe(late));
    serve?.(Duplex.from({ readable: late, writable: socket }), remote);
  };
  slow.agent.start();
  await cluster.goesOn(300);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid: (await cluster.row(A)).uuid });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 20_000);
  release();
  await cluster.goesOn(20_000);
  t.equal(cluster.counts()[A], 0);
  t.equal(slow.host, B);
});

t.test('regression: drains: the last server that lives is not drained on the word of one dead for 100 s', async t => {
  const cluster = await startCluster(t, [A, B], { 'management.server.maintenance.timeout': '1' });
  await cluster.addAgents(3, `${A},${B}`);
  await cluster.node(B).kill();
  await cluster.goesOn(100_000);
  const { status } = await cluster.node(A).call('prepareForMaintenance', {
    managementserverid: (await cluster.row(A)).uuid,
  });
  t.equal(status, 530);
  await cluster.goesOn(100_000);
  t.equal(cluster.node(A).state, 'Up');
  t.equal(cluster.counts()[A], 3);
});

t.test('regression: drains: SIGTERM does not wait for a target that is dead', async t => {
  const cluster = await startCluster(t, [A, B], { 'management.server.shutdown.drain.timeout': '30' });
  await cluster.addAgents(3, `${A},${B}`);
  await cluster.node(B).kill();
  await cluster.goesOn(60_000);
  const from = cluster.clock.now();
  await cluster.passes(cluster.node(A).stop('SIGTERM'));
  const took = cluster.clock.now() - from;
  t.ok(took < 10_000, `it stops after ${took} ms`);
});
