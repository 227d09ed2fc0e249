import t from 'tap';
import {
  AgentConnectStatusAnswer,
  AgentConnectStatusCommand,
  AgentControlCommand,
  encodeHeader,
  encodePacket,
  FLAG,
  type Message,
  PingCommand,
  PingRoutingCommand,
  ShutdownCommand,
  StartupStorageCommand,
} from '../../../src/protocol/index.js';
import { contentOf, only, startupOf } from '../../../src/testing/fake-agent.js';
import { settle } from '../../../src/testing/fake-clock.js';
import { recordedSession } from '../../../src/testing/recorded-packets.js';
import { MSID, testServer } from '../../helpers/test-server.js';

const CLASS = 'com.cloud.agent.api.';

t.test('startup: the answer has the real ids, and echoes as CloudStack does', async t => {
  const { agent, row } = await testServer({ configuration: { 'ping.interval': '15' } });
  const one = agent();
  one.startup({ guid: 'g1', name: 'kvm-7' }, { sequence: 41n, agentId: 9n, via: 9n });
  const answer = await one.receive();
  t.match(answer, { version: 0, flags: 0x20, sequence: 41n, mgmtId: 1001n, agentId: 9n, via: -1n });
  t.strictSame(contentOf(answer), [
    'StartupAnswer',
    fields({ hostId: 1, hostName: 'kvm-7', hostUuid: row(1)?.uuid, pingInterval: 15, result: true }),
  ]);
  t.match(row(1), { status: 'Connecting', guid: 'g1', cpus: 8, speed: 2400, ram: 2 ** 35, arch: 'x86_64' });
});

t.test('ready: the first has ids only and waits 60 s; the second has the list, for an agent that lacks it', async t => {
  const { agent, row } = await testServer({ configuration: { 'indirect.agent.lb.check.interval': '10' } });
  const one = agent();
  const { ready1, ready2 } = await one.join();
  const ids = { dcId: 1, hostId: 1, hostUuid: row(1)?.uuid, hostName: 'kvm-1', enableHumanReadableSizes: true };
  t.strictSame(contentOf(ready1), ['ReadyCommand', fields({ ...ids, wait: 60 })]);
  t.strictSame(contentOf(ready2), [
    'ReadyCommand',
    fields({
      ...ids,
      msHostList: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
      avoidMsHostList: [],
      lbAlgorithm: 'static',
      lbCheckInterval: 10,
      arch: 'x86_64',
      wait: 0,
    }),
  ]);
  for (const ready of [ready1, ready2]) {
    t.match(ready, { version: 0, flags: 0x27, mgmtId: 1001n, agentId: 1n, via: 1n });
  }
  const start = ready1.sequence >> 48n;
  t.equal(ready1.sequence, (start << 48n) + 1n);
  t.equal(ready2.sequence, (start << 48n) + 2n);
  t.ok(start >= 0n && start <= 32_766n);
});

t.test('ready: each link counts from a start of its own', async t => {
  const { agent } = await testServer();
  const starts = new Set<bigint>();
  for (let i = 0; i < 20; i++) starts.add((await agent().join({ guid: `g${i}` })).ready1.sequence >> 48n);
  t.ok(starts.size > 15);
});

t.test(
  'ready: the list is left out for an agent that has it, and neither CheckNetwork nor SetHostParams is sent',
  async t => {
    const { agent, row } = await testServer();
    const one = agent();
    const { ready2 } = await one.join({ msHostList: '192.0.2.1,192.0.2.2,192.0.2.3@static' });
    t.notOk('msHostList' in only(ready2).fields);
    t.notOk('lbAlgorithm' in only(ready2).fields);
    t.strictSame(only(ready2).fields.avoidMsHostList, []);
    t.equal(only(ready2).fields.lbCheckInterval, 0);
    await settle();
    t.equal(one.received.length, 3);
    t.equal(row(1)?.msHostList, '192.0.2.1,192.0.2.2,192.0.2.3@static');
  },
);

t.test('ready: an agent has its host once it has answered both, not before', async t => {
  const { agent, row, registry, lines } = await testServer();
  const one = agent();
  one.startup();
  await one.receive();
  one.answerReady(await one.receive());
  const ready2 = await one.receive();
  await settle();
  t.match(row(1), { status: 'Connecting', msid: null, epoch: 0 });
  t.equal(registry.size, 0);
  one.answerReady(ready2);
  await settle();
  t.match(row(1), { status: 'Up', msid: MSID, epoch: 1, msHostList: '192.0.2.1,192.0.2.2,192.0.2.3@static' });
  t.equal(registry.size, 1);
  t.ok(one.ends.server.isRaised, 'and larger packets');
  t.match(
    lines.filter(line => line.message.startsWith('Agent ')),
    [
      { message: 'Agent has registered', fields: { hostId: 1, address: '192.0.2.50', guid: /^guid-1/ } },
      {
        message: 'Agent is Ready',
        fields: { hostId: 1, list: ['192.0.2.1', '192.0.2.2', '192.0.2.3'], algorithm: 'static' },
      },
    ],
  );
});

t.test('ready: the larger bounds do not hold before both are answered', async t => {
  const { agent } = await testServer();
  const one = agent();
  one.startup();
  await one.receive();
  one.answerReady(await one.receive());
  await one.receive();
  t.notOk(one.ends.server.isRaised);
});

t.test('ready: an agent that answers no is let go, at the first as at the second', async t => {
  for (const first of [true, false]) {
    const { agent, row, registry } = await testServer();
    const one = agent();
    one.startup();
    await one.receive();
    const ready1 = await one.receive();
    one.answerReady(ready1, { result: !first, details: 'no storage' });
    if (!first) one.answerReady(await one.receive(), { result: false });
    await settle();
    t.ok(one.closed);
    t.not(row(1)?.status, 'Up');
    t.equal(registry.size, 0);
  }
});

t.test('ready: an agent that does not answer is let go after the wait and a margin', async t => {
  const { agent, clock, lines } = await testServer({ configuration: { 'ping.interval': '1000' } });
  const one = agent();
  one.startup();
  await one.receive();
  await one.receive();
  await clock.advance(69_999);
  t.notOk(one.closed);
  await clock.advance(1);
  t.ok(one.closed);
  t.match(lines.at(-1), { message: 'Agent disconnected', fields: { reason: /no answer to ReadyCommand/ } });
});

t.test('roundrobin: three servers and three agents, over the wire, in whatever order they connect', async t => {
  const { agent } = await testServer({ configuration: { 'indirect.agent.lb.algorithm': 'roundrobin', host: 'a,b,c' } });
  const guids = ['g1', 'g2', 'g3'];
  // The ids first: one after the other, as new agents come.
  for (const guid of guids) await agent().join({ guid });
  const lists: Record<string, unknown> = {};
  for (const guid of guids.toReversed()) lists[guid] = only((await agent().join({ guid })).ready2).fields.msHostList;
  t.strictSame(lists, { g1: ['a', 'b', 'c'], g2: ['b', 'c', 'a'], g3: ['c', 'a', 'b'] });
});

t.test('shuffle: an agent that has the set, in any order, is left with its order', async t => {
  const { agent, row } = await testServer({
    configuration: { 'indirect.agent.lb.algorithm': 'shuffle', host: 'a,b,c' },
  });
  const { ready2 } = await agent().join({ msHostList: 'c,a,b@shuffle' });
  t.notOk('msHostList' in only(ready2).fields);
  await settle();
  t.equal(row(1)?.msHostList, 'c,a,b@shuffle');
});

t.test('startup: an agent of 4.13, which knows neither arch nor bypassHostMaintenance, becomes Ready', async t => {
  const { agent, row } = await testServer();
  const one = agent();
  one.request(
    [
      {
        type: `${CLASS}StartupRoutingCommand`,
        fields: {
          cpus: 4,
          type: 'Routing',
          dataCenter: '1',
          pod: '1',
          cluster: '1',
          guid: 'old-LibvirtComputingResource',
          name: 'old',
          version: '4.13.1.0',
          privateIpAddress: '192.0.2.9',
          msHostList: '192.0.2.1',
          contextMap: {},
          wait: 0,
        },
      },
    ],
    { flags: 1 },
  );
  t.equal(contentOf(await one.receive())[0], 'StartupAnswer');
  one.hostId = 0n;
  one.ping();
  const ready1 = await one.receive();
  t.equal(contentOf(ready1)[0], 'ReadyCommand');
  const pong = await one.receive();
  t.match(pong, { flags: 0x22, agentId: 0n, via: 1n }, 'a ping at once, with id 0, is no error');
  t.equal(contentOf(pong)[0], 'PingAnswer');
  const answer = { type: `${CLASS}ReadyAnswer`, fields: { result: true, contextMap: {}, wait: 0 } };
  one.answer(ready1, [answer]);
  const ready2 = await one.receive();
  t.notOk('arch' in only(ready2).fields);
  one.answer(ready2, [answer]);
  await settle();
  t.match(row(1), { status: 'Up', zoneId: 1, arch: null });
});

t.test('startup: several startup commands in one packet get one answer', async t => {
  const { agent, row } = await testServer();
  for (const order of [0, 1]) {
    const one = agent();
    const both = [startupOf({ guid: `g${order}` }), StartupStorageCommand.encode({})];
    one.request(order === 0 ? both : both.toReversed(), { flags: 1 });
    await settle();
    t.strictSame(
      one.received.map(packet => packet.messages.map(message => message.type)),
      [[`${CLASS}StartupAnswer`], [`${CLASS}ReadyCommand`]],
    );
    t.equal(row(order + 1)?.guid, `g${order}`);
  }
});

t.test('startup: what comes before it is answered and counted, and the link stays', async t => {
  const { agent } = await testServer();
  const one = agent();
  one.ping();
  one.request([{ type: 'what.ever', fields: {} }]);
  one.transport.send(brokenPacket());
  await settle();
  t.strictSame(
    (await Promise.all([one.receive(), one.receive(), one.receive()])).map(packet => contentOf(packet)),
    Array(3).fill(['Answer', { result: true, contextMap: {}, wait: 0, bypassHostMaintenance: false }]),
  );
  await one.join();
  t.notOk(one.closed);
});

t.test('startup: an agent of a coming version is told that it may register, and how its host is', async t => {
  const { agent } = await testServer();
  await agent().join({ guid: 'g1' });
  for (const [guid, status] of [
    ['g1', { hostStatus: 'Up' }],
    ['nobody', {}],
    [undefined, {}],
  ] as const) {
    const one = agent();
    const { sequence } = one.request([AgentConnectStatusCommand.encode({ guid }), { type: 'what.ever', fields: {} }]);
    const answer = await one.receive();
    t.match(answer, { sequence, mgmtId: BigInt(MSID), via: -1n, flags: FLAG.fromServer | FLAG.stopOnError });
    const [status1, unknown] = answer.messages;
    t.equal(status1?.type, AgentConnectStatusAnswer.type);
    t.match(status1?.fields, { result: true, lockAvailable: true, ...status });
    t.equal('hostStatus' in (status1?.fields ?? {}), 'hostStatus' in status);
    t.match(unknown, { type: `${CLASS}Answer`, fields: { result: true } });
  }
});

t.test('startup: after 100 requests before it the link closes', async t => {
  const { agent } = await testServer();
  const one = agent();
  for (let i = 0; i < 100; i++) one.request([{ type: 'what.ever', fields: {} }]);
  await settle();
  t.notOk(one.closed);
  t.equal(one.received.length, 100);
  one.request([{ type: 'what.ever', fields: {} }]);
  await settle();
  t.ok(one.closed);
  t.equal(one.received.length, 100);
});

t.test('startup: it is due 60 s after the handshake', async t => {
  const { agent, clock, stop } = await testServer();
  const one = agent();
  await clock.advance(30_000);
  one.ping();
  await clock.advance(29_999);
  t.notOk(one.closed, 'what is no Startup moves nothing');
  await clock.advance(1);
  t.ok(one.closed);
  const two = agent();
  await two.join();
  await clock.advance(60_000);
  t.notOk(two.closed);
  await stop('now');
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('startup: a second one on the same link closes it', async t => {
  const { agent, registry } = await testServer();
  const ready = agent();
  await ready.join();
  ready.startup();
  await settle();
  t.ok(ready.closed);
  t.equal(registry.size, 0);
  const readying = agent();
  readying.startup();
  await readying.receive();
  readying.startup();
  await settle();
  t.ok(readying.closed);
});

t.test(
  'refusals: a wrong zone gets a StartupAnswer and a Ready that says why; a right Startup later will do',
  async t => {
    const { agent, row, clock } = await testServer();
    const one = agent();
    one.startup({ dataCenter: 'moon', privateIpAddress: '10.1.1.5' });
    const answer = await one.receive();
    t.match(answer, { flags: 0x20, sequence: 0n, mgmtId: 1001n, agentId: -1n, via: -1n });
    t.match(contentOf(answer), ['StartupAnswer', { result: true, hostId: 0 }]);
    const refused = await one.receive();
    t.match(refused, { flags: 0x07, sequence: -1n, mgmtId: -1n, agentId: -1n, via: -1n });
    t.strictSame(contentOf(refused), [
      'ReadyCommand',
      fields({ _details: 'Host 10.1.1.5 sent incorrect data center: moon (zones here: default)', wait: 0 }),
    ]);
    t.equal(row(1), undefined, 'it has no row');
    await clock.advance(50_000);
    t.notOk(one.closed);
    const { ready2 } = await one.join();
    t.match(ready2, { agentId: 1n });
    await clock.advance(60_000);
    t.notOk(one.closed, 'the deadline for a Startup is gone');
    t.equal(row(1)?.status, 'Up');
  },
);

t.test('refusals: a Startup without a guid, or with a field of another kind, is refused too', async t => {
  const { agent, row } = await testServer();
  const broken: Message = { type: `${CLASS}StartupRoutingCommand`, fields: { guid: 7, dataCenter: 'default' } };
  for (const message of [startupOf({ guid: '' }), startupOf({ guid: 'x'.repeat(256) }), broken]) {
    const one = agent();
    one.request([message], { flags: 1 });
    await one.receive();
    t.match(contentOf(await one.receive()), ['ReadyCommand', { _details: /guid/ }]);
    t.notOk(one.closed);
  }
  t.equal(row(1), undefined);
});

t.test('zones: an agent names its zone by name or by id, and only those that are configured', async t => {
  const { agent, row, store } = await testServer({ configuration: { zones: 'north,south' } });
  const [north, south] = [store.data.zones.get('north'), store.data.zones.get('south')];
  await agent().join({ guid: 'g1', dataCenter: 'south' });
  await agent().join({ guid: 'g2', dataCenter: String(south) });
  await agent().join({ guid: 'g3', dataCenter: 'north' });
  t.strictSame([row(1)?.zoneId, row(2)?.zoneId, row(3)?.zoneId], [south, south, north]);
  const other = agent();
  other.startup({ guid: 'g4', dataCenter: '3' });
  await other.receive();
  t.ok(only(await other.receive()).fields._details);
});

t.test('requests: those for another server, and those that come from a server, are passed over', async t => {
  const { agent, lines } = await testServer();
  const one = agent();
  one.startup({}, { mgmtId: 1002n });
  await settle();
  t.equal(one.received.length, 0, 'a Startup too');
  await one.join();
  one.ping({ mgmtId: 1002n });
  one.ping({ flags: 0x23 });
  one.transport.send(brokenPacket({ mgmtId: 7n }));
  await settle();
  t.strictSame(one.waiting, []);
  const ping = one.ping({ mgmtId: 1001n });
  t.match(await one.receive(), { sequence: ping.sequence, mgmtId: 1001n });
  one.transport.close();
  await settle();
  t.match(lines.at(-1), { message: 'Agent disconnected', fields: { ignoredPackets: 4 } }, 'and counted');
});

t.test('pings: the whole ping comes back, with flags, ids and sequence', async t => {
  const { agent } = await testServer();
  const one = agent();
  await one.join();
  for (const type of [PingRoutingCommand.type, PingCommand.type]) {
    const command = fields({ hostType: 'Routing', hostId: 1, of_a_later_version: { a: [1, 2n ** 60n] }, wait: 0 });
    const ping = one.request([{ type, fields: command }]);
    const pong = await one.receive();
    t.match(pong, { flags: 0x22, sequence: ping.sequence, mgmtId: 1001n, agentId: 1n, via: 1n });
    t.strictSame(contentOf(pong), [
      'PingAnswer',
      fields({ _command: command, sendStartup: false, avoidMsList: [], reconcileCommands: [], result: true, wait: 0 }),
    ]);
  }
});

t.test('requests: AgentControl, what nobody knows, and what cannot be read are answered well', async t => {
  const { agent } = await testServer();
  const one = agent();
  await one.join();
  one.request([AgentControlCommand.encode({})]);
  t.match(contentOf(await one.receive()), ['AgentControlAnswer', { result: true }]);
  one.request([{ type: 'org.example.Unheard', fields: { x: 1 } }], { flags: 0x07 });
  const answer = await one.receive();
  t.match(answer, { flags: 0x26 });
  t.match(contentOf(answer), ['Answer', { result: true }]);
  one.transport.send(brokenPacket({ sequence: 77n, agentId: 1n, via: 1n }));
  const broken = await one.receive();
  t.match(broken, { sequence: 77n, mgmtId: 1001n, agentId: 1n, via: 1n, flags: 0x22 });
  t.match(contentOf(broken), ['Answer', { result: true }]);
  t.notOk(one.closed);
});

t.test('batches: one answer for each command, in order; with 0x02 a failure stops what follows it', async t => {
  const { agent } = await testServer();
  const one = agent();
  await one.join();
  const batch = [
    PingCommand.encode({}),
    { type: PingCommand.type, fields: { contextMap: null } },
    AgentControlCommand.encode({}),
  ];
  const simple = (messages: readonly Message[]) =>
    messages.map(({ type, fields }) => [type.slice(CLASS.length), fields.result, fields.details]);
  one.request(batch, { flags: 0x03 });
  t.strictSame(simple((await one.receive()).messages), [
    ['PingAnswer', true, undefined],
    ['Answer', false, 'contextMap must not be null'],
    ['Answer', false, 'Stopped by previous failure'],
  ]);
  one.request(batch, { flags: 0x01 });
  const answer = await one.receive();
  t.equal(answer.flags, 0x20);
  t.strictSame(simple(answer.messages), [
    ['PingAnswer', true, undefined],
    ['Answer', false, 'contextMap must not be null'],
    ['AgentControlAnswer', true, undefined],
  ]);
});

t.test('shutdown: the agent goes without an answer, and its host is Disconnected with the reason', async t => {
  const { agent, row, lines } = await testServer();
  const one = agent();
  await one.join();
  one.request([ShutdownCommand.encode({ reason: 'sig.kill', detail: 'maintenance' })], { flags: 0x07, sequence: -1n });
  await settle();
  t.ok(one.closed);
  t.strictSame(one.waiting, []);
  const reason = 'the agent was stopped: maintenance';
  t.match(row(1), { status: 'Disconnected', msid: null, disconnectReason: reason });
  t.match(lines.at(-1), { message: 'Agent disconnected', fields: { reason, hostId: 1 } });
});

t.test('a lost link leaves the host Disconnected, and the next Ready takes it back under a new epoch', async t => {
  const { agent, row } = await testServer();
  const one = agent();
  await one.join();
  one.ends.agent.cut(new Error('ECONNRESET'));
  await settle();
  t.match(row(1), { status: 'Disconnected', msid: null, epoch: 1, disconnectReason: 'ECONNRESET' });
  await agent().join();
  await settle();
  t.match(row(1), { id: 1, status: 'Up', msid: MSID, epoch: 2, disconnectReason: null });
});

t.test('an agent that ends right behind its last ReadyAnswer leaves no link behind', async t => {
  const { agent, row, registry } = await testServer();
  const one = agent();
  one.startup();
  await one.receive();
  one.answerReady(await one.receive());
  one.answerReady(await one.receive());
  one.request([ShutdownCommand.encode({ reason: 'sig.kill' })], { flags: 0x07, sequence: -1n });
  await settle();
  t.ok(one.closed);
  t.equal(registry.size, 0);
  t.match(row(1), { status: 'Disconnected', msid: null, disconnectReason: 'the agent was stopped' });
});

t.test(
  'session: what a real agent sent gets from us what its real servers said, but for what we leave out',
  async t => {
    const { agent, store } = await testServer({
      configuration: { zones: '1', host: '127.0.0.1,127.0.0.2', 'ping.interval': '5' },
    });
    const session = recordedSession();
    const leftOut = ['CheckNetworkCommand', 'SetHostParamsCommand'];
    // Connect, both Readies, a ping, a control command; then the operator's own commands, which nobody gives here.
    const opening = session.slice(0, 14).filter(({ n, message }) => !leftOut.includes(message) && n !== 4 && n !== 6);
    const one = agent('127.0.0.1');
    /** Sequences of ours by those of the recorded server. */
    const ours = new Map<string, bigint>();
    for (const recorded of opening) {
      const messages = messagesOf(recorded.content);
      if (recorded.sender === 'mgmt') {
        const packet = await one.receive();
        ours.set(recorded.sequence, packet.sequence);
        t.equal(packet.flags, recorded.flags, `${recorded.n}: flags`);
        t.equal(packet.via, BigInt(recorded.via), `${recorded.n}: via`);
        t.equal(packet.agentId, BigInt(recorded.agentId), `${recorded.n}: agentId`);
        t.equal(packet.mgmtId, BigInt(recorded.mgmtId), `${recorded.n}: mgmtId`);
        const expected = messages.map(({ type, fields }) => ({
          type,
          fields: { ...fields, ...ourIds(store.data.hosts.get(1), fields) },
        }));
        t.same(packet.messages, expected, `${recorded.n}: ${recorded.message}`);
      } else {
        const { flags } = recorded;
        const sequence = ours.get(recorded.sequence) ?? BigInt(recorded.sequence);
        const ids = { mgmtId: BigInt(recorded.mgmtId), agentId: BigInt(recorded.agentId), via: BigInt(recorded.via) };
        one.transport.send(encodePacket({ version: 0, flags, sequence, ...ids, messages }));
      }
    }
    await settle();
    t.strictSame(one.waiting, []);

    const [moved, shutdown] = [session[36], session[47]];
    if (moved?.n !== 37 || shutdown?.n !== 48) throw new Error('another session than this test was written for');
    const two = agent('127.0.0.1');
    two.request(messagesOf(moved.content), {
      flags: moved.flags,
      sequence: BigInt(moved.sequence),
      agentId: 1n,
      via: 1n,
    });
    const answer = await two.receive();
    t.match(answer, { flags: 32, sequence: 5n, agentId: 1n, via: -1n });
    two.answerReady(await two.receive());
    const ready2 = await two.receive();
    t.strictSame(
      Object.keys(only(ready2).fields),
      Object.keys(messagesOf(session[42]?.content ?? '')[0]?.fields ?? {}),
    );
    two.answerReady(ready2);
    await settle();
    t.ok(one.closed);
    two.request(messagesOf(shutdown.content), { flags: shutdown.flags, sequence: -1n, agentId: 1n, via: 1n });
    await settle();
    t.ok(two.closed);
    t.match(store.data.hosts.get(1), { status: 'Disconnected', disconnectReason: 'the agent was stopped' });
  },
);

/** Where ours are other than CloudStack's: the real ids in the StartupAnswer, and a uuid of our own. */
function ourIds(host: { id: number; uuid: string; name: string } | undefined, recorded: object): object {
  return {
    ...('hostUuid' in recorded && { hostUuid: host?.uuid, hostName: host?.name, hostId: host?.id }),
  };
}

function messagesOf(content: string): Message[] {
  return (JSON.parse(content) as Record<string, Record<string, unknown>>[]).map(entry => {
    const [[type, fields] = ['', {}]] = Object.entries(entry);
    return { type, fields };
  });
}

/** With what every message of ours ends in. */
function fields(own: object): Record<string, unknown> {
  return { contextMap: {}, wait: 0, bypassHostMaintenance: false, ...own };
}

function brokenPacket(header: Partial<Parameters<typeof encodeHeader>[0]> = {}): Buffer {
  const body = Buffer.from('[{"com.cloud.agent.api.PingCommand":{"hostType":');
  const ids = { mgmtId: -1n, agentId: -1n, via: -1n };
  return encodeHeader({ version: 0, flags: 0x03, sequence: 5n, contentLength: body.length, ...ids, ...header }, body);
}
