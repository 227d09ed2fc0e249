import t, { type Test } from 'tap';
import { FLAG, type PacketHeader } from '../../src/protocol/header.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { type CloseReason, describeClose, Link, typesOf } from '../../src/protocol/link.js';
import { Answer, CheckHealthCommand } from '../../src/protocol/messages/index.js';
import { encodePacket, type Packet } from '../../src/protocol/packet.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { FakeTransport } from '../helpers/fake-transport.js';

const CHECK = [CheckHealthCommand.encode({})];
const GOOD = [Answer.encode({ result: true })];
const TO_AGENT = { flags: FLAG.stopOnError, mgmtId: 1001n, agentId: 7n, via: 7n };
const FIRST_SEQUENCE = (20_000n << 48n) + 1n;

function setUp(t: Test, ownFlags: number = FLAG.fromServer) {
  const clock = new FakeClock();
  const transport = new FakeTransport();
  let sequence = FIRST_SEQUENCE;
  const link = new Link(transport, { clock, ownFlags, nextSequence: () => sequence++ });
  const requests: Packet[] = [];
  const unreadable: [PacketHeader, string][] = [];
  const closes: CloseReason[] = [];
  link.start({
    onRequest: request => requests.push(request),
    onUnreadable: (header, error) => unreadable.push([header, error.code]),
    onClose: reason => closes.push(reason),
  });
  t.teardown(() => {
    if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`);
  });
  return { clock, transport, link, requests, unreadable, closes };
}

function packetOf(flags: number, sequence: bigint, messages = GOOD): Packet {
  return { version: 0, flags, sequence, mgmtId: 1001n, agentId: 7n, via: 7n, messages };
}

/** A packet with a body that is not what `encodePacket` would make of it. */
function withBody(flags: number, sequence: bigint, body: string, contentLength = body.length): Buffer {
  const bytes = Buffer.concat([encodePacket(packetOf(flags, sequence, [])).subarray(0, 40), Buffer.from(body)]);
  bytes.writeInt32BE(contentLength, 12);
  return bytes;
}

t.test('link: answers find their requests, in any order', async t => {
  const { transport, link } = setUp(t);
  const first = link.request(CHECK, TO_AGENT, 1000);
  const second = link.request(CHECK, TO_AGENT, 1000);
  t.match(transport.sent, [
    { flags: 0x23, sequence: FIRST_SEQUENCE, mgmtId: 1001n, agentId: 7n, via: 7n, version: 0 },
    { flags: 0x23, sequence: FIRST_SEQUENCE + 1n },
  ]);
  transport.receive(packetOf(FLAG.stopOnError, FIRST_SEQUENCE + 1n, [Answer.encode({ details: 'second' })]));
  transport.receive(packetOf(FLAG.stopOnError, FIRST_SEQUENCE, [Answer.encode({ details: 'first' })]));
  t.match((await first).messages, [{ fields: { details: 'first' } }]);
  t.match((await second).messages, [{ fields: { details: 'second' } }]);
  t.equal(link.ignored, 0);
});

t.test('link: a request of the peer is no answer, though its sequence is one that we wait for', async t => {
  const { transport, link, requests } = setUp(t);
  const pending = link.request(CHECK, TO_AGENT, 1000);
  transport.receive(packetOf(FLAG.request, FIRST_SEQUENCE, CHECK));
  t.equal(requests.length, 1);
  transport.receive(packetOf(0, FIRST_SEQUENCE));
  t.match(await pending, { sequence: FIRST_SEQUENCE });
});

t.test('link: an answer repeats the request header, with our flags and the changes', async t => {
  const { transport, link, requests } = setUp(t);
  transport.receive({ ...packetOf(0x07, 3n, CHECK), version: 2, mgmtId: -1n });
  for (const request of requests) link.answer(request, GOOD, { mgmtId: 1001n, via: -1n });
  t.match(transport.sent, [{ version: 2, flags: 0x26, sequence: 3n, mgmtId: 1001n, agentId: 7n, messages: GOOD }]);
});

t.test('link: a request times out, and its late answer is ignored and counted', async t => {
  const { clock, transport, link } = setUp(t);
  const pending = link.request(CHECK, TO_AGENT, 1000);
  const rejected = t.rejects(pending, { name: 'LinkError', code: 'ANSWER_TIMEOUT', message: /CheckHealthCommand/ });
  await clock.advance(999);
  t.equal(clock.pending, 1);
  await clock.advance(1);
  await rejected;
  transport.receive(packetOf(0, FIRST_SEQUENCE));
  t.equal(link.ignored, 1);
  t.equal(link.closed, undefined, 'the link stays');
});

t.test('link: an answer is taken once', async t => {
  const { transport, link } = setUp(t);
  const pending = link.request(CHECK, TO_AGENT, 1000);
  transport.receive(packetOf(0, FIRST_SEQUENCE));
  transport.receive(packetOf(0, FIRST_SEQUENCE));
  await pending;
  t.equal(link.ignored, 1);
});

t.test('link: unknown versions, short packets and unknown answers are ignored and counted', async t => {
  const { clock, transport, link, requests, unreadable } = setUp(t);
  await clock.advance(5);
  transport.receive(Buffer.from([1, 0, 0]));
  transport.receive(Buffer.alloc(39));
  transport.receive(Buffer.alloc(0));
  transport.receive(packetOf(0, 99n));
  transport.receive(withBody(0, 99n, 'broken'));
  t.equal(link.ignored, 5);
  t.same([requests, unreadable, link.closed], [[], [], undefined]);
});

t.test('link: a request whose body cannot be read goes to its handler, with its header', async t => {
  const { transport, link, requests, unreadable } = setUp(t);
  transport.receive(withBody(FLAG.request, 1n, '[{"a.B":'));
  transport.receive(withBody(FLAG.request, 2n, '{}'));
  transport.receive(withBody(FLAG.request | FLAG.gzip, 3n, '[]'));
  t.same(
    unreadable.map(([header, code]) => [header.sequence, code]),
    [
      [1n, 'BODY_JSON'],
      [2n, 'BODY_SHAPE'],
      [3n, 'BODY_GZIP'],
    ],
  );
  t.same([requests, link.closed], [[], undefined]);
  const [first] = unreadable;
  if (first) link.answer(first[0], GOOD);
  t.match(transport.sent, [{ sequence: 1n, flags: FLAG.fromServer, messages: GOOD }]);
});

t.test('link: an answer whose body cannot be read rejects its request', async t => {
  const { transport, link } = setUp(t);
  const pending = link.request(CHECK, TO_AGENT, 1000);
  const rejected = t.rejects(pending, { code: 'BODY_JSON' });
  transport.receive(withBody(0, FIRST_SEQUENCE, '['));
  await rejected;
  t.equal(link.closed, undefined);
});

t.test('link: a body over its limit ends the link, as a request and as an answer', async t => {
  for (const flags of [FLAG.request, 0]) {
    const { transport, link, unreadable, closes } = setUp(t);
    transport.receive(withBody(flags | FLAG.gzip, 1n, '', LIMITS.packetBytesBeforeReady + 1));
    t.match(closes, [{ kind: 'error', error: { code: 'BODY_TOO_LARGE' } }]);
    t.equal(transport.state, 'destroyed');
    t.same(unreadable, []);
    t.match(link.closed, { kind: 'error' });
  }
});

t.test('link: raised limits let larger bodies through', async t => {
  const { transport, link, requests } = setUp(t);
  link.raiseLimits();
  t.equal(transport.isRaised, true);
  transport.receive(packetOf(FLAG.request, 1n, [{ type: 'a.B', fields: { f: 'x'.repeat(2 ** 21) } }]));
  t.equal(requests.length, 1);
});

t.test('link: closing rejects what waits, by either end and for any reason', async t => {
  for (const [why, end] of [
    ['enough', (link: Link) => link.close('enough')],
    ['at once', (link: Link) => link.destroy('at once')],
    ['closed by the peer', (_: Link, transport: FakeTransport) => transport.end()],
    ['reset', (_: Link, transport: FakeTransport) => transport.end(new Error('reset'))],
  ] as const) {
    const { transport, link, closes } = setUp(t);
    const pending = [link.request(CHECK, TO_AGENT, 1000), link.request(CHECK, TO_AGENT, 1000)];
    const rejected = pending.map(promise => t.rejects(promise, { code: 'LINK_CLOSED', message: new RegExp(why) }));
    end(link, transport);
    await Promise.all(rejected);
    t.equal(closes.length, 1);
    t.equal(link.closed && describeClose(link.closed), why);
    await t.rejects(link.request(CHECK, TO_AGENT, 1000), { code: 'LINK_CLOSED', message: new RegExp(why) });
    t.throws(() => link.post(CHECK, TO_AGENT), { code: 'LINK_CLOSED' });
  }
});

t.test('link: the first reason to close stands, and is told once', async t => {
  const { transport, link, closes } = setUp(t);
  link.close('first');
  link.close('second');
  link.destroy('third');
  transport.end(new Error('fourth'));
  t.same(closes, [{ kind: 'local', why: 'first' }]);
});

t.test('link: a closed link neither hears nor says anything', async t => {
  const { transport, link, requests } = setUp(t);
  link.close('enough');
  transport.receive(packetOf(FLAG.request, 1n, CHECK));
  link.answer(packetOf(FLAG.request, 1n), GOOD);
  t.same([requests, transport.sent], [[], []]);
});

t.test('link: a request that closes the link from its handler is the last', async t => {
  const clock = new FakeClock();
  const transport = new FakeTransport();
  const link = new Link(transport, { clock, nextSequence: () => 1n });
  let requests = 0;
  link.start({
    onRequest() {
      requests++;
      link.destroy('no more');
    },
    onUnreadable() {},
    onClose() {},
  });
  transport.receive(packetOf(FLAG.request, 1n, CHECK));
  transport.receive(packetOf(FLAG.request, 2n, CHECK));
  t.equal(requests, 1);
});

t.test('link: a peer that does not read loses its link', async t => {
  for (const say of [
    (link: Link) => t.rejects(link.request(CHECK, TO_AGENT, 1000), { code: 'QUEUE_FULL' }),
    async (link: Link) => t.throws(() => link.post(CHECK, TO_AGENT), { code: 'QUEUE_FULL' }),
    async (link: Link) => link.answer(packetOf(FLAG.request, 1n), GOOD),
  ]) {
    const { transport, link, closes } = setUp(t);
    transport.queuedBytes = LIMITS.queuedBytes;
    link.post(CHECK, TO_AGENT);
    t.equal(transport.sent.length, 1, 'at the bound one more is taken');
    transport.queuedBytes = LIMITS.queuedBytes + 1;
    await say(link);
    t.match(closes, [{ kind: 'error', error: { code: 'QUEUE_FULL' } }]);
    t.equal(transport.state, 'destroyed');
    t.equal(transport.sent.length, 1);
  }
});

t.test(
  'link: an answer that is too large, or that JSON does not have, becomes result=false, and the link stays',
  async t => {
    const { transport, link } = setUp(t);
    link.raiseLimits(100_000);
    const request = packetOf(FLAG.request, 1n);
    const fields = { result: true };
    const large = { type: 'a.BAnswer', fields: { ...fields, text: 'x'.repeat(100_001) } };
    const escaped = { type: 'a.BAnswer', fields: { ...fields, text: '<'.repeat(20_000) } };
    const many = { type: 'a.BAnswer', fields: { ...fields, list: Array(LIMITS.bodyValues + 1).fill(0) } };
    const strange = {
      type: 'a.BAnswer',
      fields: {
        get text() {
          throw new Error('no text');
        },
      },
    };
    for (const answer of [large, escaped, many, strange]) link.answer(request, [answer, ...GOOD]);
    link.answer(request, [{ type: 'a.BAnswer', fields: { ...fields, text: 'x'.repeat(90_000) } }]);
    const results = transport.sent.map(({ messages }) => messages.map(({ fields: { result } }) => result));
    t.same(results, [...Array(4).fill([false, false]), [true]]);
    t.equal(link.closed, undefined);
  },
);

t.test('link: packets that cannot be read are ignored, and end the link when there are too many', async t => {
  const { transport, link, closes } = setUp(t);
  const short = Buffer.alloc(39);
  for (let packet = 0; packet < LIMITS.ignoredPackets; packet++) {
    transport.receive([Buffer.alloc(0), short, Buffer.alloc(100, 1)][packet % 3] ?? short);
  }
  // Answers that come late are no fault of the peer.
  for (let packet = 0; packet < 200; packet++) transport.receive(packetOf(0, BigInt(packet)));
  t.equal(link.ignored, LIMITS.ignoredPackets + 200);
  t.same(closes, []);
  transport.receive(short);
  t.match(closes, [{ kind: 'error', error: { code: 'PACKET_SHORT' } }]);
});

t.test('link: bytes that come of unpacking count as read', async t => {
  const { transport } = setUp(t);
  const text = '[{"a.B":{"f":"'.padEnd(9_000, 'x');
  transport.receive(encodePacket(packetOf(FLAG.request, 1n, [{ type: 'a.B', fields: { f: text } }])));
  t.ok(transport.chargedBytes > 8_500 && transport.chargedBytes < 9_100, `${transport.chargedBytes}`);
  transport.receive(withBody(FLAG.request | FLAG.gzip, 1n, 'no gzip', -5));
  t.ok(transport.chargedBytes < 9_100);
});

t.test('regression: link: each value of a body counts as read, also of one that cannot be used', async t => {
  const values = 9_000;
  for (const body of [
    `[{"a.B":{"f":[${'1,'.repeat(values)}1]}}]`,
    `[{"a.B":{${'"k":1,'.repeat(values)}"k":1}}]`,
    `[${'{},'.repeat(values / 2)}{}]`,
    `[${'1,'.repeat(values)}`,
  ]) {
    const { transport } = setUp(t);
    transport.receive(withBody(FLAG.request, 1n, body));
    t.ok(transport.chargedBytes >= values * LIMITS.valueCostBytes, `${body.slice(0, 20)}: ${transport.chargedBytes}`);
  }
});

t.test('regression: link: each message behind the first of a packet counts as 4 kB that were read', async t => {
  const cost = (messages: number) => {
    const { transport } = setUp(t);
    transport.receive(encodePacket(packetOf(FLAG.request, 1n, Array(messages).fill({ type: 'a.B', fields: {} }))));
    return transport.chargedBytes;
  };
  t.ok(cost(1) < LIMITS.messageCostBytes);
  t.ok(cost(300) >= 299 * LIMITS.messageCostBytes);
});

t.test('link: so many requests may wait, and no more', async t => {
  const { transport, link } = setUp(t);
  const pending = Array.from({ length: LIMITS.pendingRequests }, () => link.request(CHECK, TO_AGENT, 1000));
  const settled = Promise.allSettled(pending);
  await t.rejects(link.request(CHECK, TO_AGENT, 1000), { code: 'TOO_MANY_REQUESTS' });
  t.equal(transport.sent.length, LIMITS.pendingRequests);
  transport.receive(packetOf(0, FIRST_SEQUENCE));
  const next = link.request(CHECK, TO_AGENT, 1000);
  transport.receive(packetOf(0, FIRST_SEQUENCE + BigInt(LIMITS.pendingRequests)));
  await next;
  link.close('done');
  await settled;
});

t.test('link: posts travel with sequence -1 and wait for nothing', async t => {
  const { clock, transport, link } = setUp(t, 0);
  link.post(CHECK, { ...TO_AGENT, flags: FLAG.stopOnError | FLAG.inSequence });
  t.match(transport.sent, [{ flags: 0x07, sequence: -1n }]);
  t.equal(clock.pending, 0);
});

t.test('link: class names are shortened for people', async t => {
  t.equal(typesOf([...CHECK, ...GOOD, { type: 'Bare', fields: {} }]), 'CheckHealthCommand+Answer+Bare');
});
