import t, { type Test } from 'tap';
import type { Attache } from '../../../src/mgmt/agents/attache.js';
import { CheckHealthAnswer, MaintainCommand, type Packet, SetHostParamsCommand } from '../../../src/protocol/index.js';
import type { FakeAgent } from '../../../src/testing/fake-agent.js';
import { contentOf, only } from '../../../src/testing/fake-agent.js';
import { settle } from '../../../src/testing/fake-clock.js';
import { testServer } from '../../helpers/test-server.js';

async function connected(t: Test, configuration: Record<string, string> = {}) {
  const bench = await testServer({ configuration });
  const one = bench.agent();
  const { ready2 } = await one.join();
  const attache = bench.registry.get(1);
  if (attache === undefined) throw new Error('no attache');
  t.teardown(() => bench.stop('now'));
  return { ...bench, one, attache: attache as Attache, last: ready2.sequence };
}

const maintain = [MaintainCommand.encode({ wait: 30 })];
const params = [SetHostParamsCommand.encode({ wait: 30 })];

t.test('attache: requests go out with the flags, ids and sequences of a server', async t => {
  const { one, attache, last } = await connected(t);
  const both = [attache.ask(maintain, { inSequence: true }), attache.ask(params)];
  await settle();
  const packets = await take(one, 2);
  const [plain, inSequence] = packets.toSorted((a, b) => a.flags - b.flags);
  t.match(plain, { flags: 0x23, mgmtId: 1001n, agentId: 1n, via: 1n });
  t.match(inSequence, { flags: 0x27, mgmtId: 1001n, agentId: 1n, via: 1n });
  t.strictSame(
    packets.map(({ sequence }) => sequence - last),
    [1n, 2n],
    'on the wire they count up',
  );
  for (const packet of packets) one.answerReady(packet);
  await Promise.all(both);
});

t.test('attache: answers find their requests by sequence, in whatever order they come', async t => {
  const { one, attache } = await connected(t);
  const asked = Array.from({ length: 5 }, (_, i) => attache.ask([SetHostParamsCommand.encode({ params: { i } })]));
  const packets = await take(one, 5);
  for (const packet of packets.toReversed()) one.answer(packet, [{ ...only(packet), type: 'x.Echo' }]);
  const answers = await Promise.all(asked);
  t.strictSame(
    answers.map(packet => contentOf(packet)[1].params),
    [0, 1, 2, 3, 4].map(i => ({ i })),
  );
});

t.test('attache: a request in sequence is held back until the one before is answered; others pass it by', async t => {
  const { one, attache } = await connected(t);
  const first = attache.ask(maintain, { inSequence: true });
  const second = attache.ask(maintain, { inSequence: true });
  const third = attache.ask(maintain, { inSequence: true });
  const [one1] = await take(one, 1);
  const aside = attache.ask(params);
  const [passing] = await take(one, 1);
  t.equal(passing?.flags, 0x23);
  await settle();
  t.equal(one.waiting.length, 0, 'the second and third wait');
  if (one1) one.answerReady(one1);
  await first;
  const [two] = await take(one, 1);
  await settle();
  t.equal(one.waiting.length, 0, 'the third waits');
  if (two) one.answerReady(two);
  await second;
  const [three] = await take(one, 1);
  for (const packet of [three, passing]) if (packet) one.answerReady(packet);
  await Promise.all([third, aside]);
});

t.test('attache: one that is not answered in time lets the next go', async t => {
  const { one, attache, clock } = await connected(t, { 'ping.interval': '1000' });
  const first = attache.ask(maintain, { inSequence: true });
  const second = attache.ask(maintain, { inSequence: true });
  const failed = t.rejects(first, { code: 'ANSWER_TIMEOUT' });
  await take(one, 1);
  await clock.advance(39_999);
  t.equal(one.waiting.length, 0, '30 s of wait, 10 s of margin');
  await clock.advance(1);
  await failed;
  const [next] = await take(one, 1);
  if (next) one.answerReady(next);
  await second;
});

t.test(
  'attache: one that is cancelled lets the next go, on the wire or in the line; a late answer changes nothing',
  async t => {
    const { one, attache } = await connected(t);
    const [cancelFirst, cancelSecond] = [new AbortController(), new AbortController()];
    const first = attache.ask(maintain, { inSequence: true, signal: cancelFirst.signal });
    const second = attache.ask(maintain, { inSequence: true, signal: cancelSecond.signal });
    const third = attache.ask(params, { inSequence: true });
    const [late] = await take(one, 1);
    cancelSecond.abort(new Error('not any more'));
    await t.rejects(second, { message: 'not any more' });
    await settle();
    t.equal(one.waiting.length, 0, 'the third does not overtake the first');
    cancelFirst.abort(new Error('nor this'));
    await t.rejects(first, { message: 'nor this' });
    const [next] = await take(one, 1);
    t.equal(next && contentOf(next)[0], 'SetHostParamsCommand', 'the second was never sent');
    if (late) one.answerReady(late);
    if (next) one.answerReady(next);
    await third;
  },
);

t.test('attache: when the link ends, all that wait for an answer or their turn fail', async t => {
  const { one, attache } = await connected(t);
  const waiting = [1, 2, 3].map(() => attache.ask(maintain, { inSequence: true }));
  const failed = Promise.all(waiting.map(ask => t.rejects(ask, { code: 'LINK_CLOSED' })));
  await take(one, 1);
  one.close();
  await failed;
});

t.test('attache: no more than a bounded number of requests waits for its turn', async t => {
  const { one, attache } = await connected(t);
  const results = Promise.allSettled(Array.from({ length: 1_001 }, () => attache.ask(maintain, { inSequence: true })));
  one.close();
  const codes = (await results).map(result => result.status === 'rejected' && result.reason.code);
  t.equal(codes.filter(code => code === 'TOO_MANY_REQUESTS').length, 1);
});

t.test('ping deadline: an agent that is behind is asked for its health, and stays for a good answer', async t => {
  const { one, clock, row, lines } = await connected(t, { 'ping.interval': '10', 'ping.timeout': '2.5' });
  await clock.advance(20_000);
  t.equal(one.waiting.length, 0);
  await clock.advance(10_000);
  const [check] = await take(one, 1);
  if (check === undefined) throw new Error('not asked');
  t.match(check, { flags: 0x23, agentId: 1n });
  t.match(contentOf(check), ['CheckHealthCommand', { wait: 50 }]);
  await clock.advance(20_000);
  t.equal(one.waiting.length, 0, 'asked once');
  one.answer(check, [CheckHealthAnswer.encode({ result: true })]);
  await clock.advance(20_000);
  t.notOk(one.closed);
  t.equal(row(1)?.status, 'Up');
  t.equal(lines.filter(({ level }) => level === 'warn').length, 1);
});

t.test('ping deadline: no answer, or a bad one, ends the link, and the host is Disconnected', async t => {
  for (const answers of [true, false]) {
    const { one, clock, row } = await connected(t, { 'ping.interval': '10', 'ping.timeout': '2' });
    await clock.advance(20_000);
    const [check] = await take(one, 1);
    if (check === undefined) throw new Error('not asked');
    if (answers) one.answer(check, [CheckHealthAnswer.encode({ result: false })]);
    else {
      await clock.advance(59_999);
      t.notOk(one.closed);
    }
    await clock.advance(1);
    t.ok(one.closed);
    t.match(row(1), { status: 'Disconnected', msid: null, disconnectReason: /^ping timeout: / });
  }
});

t.test('ping deadline: an agent that pings is left in peace, and one ping during the check is enough', async t => {
  const { one, clock } = await connected(t, { 'ping.interval': '10', 'ping.timeout': '2.5' });
  for (let i = 0; i < 30; i++) {
    await clock.advance(10_000);
    one.ping();
    await one.receive();
  }
  t.equal(one.received.filter(packet => contentOf(packet)[0] === 'CheckHealthCommand').length, 0);
  await clock.advance(35_000);
  const [check] = await take(one, 1);
  t.equal(check && contentOf(check)[0], 'CheckHealthCommand');
  await clock.advance(50_000);
  one.ping();
  await clock.advance(10_000);
  t.notOk(one.closed, 'CheckHealth was never answered');
});

async function take(one: FakeAgent, count: number): Promise<Packet[]> {
  const packets = [];
  for (let i = 0; i < count; i++) packets.push(await one.receive());
  return packets;
}
