import { webcrypto } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import t, { type Test } from 'tap';
import type { CommandOutcome } from '../../src/mgmt/commands/outcome.js';
import type { SendOptions } from '../../src/mgmt/commands/sender.js';
import { readCertificateRequest } from '../../src/mgmt/security/certificate-request.js';
import {
  Answer,
  connectTls,
  decodePacket,
  encodePacket,
  FLAG,
  type Message,
  type Packet,
  ServerLinkCommand,
  secureContext,
  UnsupportedAnswer,
} from '../../src/protocol/index.js';
import { type FakeAgent, only } from '../../src/testing/fake-agent.js';
import { requestKeys, requestPem } from '../helpers/certificate-requests.js';
import {
  type Cluster,
  type ClusterNode,
  ca,
  joined,
  serverCertificateOf,
  startCluster,
} from '../helpers/cluster-bench.js';
import { agentOn, gotBy } from '../helpers/commanded-agent.js';
import { TestCa } from '../helpers/test-ca.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;

const work = (name = 'work', more: Readonly<Record<string, unknown>> = {}): Message => ({
  type: 'com.example.WorkCommand',
  fields: { name, contextMap: {}, wait: 0, ...more },
});
const withId = (id: string) => work(id, { muster: { commandId: id, expiresInMs: 600_000 } });
const done = (result = true) => Answer.encode({ result, details: 'done' });

/** Sends, and tells what has come of it by now. */
function sends(node: ClusterNode, hostId: number, messages: readonly Message[], options: SendOptions = {}) {
  const sent = { outcome: undefined as CommandOutcome | undefined };
  const over = node.node.send(hostId, messages, options).then(outcome => {
    sent.outcome = outcome;
    return outcome;
  });
  return Object.assign(sent, { over });
}

async function comesTo(cluster: Cluster, agent: FakeAgent, count = 1): Promise<Packet> {
  await cluster.comes(() => gotBy(agent).length >= count, 10_000);
  const packet = gotBy(agent)[count - 1];
  if (packet === undefined) throw new Error('no command has come');
  return packet;
}

async function cluster3(t: Test): Promise<Cluster> {
  return startCluster(t, [A, B, C]);
}

t.test('server links: a command goes to the server that has the agent, and its answer comes back', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const sent = sends(cluster.node(A), agent.id, [work()], { wait: 30 });
  const packet = await comesTo(cluster, agent);
  t.same(only(packet), work(), 'as it was sent');
  t.equal(packet.flags, FLAG.request | FLAG.fromServer | FLAG.stopOnError);
  t.equal(packet.mgmtId, BigInt(cluster.node(A).msid), 'it names the server that asks');
  t.equal(packet.agentId, agent.hostId);
  agent.answer(packet, [done()]);
  t.match(await cluster.passes(sent.over), { kind: 'answered', messages: [done()] });
  t.ok(cluster.node(A).node.serverLinks.isLinked(cluster.node(B).msid));
  t.ok(cluster.node(B).node.serverLinks.isLinked(cluster.node(A).msid));
  t.equal(cluster.serverLines.length, 1, 'one connection');

  const own = sends(cluster.node(B), agent.id, [work('own')]);
  agent.answer(await comesTo(cluster, agent, 2), [UnsupportedAnswer.encode({ result: false })]);
  t.match(await cluster.passes(own.over), { kind: 'unsupported' }, 'and to its own agent by the same call');
});

t.test('server links: when both sides dial at once, one connection stays and no command is lost', async t => {
  const cluster = await cluster3(t);
  const onA = await agentOn(cluster, A, 'guid-1');
  const onB = await agentOn(cluster, B, 'guid-2');
  await cluster.goesOn(3_000);
  const sent = [sends(cluster.node(A), onB.id, [work('to B')]), sends(cluster.node(B), onA.id, [work('to A')])];
  onB.answer(await comesTo(cluster, onB), [done()]);
  onA.answer(await comesTo(cluster, onA), [done()]);
  for (const { over } of sent) t.match(await cluster.passes(over), { kind: 'answered' });
  t.equal(cluster.serverLines.length, 2, 'both have dialled');
  await cluster.goesOn(1_000);
  t.strictSame(
    cluster.serverLines.map(({ isOpen }) => isOpen()),
    [true, false],
    'the one of the smaller msid stays',
  );
});

t.test('server links: a connection that breaks takes nothing with it', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const sent = sends(cluster.node(A), agent.id, [work()], { wait: 30 });
  const packet = await comesTo(cluster, agent);
  cluster.cutServers(A, B);
  agent.answer(packet, [done()]);
  t.match(await cluster.passes(sent.over), { kind: 'answered' }, 'the answer comes over the next one');
  t.equal(gotBy(agent).length, 1, 'the agent has got it once');
});

t.test('server links: a long outage between two servers that live loses no answer of a CloudStack agent', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const sent = sends(cluster.node(A), agent.id, [work()], { wait: 120 });
  const packet = await comesTo(cluster, agent);
  cluster.unreachable.add(A);
  cluster.unreachable.add(B);
  cluster.cutServers(A, B);
  await cluster.goesOn(10_000);
  t.equal(sent.outcome, undefined);
  agent.answer(packet, [done()]);
  cluster.unreachable.clear();
  t.match(await cluster.passes(sent.over), { kind: 'answered' });
  t.equal(gotBy(agent).length, 1);
});

t.test('server links: a host that has moved is found where it is', async t => {
  const cluster = await cluster3(t);
  const before = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  before.close();
  const agent = await agentOn(cluster, C, 'guid-1');
  const sent = sends(cluster.node(A), agent.id, [work()], { wait: 30 });
  agent.answer(await comesTo(cluster, agent), [done()]);
  t.match(await cluster.passes(sent.over), { kind: 'answered' });
  t.equal(gotBy(before).length, 0);
});

t.test('server links: a host that is not connected is waited for; past that the command is refused', async t => {
  const cluster = await cluster3(t);
  const before = await agentOn(cluster, B, 'guid-1');
  before.close();
  await cluster.goesOn(3_000);
  const refused = sends(cluster.node(A), before.id, [work()], { wait: 2 });
  t.match(await cluster.passes(refused.over), { kind: 'refused', reason: /not connected/ });
  const sent = sends(cluster.node(A), before.id, [work()], { wait: 30 });
  await cluster.goesOn(1_000);
  const agent = await agentOn(cluster, B, 'guid-1');
  agent.answer(await comesTo(cluster, agent), [done()]);
  t.match(await cluster.passes(sent.over), { kind: 'answered' });
  t.match(await cluster.passes(sends(cluster.node(A), 4_711, [work()]).over), { kind: 'refused', reason: /no such/ });
});

for (const [what, capabilities, outcome] of [
  ['a CloudStack agent is not asked twice', undefined, { kind: 'unknown' }],
  ['an agent that knows ids is asked again', ['commandIds'], { kind: 'answered' }],
] as const) {
  t.test(`server links, the server of the host dies: ${what}`, async t => {
    const cluster = await cluster3(t);
    const before = await agentOn(cluster, B, 'guid-1', capabilities);
    await cluster.goesOn(3_000);
    const sent = sends(cluster.node(A), before.id, [withId('id-1')], { wait: 60 });
    await comesTo(cluster, before);
    await cluster.node(B).kill();
    const agent = await agentOn(cluster, C, 'guid-1', capabilities);
    if (capabilities) agent.answer(await comesTo(cluster, agent), [done()]);
    t.match(await cluster.passes(sent.over), outcome);
    await cluster.goesOn(5_000);
    t.equal(gotBy(agent).length, capabilities ? 1 : 0);
  });

  t.test(`server links, the agent comes back to another server: ${what}`, async t => {
    const cluster = await cluster3(t);
    const before = await agentOn(cluster, B, 'guid-1', capabilities);
    await cluster.goesOn(3_000);
    const sent = sends(cluster.node(A), before.id, [withId('id-1')], { wait: 60 });
    await comesTo(cluster, before);
    before.ends.agent.cut();
    const agent = await agentOn(cluster, A, 'guid-1', capabilities);
    if (capabilities) agent.answer(await comesTo(cluster, agent), [done()]);
    t.match(await cluster.passes(sent.over), outcome);
  });
}

t.test('server links: an agent that forgets ids meanwhile is not asked again', async t => {
  const cluster = await cluster3(t);
  const before = await agentOn(cluster, B, 'guid-1', ['commandIds']);
  await cluster.goesOn(3_000);
  const sent = sends(cluster.node(A), before.id, [withId('id-1')], { wait: 60 });
  await comesTo(cluster, before);
  before.ends.agent.cut();
  const agent = await agentOn(cluster, C, 'guid-1');
  t.match(await cluster.passes(sent.over), { kind: 'unknown' });
  t.equal(gotBy(agent).length, 0);
});

t.test('server links: the server of the host is started anew in the midst', async t => {
  const cluster = await cluster3(t);
  const before = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const sent = sends(cluster.node(A), before.id, [work()], { wait: 60 });
  await comesTo(cluster, before);
  await cluster.node(B).kill();
  await cluster.start(B);
  const agent = await agentOn(cluster, B, 'guid-1');
  t.match(await cluster.passes(sent.over), { kind: 'unknown' });
  t.equal(gotBy(agent).length, 0);
  const next = sends(cluster.node(A), agent.id, [work('next')], { wait: 60 });
  agent.answer(await comesTo(cluster, agent), [done()]);
  t.match(await cluster.passes(next.over), { kind: 'answered' });
});

t.test('server links: commands go on to and from a server whose port is closed', async t => {
  const cluster = await cluster3(t);
  const onB = await agentOn(cluster, B, 'guid-1');
  const onA = await agentOn(cluster, A, 'guid-2');
  const { uuid } = await cluster.row(B);
  await cluster.passes(cluster.node(C).node.operations.prepareForMaintenance({ serverId: uuid }));
  await cluster.comes(() => cluster.node(B).port.serve === undefined);
  await cluster.goesOn(3_000);
  const { serverLinks } = cluster.node(B).node;
  t.ok(serverLinks.isLinked(cluster.node(A).msid), 'it has opened a link to each');
  t.ok(serverLinks.isLinked(cluster.node(C).msid));
  const sent = sends(cluster.node(A), onB.id, [work()], { wait: 10 });
  onB.answer(await comesTo(cluster, onB), [done()]);
  t.match(await cluster.passes(sent.over), { kind: 'answered' });
  const back = sends(cluster.node(B), onA.id, [work()], { wait: 10 });
  onA.answer(await comesTo(cluster, onA), [done()]);
  t.match(await cluster.passes(back.over), { kind: 'answered' });
  cluster.cutServers(A, B);
  const again = sends(cluster.node(A), onB.id, [work('again')], { wait: 10 });
  onB.answer(await comesTo(cluster, onB, 2), [done()]);
  t.match(await cluster.passes(again.over), { kind: 'answered' }, 'and it opens them again');
});

t.test('server links: taken back before it was sent, and after', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const [held, sent] = [new AbortController(), new AbortController()];
  const first = sends(cluster.node(B), agent.id, [work('first')], { inSequence: true });
  await comesTo(cluster, agent);
  const second = sends(cluster.node(A), agent.id, [work('second')], { inSequence: true, signal: held.signal });
  const third = sends(cluster.node(A), agent.id, [work('third')], { signal: sent.signal });
  await comesTo(cluster, agent, 2);
  held.abort();
  t.match(await cluster.passes(second.over), { kind: 'cancelled' });
  sent.abort();
  t.match(await cluster.passes(third.over), { kind: 'unknown', reason: /sent already/ });
  const [packet] = gotBy(agent);
  if (packet) agent.answer(packet, [done()]);
  t.match(await cluster.passes(first.over), { kind: 'answered' });
  await cluster.goesOn(1_000);
  t.equal(gotBy(agent).length, 2, 'the second never came');
});

t.test('server links: taken back while the link is away, and never sent after that', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const first = sends(cluster.node(B), agent.id, [work('first')], { inSequence: true });
  const packet = await comesTo(cluster, agent);
  const cancel = new AbortController();
  const second = sends(cluster.node(A), agent.id, [work('second')], { inSequence: true, signal: cancel.signal });
  await cluster.goesOn(500);
  cluster.cutServers(A, B);
  cancel.abort();
  t.match(await cluster.passes(second.over), { kind: 'cancelled' }, 'the other server says so over the next link');
  agent.answer(packet, [done()]);
  t.match(await cluster.passes(first.over), { kind: 'answered' });
  await cluster.goesOn(2_000);
  t.equal(gotBy(agent).length, 1);
});

t.test('server links: a server that stops says what became of what it was asked, and what it has asked', async t => {
  const cluster = await cluster3(t);
  const onB = await agentOn(cluster, B, 'guid-1');
  const onA = await agentOn(cluster, A, 'guid-2');
  await cluster.goesOn(3_000);
  const toB = sends(cluster.node(A), onB.id, [work()], { wait: 60 });
  const toA = sends(cluster.node(B), onA.id, [work()], { wait: 60 });
  await comesTo(cluster, onB);
  await comesTo(cluster, onA);
  await cluster.passes(cluster.node(B).stop('SIGINT'));
  t.match(await cluster.passes(toB.over), { kind: 'unknown' });
  t.match(await cluster.passes(toA.over), { kind: 'unknown' });
  t.match(await cluster.node(B).node.send(onA.id, [work()]), { kind: 'refused', reason: 'this server stops' });
});

t.test('server links: commands in sequence wait for each other, whichever server asks', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const names = ['A 1', 'A 2', 'A 3', 'B 1', 'B 2'];
  const sent = names.map(name =>
    sends(cluster.node(name.startsWith('A') ? A : B), agent.id, [work(name)], { inSequence: true, wait: 60 }),
  );
  const order: unknown[] = [];
  for (let count = 1; count <= names.length; count++) {
    const packet = await comesTo(cluster, agent, count);
    await cluster.goesOn(200);
    t.equal(gotBy(agent).length, count, 'one at a time');
    t.ok(packet.flags & FLAG.inSequence);
    order.push(only(packet).fields.name);
    agent.answer(packet, [done()]);
  }
  for (const { over } of sent) t.match(await cluster.passes(over), { kind: 'answered' });
  for (const server of ['A', 'B']) {
    t.strictSame(
      order.filter(name => String(name).startsWith(server)),
      names.filter(name => name.startsWith(server)),
    );
  }
});

t.test('server links: a large answer, several commands, an answer that says no', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const sent = sends(cluster.node(A), agent.id, [work('one'), work('x'.repeat(50_000))], { stopOnError: false });
  const packet = await comesTo(cluster, agent);
  t.equal(packet.flags & FLAG.stopOnError, 0);
  t.equal(packet.messages.length, 2);
  const answers = [done(false), Answer.encode({ result: true, details: 'y'.repeat(100_000) })];
  agent.answer(packet, answers);
  t.match(await cluster.passes(sent.over), { kind: 'answered', messages: answers });
});

t.test('server links: a job for another server begins at once', async t => {
  const cluster = await cluster3(t);
  await cluster.goesOn(3_000);
  // The first use opens the link.
  cluster.node(A).node.serverLinks.tellOfJobs(cluster.node(B).msid);
  await cluster.goesOn(100);
  const { uuid } = await cluster.row(B);
  const job = await cluster.node(A).node.operations.prepareForMaintenance({ serverId: uuid });
  await cluster.goesOn(50);
  t.match(await cluster.job(job.uuid), { status: /running|succeeded/, runnerMsid: cluster.node(B).msid });
});

/** A connection to a server's port from somebody with this certificate, who greets as a server does. */
async function stranger(t: Test, cluster: Cluster, context: SecureContext, address = A) {
  const remote = { address, port: 8250 };
  const socket = joined(cluster, address, 8250, { address: '203.0.113.9', port: 1 }).socket;
  const options = { clock: cluster.clock, context, handshakeTimeoutMs: 5_000, remote, host: address, judge: () => {} };
  const transport = await cluster.passes(connectTls(socket, options));
  t.teardown(() => transport.destroy());
  const heard = { answers: [] as unknown[], isOver: false };
  transport.listen({
    onPacket(bytes) {
      const [message] = decodePacket(bytes).messages;
      heard.answers.push(message && [message.type.replace(/.*\./, ''), message.fields.result]);
    },
    onClose() {
      heard.isOver = true;
    },
  });
  const greeting = ServerLinkCommand.encode({ runId: 'a run', version: '0.1.0' });
  const flags = FLAG.request | FLAG.fromServer | FLAG.control;
  const nobody = { mgmtId: 2n, agentId: -1n, via: -1n };
  transport.send(encodePacket({ version: 0, flags, sequence: -1n, ...nobody, messages: [greeting] }));
  await cluster.goesOn(500);
  return heard;
}

for (const strictness of ['true', 'false']) {
  t.test(`server links, strictness ${strictness}: only a good certificate of a server opens one`, async t => {
    const cluster = await startCluster(t, [A, B], { 'ca.plugin.root.auth.strictness': strictness });
    const { msid } = cluster.node(B);
    const named = { uris: [`muster:server:${msid}`], usages: ['serverAuth', 'clientAuth'] as const };
    const forged = secureContext(await (await TestCa.make('Muster CA')).leaf(named));
    const keys = await requestKeys();
    const request = await readCertificateRequest(await requestPem({ keys }));
    const agent = await ca.issueHostCertificate(request, { uuid: 'h-1', name: 'agent', validityDays: 30 });
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    const key = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
    for (const [what, context] of [
      ['no certificate', secureContext({})],
      ['one of a self-made CA', forged],
      ['an agent’s', secureContext({ cert: agent.certPem, key })],
      ['one of a server without a row', (await serverCertificateOf(4_711)).context],
      ['that of the server itself', cluster.node(A).serverCertificate.context],
    ] as const) {
      const { answers } = await stranger(t, cluster, context).catch(() => ({ answers: [] }));
      t.notOk(
        answers.some(answer => String(answer) === 'ServerLinkAnswer,true'),
        what,
      );
    }
    t.notOk(cluster.node(A).node.serverLinks.isLinked(msid));
    const good = await stranger(t, cluster, (await serverCertificateOf(msid)).context);
    t.same(good.answers, [['ServerLinkAnswer', true]], 'the certificate of another server that lives');
  });
}

t.test('server links: who dials makes sure that it has reached the server that it wants', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const own = cluster.node(B).serverCertificate;
  for (const certificate of [
    await serverCertificateOf(cluster.node(C).msid),
    {
      context: secureContext(await (await TestCa.make('Muster CA')).server({ uris: ['muster:server:1002'] })),
      serial: '',
    },
  ]) {
    cluster.node(B).serverCertificate = certificate;
    const sent = sends(cluster.node(A), agent.id, [work()], { wait: 3 });
    t.match(await cluster.passes(sent.over), { kind: 'refused', reason: /no link to server/ });
    t.equal(gotBy(agent).length, 0);
  }
  cluster.node(B).serverCertificate = own;
  const sent = sends(cluster.node(A), agent.id, [work()], { wait: 20 });
  agent.answer(await comesTo(cluster, agent), [done()]);
  t.match(await cluster.passes(sent.over), { kind: 'answered' });
});

t.test('server links: a revoked certificate ends the link, and opens no other', async t => {
  const cluster = await cluster3(t);
  const agent = await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  const sent = sends(cluster.node(A), agent.id, [work()], { wait: 20 });
  agent.answer(await comesTo(cluster, agent), [done()]);
  t.match(await cluster.passes(sent.over), { kind: 'answered' });
  const { serial } = cluster.node(B).serverCertificate;
  await cluster.passes(cluster.node(C).node.operations.revokeCertificate({ serial }));
  await cluster.goesOn(5_000);
  t.notOk(cluster.node(A).node.serverLinks.isLinked(cluster.node(B).msid));
  const next = sends(cluster.node(A), agent.id, [work()], { wait: 5 });
  t.match(await cluster.passes(next.over), { kind: 'refused' });
  cluster.node(B).serverCertificate = await serverCertificateOf(cluster.node(B).msid);
  const last = sends(cluster.node(A), agent.id, [work()], { wait: 20 });
  agent.answer(await comesTo(cluster, agent, 2), [done()]);
  t.match(await cluster.passes(last.over), { kind: 'answered' }, 'another one of the same server does');
});
