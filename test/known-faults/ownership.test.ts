import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../src/lib/logger.js';
import { openStore } from '../../src/mgmt/open-store.js';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { ShutdownCommand } from '../../src/protocol/index.js';
import { turns } from '../helpers/agent-bench.js';
import { startCluster } from '../helpers/cluster-bench.js';
import { contentOf } from '../helpers/fake-agent.js';
import { FakeClock, settle } from '../helpers/fake-clock.js';
import { knownFault } from '../helpers/known-fault.js';
import { hostReady } from '../helpers/one-host.js';
import { scratchFolder } from '../helpers/scratch.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { MSID, testServer } from '../helpers/test-server.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

knownFault(t, 'ownership: an agent that says goodbye with a NUL in its reason is Disconnected', async t => {
  const clock = new FakeClock();
  const folder = scratchFolder('muster-store-');
  const store = await openStore(`sqlite:${join(folder, 'muster.db')}`, {
    thread: 'same',
    clock,
    random: seededRandom(1),
    log: silentLog,
  });
  t.teardown(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  await store.initialiseConfiguration(new Map([['host', A]]));
  const server = await testServer({ clock, realStore: store });
  const agent = server.agent();
  agent.startup({ guid: 'g1' });
  const startupAnswer = await agent.receive();
  agent.hostId = BigInt(Number(startupAnswer.messages[0]?.fields.hostId));
  for (let ready = 0; ready < 2; ready++) agent.answerReady(await agent.receive());
  await turns(200);
  t.match(await store.host(1), { status: 'Up', msid: MSID });
  agent.request([ShutdownCommand.encode({ reason: 'bye\0bye' })]);
  await turns(200);
  for (let i = 0; i < 50; i++) {
    await clock.advance(2_000);
    await turns(30);
  }
  t.ok(agent.closed);
  t.equal(server.registry.size, 0);
  t.match(await store.host(1), { status: 'Disconnected', msid: null });
});

knownFault(
  t,
  'ownership: a Ready that was committed though its call failed leaves no host Up without a link',
  async t => {
    const bench = await testServer();
    const { hostsReady } = bench.store;
    // The connection broke in the moment of the commit.
    bench.store.hostsReady = async batch => {
      await hostsReady.call(bench.store, batch);
      throw new StoreError('STORE_UNAVAILABLE', 'hostsReady');
    };
    const agent = bench.agent();
    await agent.join({ guid: 'g1' });
    agent.close();
    await settle();
    bench.store.hostsReady = hostsReady;
    for (let i = 0; i < 100; i++) await bench.clock.advance(2_000);
    t.match(bench.row(1), { status: 'Disconnected', msid: null });
    t.equal(bench.registry.size, 0);
    t.equal(bench.ownership.unwritten, 0);
  },
);

knownFault(t, 'ownership: a Ready that the store refused once, for whatever reason, is written later', async t => {
  const bench = await testServer();
  const { hostsReady } = bench.store;
  bench.store.hostsReady = async () => {
    bench.store.hostsReady = hostsReady;
    throw new StoreError('STORE_FAILED', 'hostsReady');
  };
  const agent = bench.agent();
  await agent.join({ guid: 'g1' });
  for (let i = 0; i < 60; i++) {
    await bench.clock.advance(2_000);
    if (i % 20 === 0) agent.ping();
  }
  t.notOk(agent.closed);
  t.match(bench.row(1), { status: 'Up', msid: MSID });
});

knownFault(t, 'ownership: an agent that goes while it registers is not Connecting for ever', async t => {
  const bench = await testServer();
  const first = bench.agent();
  await first.join({ guid: 'g1' });
  first.close();
  await bench.clock.advance(4_000);
  t.equal(bench.row(1)?.status, 'Disconnected');
  const { registerHosts } = bench.store;
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  bench.store.registerHosts = async batch => {
    const registered = await registerHosts.call(bench.store, batch);
    await held;
    return registered;
  };
  const agent = bench.agent();
  agent.startup({ guid: 'g1' });
  await settle();
  agent.close();
  await settle();
  release();
  for (let i = 0; i < 200; i++) await bench.clock.advance(2_000);
  t.equal(bench.row(1)?.status, 'Disconnected');
});

knownFault(t, 'ownership: a good link is kept though its row says a server that was killed a moment ago', async t => {
  const cluster = await startCluster(t, [A, B]);
  const [agent] = await cluster.addAgents(1, A);
  await cluster.goesOn(3_000);
  const [host] = await cluster.store.hosts();
  if (host === undefined) throw new Error('the agent has no row');
  // B writes its late Ready, since its store was away, and is killed in that moment.
  await hostReady(cluster.store, host.id, { msid: cluster.node(B).msid, msHostList: 'x@static', at: 1 });
  await cluster.node(B).kill();
  await cluster.goesOn(60_000);
  const { count } = await cluster.store.events({ page: 1, pagesize: 1, type: 'AGENT.LOST' });
  t.equal(count, 0);
  t.equal(agent?.log.count('warn Lost connection'), 0);
  t.equal(cluster.counts()[A], 1);
});

knownFault(
  t,
  'registration: an agent of a zone whose id could not be read yet is not refused with details',
  async t => {
    const bench = await testServer();
    const { zoneId } = bench.store;
    bench.store.zoneId = async name => {
      if (name === 'new') throw new StoreError('STORE_BUSY', 'zoneId');
      return zoneId.call(bench.store, name);
    };
    await bench.store.setConfiguration('zones', 'default,new');
    await bench.clock.advance(2_000);
    const agent = bench.agent();
    agent.startup({ guid: 'g9', dataCenter: 'new' });
    await settle();
    // Agents of CloudStack exit when Ready has details.
    t.same(
      agent.received.map(contentOf).filter(([, { _details }]) => _details !== undefined),
      [],
    );
  },
);
