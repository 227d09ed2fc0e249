import t from 'tap';
import { MemoryData, MemoryStore } from '../../../bench/memory-store.js';
import { Answer } from '../../../src/protocol/index.js';
import { contentOf, only } from '../../../src/testing/fake-agent.js';
import { settle } from '../../../src/testing/fake-clock.js';
import { MSID, testServer } from '../../helpers/test-server.js';

t.test('outage: connected agents stay, and their pings are answered', async t => {
  const { agent, store, clock, row } = await testServer({ configuration: { 'ping.interval': '60' } });
  const one = agent();
  await one.join();
  store.outage = 'STORE_UNAVAILABLE';
  for (let i = 0; i < 20; i++) {
    await clock.advance(30_000);
    one.ping();
    t.equal(contentOf(await one.receive())[0], 'PingAnswer');
  }
  t.notOk(one.closed);
  t.equal(row(1)?.status, 'Up');
});

t.test('outage: an agent that is known becomes Ready at once, and is written when the store is back', async t => {
  const { agent, store, clock, row, lines, ownership } = await testServer({
    configuration: { 'indirect.agent.lb.algorithm': 'roundrobin', host: 'a,b,c' },
  });
  for (const guid of ['g1', 'g2']) {
    const one = agent();
    await one.join({ guid });
    one.close();
  }
  await settle();
  store.outage = 'STORE_BUSY';
  const before = clock.now();
  const { ready1, ready2 } = await agent().join({ guid: 'g2' });
  t.equal(clock.now(), before);
  t.match(contentOf(ready1)[1], { hostId: 2, hostUuid: row(2)?.uuid, hostName: row(2)?.name });
  t.strictSame(only(ready2).fields.msHostList, ['b', 'c', 'a'], 'the ring is in memory too');
  t.equal(ownership.unwritten, 1);
  t.equal(row(2)?.status, 'Disconnected');
  await clock.advance(10_000);
  store.outage = undefined;
  await clock.advance(2_000);
  t.match(row(2), { status: 'Up', msid: MSID, epoch: 2, msHostList: 'b,c,a@roundrobin' });
  t.equal(ownership.unwritten, 0);
  t.equal(lines.filter(({ message }) => message.startsWith('The store is')).length, 2, 'away and back, once each');
});

t.test('outage: hosts that another server registered are known too, and their place in the ring', async t => {
  const data = new MemoryData();
  const configuration = { 'indirect.agent.lb.algorithm': 'roundrobin', host: 'a,b,c' };
  const a = await testServer({ store: new MemoryStore(data), configuration });
  const b = await testServer({ store: new MemoryStore(data), msid: 1002 });
  for (const guid of ['g1', 'g2', 'g3']) await a.agent().join({ guid });
  await b.clock.advance(2_000);
  b.store.outage = 'STORE_UNAVAILABLE';
  const { startupAnswer, ready2 } = await b.agent().join({ guid: 'g2' });
  t.match(contentOf(startupAnswer)[1], { hostId: 2 });
  t.strictSame(only(ready2).fields.msHostList, ['b', 'c', 'a']);
});

t.test('outage: an agent that nobody knows waits, and is let go without a refusal when it lasts', async t => {
  const { agent, store, clock, lines } = await testServer();
  store.outage = 'STORE_UNAVAILABLE';
  const lucky = agent();
  lucky.startup({ guid: 'g1' });
  await clock.advance(3_000);
  store.outage = undefined;
  await clock.advance(1_000);
  t.match(contentOf(await lucky.receive()), ['StartupAnswer', { hostId: 1 }]);
  store.outage = 'STORE_UNAVAILABLE';
  const unlucky = agent();
  unlucky.startup({ guid: 'g2' });
  await clock.advance(3_000);
  t.notOk(unlucky.closed);
  await clock.advance(2_000);
  t.ok(unlucky.closed);
  t.strictSame(unlucky.waiting, [], 'a Java agent would exit for a refusal');
  t.equal(
    lines.some(({ message }) => message === 'Agent refused'),
    false,
  );
});

t.test(
  'regression: outage: an agent of Muster that nobody knows is told why it must wait, and the log says who',
  async t => {
    const { agent, store, clock, lines } = await testServer();
    store.outage = 'STORE_UNAVAILABLE';
    const one = agent('192.0.2.77');
    one.startup({ guid: 'g9', name: 'kvm-9', muster: { instanceId: 'i-1' } });
    await clock.advance(5_000);
    const details = /^the store is away, and this agent is new here/;
    t.match(contentOf(await one.receive()), ['StartupAnswer', { result: false, details }]);
    t.ok(one.closed);
    t.match(
      lines.filter(({ message }) => message === 'Agent has to wait'),
      [{ level: 'warn', fields: { guid: 'g9', name: 'kvm-9', address: '192.0.2.77', reason: details } }],
    );
  },
);

t.test('outage: a Ready whose link has ended meanwhile is not written, and its disconnect neither', async t => {
  const { agent, store, clock, row } = await testServer();
  const one = agent();
  await one.join();
  one.close();
  await settle();
  store.outage = 'STORE_FULL';
  const before = row(1);
  const again = agent();
  await again.join();
  again.close();
  await settle();
  store.outage = undefined;
  await clock.advance(4_000);
  t.strictSame(row(1), before);
});

t.test('outage: a disconnect is written late, under its own epoch, and not over a newer owner', async t => {
  const data = new MemoryData();
  const a = await testServer({ store: new MemoryStore(data) });
  const b = await testServer({ store: new MemoryStore(data), msid: 1002 });
  for (const guid of ['g1', 'g2']) await a.agent().join({ guid });
  a.store.outage = 'STORE_UNAVAILABLE';
  for (const attache of [...a.registry]) attache.link.close('for this test');
  await settle();
  await b.agent().join({ guid: 'g2' });
  a.store.outage = undefined;
  await a.clock.advance(2_000);
  t.match(data.hosts.get(1), { status: 'Disconnected', msid: null, epoch: 1, disconnectReason: 'for this test' });
  t.match(data.hosts.get(2), { status: 'Up', msid: 1002, epoch: 2 });
});

t.test('outage: a Ready and a disconnect of one host are written in their order, each once', async t => {
  const { agent, store, clock, row } = await testServer();
  await agent().join();
  store.outage = 'STORE_UNAVAILABLE';
  const second = agent();
  await second.join();
  second.close();
  await settle();
  await agent().join();
  await settle();
  store.outage = undefined;
  await clock.advance(2_000);
  t.match(row(1), { status: 'Up', epoch: 2 }, 'only the last Ready counts');
  t.equal(store.calls.filter(call => call === 'hostsDisconnected').length, 0);
});

t.test('regression: removed: an agent whose host is gone from the store by Ready is told so', async t => {
  const { agent, store } = await testServer();
  const one = agent();
  one.startup();
  await one.receive();
  one.answerReady(await one.receive());
  const ready2 = await one.receive();
  store.data.hosts.delete(1);
  one.answerReady(ready2);
  const shutdown = await one.receive();
  t.match(only(shutdown).fields, { reason: 'deleteHost', removeHost: true });
  one.answer(shutdown, [Answer.encode({ result: true })]);
  await settle();
  t.ok(one.closed);
});

t.test('removed: an agent that comes back as a new host does not keep a link as the old one', async t => {
  const { agent, store, registry, row } = await testServer();
  const old = agent();
  await old.join();
  store.data.hosts.delete(1);
  await agent().join();
  t.ok(old.closed);
  t.equal(registry.size, 1);
  t.match(row(2), { status: 'Up', epoch: 1 });
});

t.test('configuration: a change is seen within two seconds, and new agents get what it says', async t => {
  const { agent, store, clock, lists } = await testServer();
  await store.setConfiguration('host', 'x,y');
  await store.setConfiguration('zones', 'default,edge');
  await store.setConfiguration('indirect.agent.lb.check.interval', '33');
  await store.setConfiguration('ping.interval', 'broken');
  await clock.advance(2_000);
  t.equal(lists.configuration.version, 5);
  const { startupAnswer, ready2 } = await agent().join({ dataCenter: 'edge' });
  t.match(only(ready2).fields, { msHostList: ['x', 'y'], lbCheckInterval: 33 });
  t.equal(only(startupAnswer).fields.pingInterval, 60, 'a broken value changes nothing');
});

t.test('stop: all hosts of the server, and only those, are let go in one write', async t => {
  const data = new MemoryData();
  const a = await testServer({ store: new MemoryStore(data) });
  const b = await testServer({ store: new MemoryStore(data), msid: 1002 });
  const agents = [];
  for (const guid of ['g1', 'g2', 'g3']) {
    const one = a.agent();
    await one.join({ guid });
    agents.push(one);
  }
  await b.agent().join({ guid: 'g3' });
  await a.stop('orderly');
  await settle();
  t.ok(agents.every(one => one.closed));
  t.strictSame(
    [...data.hosts.values()].map(({ status, msid }) => [status, msid]),
    [
      ['Disconnected', null],
      ['Disconnected', null],
      ['Up', 1002],
    ],
  );
  t.equal(a.store.calls.filter(call => call === 'hostsDisconnected').length, 0);
  t.equal(a.clock.pending, 0, 'no timer is left');
});

t.test('start: hosts that a killed server had are let go by its next start', async t => {
  const data = new MemoryData();
  const killed = await testServer({ store: new MemoryStore(data) });
  await killed.agent().join();
  t.equal(data.hosts.get(1)?.status, 'Up');
  const { lines } = await testServer({ store: new MemoryStore(data) });
  t.match(data.hosts.get(1), { status: 'Disconnected', msid: null });
  t.match(lines, [{ level: 'warn', fields: { hosts: 1 } }]);
});
