import { join } from 'node:path';
import t from 'tap';
import { MemoryData, MemoryStore } from '../../../bench/memory-store.js';
import { silentLog } from '../../../src/lib/logger.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { ShutdownCommand } from '../../../src/protocol/index.js';
import { contentOf } from '../../../src/testing/fake-agent.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { reassign } from '../../helpers/assign.js';
import { NOT_STRICT } from '../../helpers/not-strict.js';
import { testFolder } from '../../helpers/scratch.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { MSID, testServer } from '../../helpers/test-server.js';

const minutes = async (clock: FakeClock, count: number) => {
  for (let i = 0; i < count * 30; i++) await clock.advance(2_000);
};

t.test('regression: an agent that says goodbye with a NUL in its reason, or at length, is Disconnected', async t => {
  const clock = new FakeClock();
  const url = `sqlite:${join(testFolder(t), 'muster.db')}`;
  const store = await openStore(url, { clock, random: seededRandom(1), log: silentLog, thread: 'same' });
  t.teardown(() => store.close());
  await store.initialiseConfiguration(new Map(Object.entries(NOT_STRICT)));
  const server = await testServer({ clock, realStore: store });
  for (const [id, reason] of ['bye\0bye', 'x'.repeat(50_000)].entries()) {
    const agent = server.agent();
    agent.startup({ guid: `g${id}` });
    const startupAnswer = await agent.receive();
    agent.hostId = BigInt(Number(startupAnswer.messages[0]?.fields.hostId));
    for (let ready = 0; ready < 2; ready++) agent.answerReady(await agent.receive());
    await settle();
    t.match(await store.host(id + 1), { status: 'Up', msid: MSID, linkAddress: '192.0.2.50' });
    agent.request([ShutdownCommand.encode({ reason })]);
    await settle();
    t.ok(agent.closed);
    const row = await store.host(id + 1);
    t.match(row, { status: 'Disconnected', msid: null, disconnectReason: /^the agent shut down: (byebye|x+)$/ });
    t.ok((row?.disconnectReason?.length ?? 0) <= 255);
  }
});

t.test('regression: a Ready that was committed though its call failed leaves no host Up without a link', async t => {
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
  t.match(bench.row(1), { status: 'Up', msid: MSID });
  bench.store.hostsReady = hostsReady;
  await bench.clock.advance(6_000);
  t.match(bench.row(1), { status: 'Disconnected', msid: null });
  t.equal(bench.registry.size, 0);
  t.equal(bench.ownership.unwritten, 0);
});

t.test('regression: a disconnect that was committed though its call failed is no trouble', async t => {
  const bench = await testServer();
  const { hostsDisconnected } = bench.store;
  bench.store.hostsDisconnected = async batch => {
    await hostsDisconnected.call(bench.store, batch);
    throw new StoreError('STORE_UNAVAILABLE', 'hostsDisconnected');
  };
  const agent = bench.agent();
  await agent.join({ guid: 'g1' });
  agent.close();
  await settle();
  bench.store.hostsDisconnected = hostsDisconnected;
  await bench.clock.advance(6_000);
  t.match(bench.row(1), { status: 'Disconnected', msid: null, epoch: 1 });
  t.equal(bench.ownership.unwritten, 0);
  await bench.agent().join({ guid: 'g1' });
  await bench.clock.advance(6_000);
  t.match(bench.row(1), { status: 'Up', msid: MSID, epoch: 2 });
});

t.test('regression: hosts that somebody releases while their links live are taken back', async t => {
  const bench = await testServer();
  const agent = bench.agent();
  await agent.join({ guid: 'g1' });
  await bench.store.releaseHosts(MSID, { at: 1, reason: 'its management server is down', cause: 'server-down' });
  await bench.clock.advance(4_000);
  t.match(bench.row(1), { status: 'Up', msid: MSID, epoch: 2, linkAddress: '192.0.2.50' });
  await bench.clock.advance(20_000);
  t.match(bench.row(1), { epoch: 2 }, 'once');
});

t.test('regression: what the store refused, for whatever reason, is written later', async t => {
  const bench = await testServer();
  const { hostsReady } = bench.store;
  bench.store.hostsReady = async () => {
    bench.store.hostsReady = hostsReady;
    throw new StoreError('STORE_FAILED', 'hostsReady');
  };
  const agent = bench.agent();
  await agent.join({ guid: 'g1' });
  t.equal(bench.ownership.unwritten, 1);
  await bench.clock.advance(4_000);
  t.notOk(agent.closed);
  t.match(bench.row(1), { status: 'Up', msid: MSID });
  t.equal(bench.ownership.unwritten, 0);
  const { hostsDisconnected } = bench.store;
  bench.store.hostsDisconnected = async batch => {
    if (batch.some(({ reason }) => reason !== 'the link ended')) {
      throw new StoreError('STORE_VALUE_REFUSED', 'hostsDisconnected');
    }
    return hostsDisconnected.call(bench.store, batch);
  };
  agent.close();
  await bench.clock.advance(6_000);
  t.match(bench.row(1), { status: 'Disconnected', msid: null, disconnectReason: 'the link ended' });
  t.equal(bench.lines.filter(({ message }) => /could not be written/.test(message)).length, 2, 'said once for each');
});

t.test('regression: an agent that goes while it registers is not Connecting for ever', async t => {
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
  t.equal(bench.row(1)?.status, 'Connecting');
  agent.close();
  await settle();
  release();
  await bench.clock.advance(2_000);
  t.match(bench.row(1), { status: 'Disconnected', disconnectReason: 'the agent left while it registered' });
});

t.test(
  'regression: a host that a killed server left Connecting is Disconnected after three minutes, by any server',
  async t => {
    const data = new MemoryData();
    const clock = new FakeClock();
    const killed = await testServer({ store: new MemoryStore(data), clock });
    for (const guid of ['g1', 'g2']) killed.agent().startup({ guid });
    await settle();
    killed.poller.stop();
    killed.store.outage = 'STORE_UNAVAILABLE';
    const other = await testServer({ store: new MemoryStore(data), clock, msid: 1002 });
    await minutes(clock, 2.5);
    t.equal(data.hosts.get(1)?.status, 'Connecting');
    const back = other.agent();
    back.startup({ guid: 'g2' });
    await back.receive();
    back.answerReady(await back.receive());
    const ready2 = await back.receive();
    for (let i = 0; i < 20; i++) await clock.advance(2_000);
    t.match(data.hosts.get(1), { status: 'Disconnected', disconnectReason: 'the agent did not become Ready' });
    t.equal(data.hosts.get(2)?.status, 'Connecting', 'its link arrives there');
    back.answerReady(ready2);
    await settle();
  },
);

t.test('regression: an agent of a zone whose id could not be read yet is not refused with details', async t => {
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
  t.ok(agent.closed);
  // Agents of CloudStack exit when Ready has details.
  t.same(
    agent.received.map(contentOf).filter(([, { _details }]) => _details !== undefined),
    [],
  );
});

t.test('regression: what changes while a server reads all hosts at its start is not missed', async t => {
  const store = new MemoryStore();
  const { host } = await (async () => {
    await store.zoneId('default');
    const former = await testServer({ store, msid: 1002 });
    await former.agent().join({ guid: 'g1' });
    former.poller.stop();
    return { host: store.data.hosts.get(1) };
  })();
  const { hosts } = store;
  store.hosts = async after => {
    const rows = await hosts.call(store, after);
    store.hosts = hosts;
    await reassign(store, [{ id: 1, preferred: '192.0.2.2' }]);
    return rows;
  };
  const bench = await testServer({ store, configuration: { 'indirect.agent.lb.algorithm': 'rendezvous' } });
  await bench.clock.advance(4_000);
  if (host === undefined) throw new Error('the host has no row');
  t.equal(bench.lists.listFor(host).hosts[0], '192.0.2.2', 'as the row says');
});

t.test('regression: a host that changes zone, cluster or name elsewhere is followed', async t => {
  const data = new MemoryData();
  const clock = new FakeClock();
  const configuration = { zones: 'default,other', 'indirect.agent.lb.algorithm': 'roundrobin' };
  const a = await testServer({ store: new MemoryStore(data), clock, configuration });
  const b = await testServer({ store: new MemoryStore(data), clock, msid: 1002 });
  for (const guid of ['g1', 'g2', 'g3']) await a.agent().join({ guid });
  await clock.advance(2_000);
  const listOf = (bench: typeof a, id: number) => {
    const host = data.hosts.get(id);
    return host && bench.lists.listFor(host).hosts[0];
  };
  t.equal(listOf(b, 3), '192.0.2.3');
  await b.agent().join({ guid: 'g1', dataCenter: 'other', name: 'renamed' });
  await clock.advance(2_000);
  for (const bench of [a, b]) {
    t.equal(listOf(bench, 1), '192.0.2.1', 'the first of its new zone');
    t.equal(listOf(bench, 2), '192.0.2.1', 'the first of the former zone');
    t.equal(listOf(bench, 3), '192.0.2.2');
  }
  a.store.outage = 'STORE_UNAVAILABLE';
  await clock.advance(2_000);
  const { startupAnswer } = await a.agent().join({ guid: 'g1', dataCenter: 'other', name: 'renamed' });
  t.match(contentOf(startupAnswer)[1], { hostId: 1, hostName: 'renamed' }, 'from memory');
});
