import t from 'tap';
import { MemoryData, MemoryStore } from '../../../bench/memory-store.js';
import { MGMT_LIMITS } from '../../../src/mgmt/config/limits.js';
import { SetupMSListAnswer } from '../../../src/protocol/index.js';
import { contentOf } from '../../../src/testing/fake-agent.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { obeys } from '../../helpers/obedient-agent.js';
import { testServer } from '../../helpers/test-server.js';

t.test('doubles: the old link closes when the new one has answered Ready 2, and not before', async t => {
  const { agent, row, registry, store } = await testServer();
  const old = agent();
  await old.join();
  const fresh = agent();
  fresh.startup();
  await fresh.receive();
  fresh.hostId = 1n;
  fresh.answerReady(await fresh.receive());
  const ready2 = await fresh.receive();
  await settle();
  t.notOk(old.closed);
  old.ping();
  t.equal(contentOf(await old.receive())[0], 'PingAnswer', 'it is served until then');
  fresh.answerReady(ready2);
  await settle();
  t.ok(old.closed);
  t.notOk(fresh.closed);
  t.equal(registry.size, 1);
  t.match(row(1), { status: 'Up', epoch: 2 });
  t.notOk(store.calls.includes('hostsDisconnected'), 'nobody ever wrote Disconnected');
});

t.test('doubles: an agent that closes its old link itself, ahead of us, is never written off', async t => {
  const { agent, row, registry, store } = await testServer();
  const old = agent();
  await old.join();
  const fresh = agent();
  fresh.startup();
  await fresh.receive();
  fresh.answerReady(await fresh.receive());
  const ready2 = await fresh.receive();
  old.close();
  await settle();
  t.match(row(1), { status: 'Up', epoch: 1 });
  fresh.answerReady(ready2);
  await settle();
  t.match(row(1), { status: 'Up', epoch: 2 });
  t.equal(registry.size, 1);
  t.notOk(store.calls.includes('hostsDisconnected'));
});

t.test('doubles: a new link that does not get as far leaves the old one as it is', async t => {
  const { agent, row, registry } = await testServer();
  const old = agent();
  await old.join();
  const fresh = agent();
  fresh.startup();
  await fresh.receive();
  fresh.answerReady(await fresh.receive(), { result: false });
  await settle();
  t.ok(fresh.closed);
  t.notOk(old.closed);
  t.equal(registry.size, 1);
  t.match(row(1), { status: 'Up', epoch: 1 });
});

t.test(
  'doubles: when first the old link goes and then the new one fails, the host is lost for what came first',
  async t => {
    const { agent, row, registry } = await testServer();
    const old = agent();
    await old.join();
    const fresh = agent();
    fresh.startup();
    await fresh.receive();
    const ready1 = await fresh.receive();
    old.ends.agent.cut(new Error('ETIMEDOUT'));
    await settle();
    t.equal(row(1)?.status, 'Up');
    fresh.answerReady(ready1, { result: false });
    await settle();
    t.equal(registry.size, 0);
    t.match(row(1), { status: 'Disconnected', epoch: 1, disconnectReason: 'ETIMEDOUT' });
  },
);

t.test('doubles: two new links at once end as one', async t => {
  const { agent, registry, row, clock } = await testServer();
  const agents = [agent(), agent(), agent()];
  for (const one of agents) one.startup();
  for (const one of agents) await one.receive();
  for (const one of agents) one.answerReady(await one.receive());
  for (const one of agents) one.answerReady(await one.receive());
  await clock.advance(MGMT_LIMITS.ownershipRestMs);
  t.strictSame(
    agents.map(one => one.closed),
    [true, true, false],
  );
  t.equal(registry.size, 1);
  t.equal(row(1)?.status, 'Up');
});

t.test(
  'doubles: a link that ends right behind its last ReadyAnswer does not become the Ready one, while another is arriving',
  async t => {
    const { agent, registry, row } = await testServer();
    const [one, two] = [agent(), agent()];
    for (const each of [one, two]) {
      each.startup();
      await each.receive();
      each.answerReady(await each.receive());
    }
    one.answerReady(await one.receive());
    one.close();
    await settle();
    t.equal(registry.size, 0);
    two.answerReady(await two.receive());
    await settle();
    t.equal(registry.size, 1);
    t.match(row(1), { status: 'Up', epoch: 1 });
  },
);

t.test('doubles: the late disconnect of a server that the agent has left harms nobody', async t => {
  const data = new MemoryData();
  const clock = new FakeClock();
  const a = await testServer({ store: new MemoryStore(data), clock, msid: 1001 });
  const b = await testServer({ store: new MemoryStore(data), clock, msid: 1002 });
  const old = a.agent();
  await old.join();
  const { startupAnswer } = await b.agent().join({ connectionTransferred: true });
  t.match(contentOf(startupAnswer)[1], { hostId: 1 }, 'the same host');
  t.notOk(old.closed, 'the old server does not mind');
  old.ping();
  t.match(contentOf(await old.receive()), ['PingAnswer', { sendStartup: false }]);
  t.match(data.hosts.get(1), { status: 'Up', msid: 1002, epoch: 2 });
  old.close();
  await settle();
  t.match(data.hosts.get(1), { status: 'Up', msid: 1002, epoch: 2 });
});

t.test(
  'regression: an agent that comes on a new link while the old one waits to be told again hears of changes',
  async t => {
    const { agent, store, clock } = await testServer();
    const one = agent();
    await one.join({ guid: 'g1' });
    obeys(one, () => SetupMSListAnswer.encode({ result: false, details: 'disk full' }));
    await store.setConfiguration('host', '192.0.2.2,192.0.2.1');
    // It has refused three times, and the longest wait runs.
    for (let i = 0; i < 27; i++) await clock.advance(1_000);
    const two = agent();
    await two.join({ guid: 'g1', msHostList: '192.0.2.1' });
    t.ok(one.closed);
    const { told } = obeys(two);
    await store.setConfiguration('host', '192.0.2.3,192.0.2.1');
    for (let i = 0; i < 4; i++) await clock.advance(1_000);
    t.match(told, [['SetupMSListCommand', { msList: ['192.0.2.3', '192.0.2.1'] }]]);
  },
);
