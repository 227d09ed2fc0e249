import t from 'tap';
import { MemoryData, MemoryStore } from '../../../bench/memory-store.js';
import { VERSION } from '../../../src/lib/version.js';
import { MGMT_LIMITS } from '../../../src/mgmt/config/limits.js';
import { only } from '../../../src/testing/fake-agent.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { ANY_NUMBER, MSID, testServer } from '../../helpers/test-server.js';

t.test('muster: an agent that sends it is told in both Readys what a packet may have', async t => {
  const { agent, row, linkStatus } = await testServer({ packetMaxBytes: 2 ** 20 });
  const muster = { version: '0.1.0', instanceId: 'p1', link: 4, failovers: 3, lastLoss: 'a: closed by the peer' };
  const { ready1, ready2 } = await agent().join({ muster });
  for (const ready of [ready1, ready2]) {
    t.same(only(ready).fields.muster, { version: VERSION, packetMax: 2 ** 20, spreadMs: 5 });
  }
  t.match(row(1), { instanceId: 'p1', linkNumber: 4 });
  t.match(linkStatus(), [{ failovers: 3, lastLoss: 'a: closed by the peer' }]);
});

t.test('muster: an agent is told in the answer to a ping when the spread is another one by now', async t => {
  const { agent } = await testServer({ configuration: ANY_NUMBER });
  const [first, cloudStacks] = [agent(), agent()];
  const { ready2 } = await first.join({ guid: 'g1', muster: { version: '0.1.0', instanceId: 'p1', link: 0 } });
  t.match(only(ready2).fields.muster, { spreadMs: 5 });
  await cloudStacks.join({ guid: 'g2' });
  for (let n = 3; n <= 60; n++) await agent().join({ guid: `g${n}` });
  const news = async (from: typeof first) => {
    from.ping();
    return only(await from.receive()).fields.muster;
  };
  t.same(await news(first), { spreadMs: 300 });
  t.equal(await news(first), undefined, 'once');
  t.equal(await news(cloudStacks), undefined);
});

t.test(
  'muster: hosts that went a moment ago count in the spread, since they come back, and those that are gone do not',
  async t => {
    const clock = new FakeClock();
    const { agent } = await testServer({ clock, configuration: ANY_NUMBER });
    const spreadOf = async (link: number) => {
      const one = agent();
      const { ready2 } = await one.join({ guid: 'g1', muster: { version: '0.1.0', instanceId: 'p1', link } });
      one.close();
      const { muster } = only(ready2).fields;
      return (muster as { spreadMs: number }).spreadMs;
    };
    t.equal(await spreadOf(0), 5);
    const others = Array.from({ length: 99 }, agent);
    for (const [n, other] of others.entries()) await other.join({ guid: `other-${n}` });
    t.equal(await spreadOf(1), 495);
    for (const other of others) other.close();
    await clock.advance(60_000);
    t.equal(await spreadOf(2), 165, 'they come back to all three servers alike');
    await clock.advance(2 * MGMT_LIMITS.connectedRememberedMs);
    t.equal(await spreadOf(3), 5);
  },
);

t.test('muster: an agent that does not send it is not sent it', async t => {
  const { agent } = await testServer();
  const { ready1, ready2 } = await agent().join();
  for (const ready of [ready1, ready2]) t.notOk('muster' in only(ready).fields);
});

t.test('muster: what older agents of Muster sent beside it is read', async t => {
  const { agent, row, linkStatus } = await testServer();
  await agent().join({ instanceId: 'p1', failovers: 3, lastLoss: 'a: closed by the peer' });
  t.match(row(1), { instanceId: 'p1' });
  t.match(linkStatus(), [{ failovers: 3, lastLoss: 'a: closed by the peer' }]);
});

t.test('muster: a Ready that comes late, by an older link than that of another server, ends its link', async t => {
  const data = new MemoryData();
  const clock = new FakeClock();
  const late = await testServer({ store: new MemoryStore(data), clock });
  const other = await testServer({ store: new MemoryStore(data), clock, msid: 1002 });
  const muster = (link: number) => ({ guid: 'g1', muster: { version: '0.1.0', instanceId: 'p1', link } });
  const newer = other.agent();
  await newer.join(muster(2));
  await settle();
  const older = late.agent();
  await older.join(muster(1));
  await settle();
  t.ok(older.closed);
  t.notOk(newer.closed);
  t.match(data.hosts.get(1), { status: 'Up', msid: 1002, epoch: 1, linkNumber: 2 });
  const newest = late.agent();
  await newest.join(muster(3));
  await clock.advance(MGMT_LIMITS.ownershipRestMs);
  t.notOk(newest.closed);
  t.match(data.hosts.get(1), { status: 'Up', msid: MSID, epoch: 2, linkNumber: 3 });
});

t.test(
  'muster: a Ready that comes late, by an older link than the Ready one of the same server, ends its link',
  async t => {
    const { agent, row } = await testServer();
    const muster = (link: number) => ({ guid: 'g1', muster: { version: '0.1.0', instanceId: 'p1', link } });
    const older = agent();
    older.startup(muster(1));
    older.hostId = 1n;
    await older.receive();
    older.answerReady(await older.receive());
    const late = await older.receive();
    const newer = agent();
    await newer.join(muster(2));
    older.answerReady(late);
    await settle();
    t.ok(older.closed);
    t.notOk(newer.closed);
    t.match(row(1), { status: 'Up', msid: MSID, epoch: 1, linkNumber: 2 });
  },
);

t.test('muster: a link with a negative number has none', async t => {
  const { agent, row } = await testServer();
  await agent().join({ muster: { version: '0.1.0', instanceId: 'p1', link: -1 } });
  t.match(row(1), { instanceId: 'p1', linkNumber: null });
});

t.test('muster: of fields with the wrong types the Startup is refused, and unknown ones are passed over', async t => {
  const { agent, row } = await testServer();
  const wrong = agent();
  const fields = { muster: { instanceId: 5 } };
  wrong.request([{ type: 'com.cloud.agent.api.StartupRoutingCommand', fields: { guid: 'g', ...fields } }], {
    flags: 1,
  });
  await wrong.receive();
  t.match(only(await wrong.receive()).fields._details, /StartupRoutingCommand\.muster must be an object/);
  // A name that is ours, with what a coming version may send.
  const newer = { instanceId: 'p1', capabilities: ['commands'] };
  await agent().join({ muster: newer });
  t.match(row(1), { instanceId: 'p1' });
});
