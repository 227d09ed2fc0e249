import { Duplex, PassThrough } from 'node:stream';
import t from 'tap';
import { ClusterAgent, startCluster } from '../helpers/cluster-bench.js';
import { settle } from '../helpers/fake-clock.js';
import { knownFault } from '../helpers/known-fault.js';
import { testServer } from '../helpers/test-server.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

knownFault(t, 'drains: a link that was accepted before maintenance and registers only then is not taken', async t => {
  let takesAgents = true;
  const bench = await testServer({ takesAgents: () => takesAgents });
  // TLS is through.
  const agent = bench.agent();
  takesAgents = false;
  t.equal(bench.server.arriving, 0);
  t.equal(bench.registry.size, 0);
  // Its Startup is due 60 s after the handshake.
  await bench.clock.advance(30_000);
  const joined = agent.join({ guid: 'g1' }).catch(() => {});
  await Promise.race([joined, bench.clock.advance(5_000)]);
  t.equal(bench.registry.size, 0, 'no agent is Ready on a server in Maintenance');
});

knownFault(t, 'drains: an agent whose bytes come only when the drain has ended is not Ready there', async t => {
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

knownFault(t, 'drains: a refused agent that keeps its link does not count as one that arrives', async t => {
  const bench = await testServer();
  const agent = bench.agent();
  agent.startup({ guid: 'g1', dataCenter: 'nowhere' });
  await settle();
  t.equal(bench.server.arriving, 0);
  for (let i = 0; i < 10; i++) {
    await bench.clock.advance(50_000);
    agent.startup({ guid: 'g1', dataCenter: 'nowhere' });
    await settle();
  }
  t.equal(bench.server.arriving, 0, 'after 500 s');
});

knownFault(t, 'drains: the last server that lives is not drained on the word of one dead for 100 s', async t => {
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

knownFault(t, 'drains: SIGTERM does not wait for a target that is dead', async t => {
  const cluster = await startCluster(t, [A, B], { 'management.server.shutdown.drain.timeout': '30' });
  await cluster.addAgents(3, `${A},${B}`);
  await cluster.node(B).kill();
  await cluster.goesOn(60_000);
  const from = cluster.clock.now();
  await cluster.passes(cluster.node(A).stop('SIGTERM'));
  const took = cluster.clock.now() - from;
  t.ok(took < 10_000, `it stops after ${took} ms`);
});
