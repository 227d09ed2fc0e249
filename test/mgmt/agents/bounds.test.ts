import t from 'tap';
import { askToMigrate } from '../../../src/mgmt/jobs/move-agents.js';
import {
  decodeJson,
  encodeHeader,
  encodeJson,
  LIMITS,
  type Message,
  MigrateAgentConnectionAnswer,
  ShutdownCommand,
} from '../../../src/protocol/index.js';
import { only } from '../../../src/testing/fake-agent.js';
import { settle } from '../../../src/testing/fake-clock.js';
import { testServer } from '../../helpers/test-server.js';
import { unfitTexts } from '../../helpers/unfit-texts.js';

/** What no peer says: long, and with characters that hide or break what stands beside them. */
const BAD = 'x\u202e\u0085\u2028\u0007'.repeat(100);

function pingOf(fields: string): Message {
  return { type: 'com.cloud.agent.api.PingCommand', fields: decodeJson(fields) as Record<string, unknown> };
}

t.test('regression: bounds: a ping is in its answer as it came, whatever digits and escapes it has', async t => {
  const { agent } = await testServer();
  const one = agent();
  await one.join();
  const fields = `{"hostType":"Routing", "digits":${'7'.repeat(100_000)},"text":"${'<'.repeat(100_000)}"}`;
  const body = Buffer.from(`[{"${pingOf('{}').type}":${fields}}]`);
  const ids = { mgmtId: -1n, agentId: one.hostId, via: one.hostId };
  const header = { version: 0, flags: 3, sequence: 9n, contentLength: body.length, ...ids };
  const answers: Buffer[] = [];
  const { send } = one.ends.server;
  one.ends.server.send = packet => {
    answers.push(packet);
    send.call(one.ends.server, packet);
  };
  one.ends.agent.send(encodeHeader(header, body));
  const answer = only(await one.receive());
  t.equal(encodeJson(answer.fields._command), encodeJson(decodeJson(fields)));
  // Gzipped, and its length says how long it was.
  t.ok((answers[0]?.readInt32BE(12) ?? Number.POSITIVE_INFINITY) < body.length + 500);
});

t.test('bounds: an answer is never longer than its command by more than a few words', async t => {
  const { agent } = await testServer();
  const one = agent();
  await one.join();
  const unknown = { type: `com.example.${BAD}`, fields: { text: BAD } };
  one.request([unknown]);
  t.notMatch(encodeJson((await one.receive()).messages), 'xxx');
  one.request(Array.from({ length: LIMITS.bodyMessages + 1 }, () => ({ type: 'a.B', fields: {} })));
  await t.rejects(one.receive(), /closed/, 'and so many commands are too many');
});

t.test('bounds: packet.max is the bound of a packet of a Ready agent, and of no other', async t => {
  const { agent } = await testServer({ packetMaxBytes: 2 ** 20 });
  const ping = (bytes: number) => [pingOf(`{"text":"${'x'.repeat(bytes)}"}`)];
  const one = agent();
  await one.join();
  one.request(ping(2 ** 20 - 1_000));
  t.equal(only(await one.receive()).type, 'com.cloud.agent.api.PingAnswer');
  one.request(ping(2 ** 20));
  await t.rejects(one.receive(), /closed/);
  const stranger = agent();
  stranger.request(ping(LIMITS.packetBytesBeforeReady));
  await t.rejects(stranger.receive(), /closed/);
});

const TEXTS = [
  'name',
  'privateIpAddress',
  'type',
  'pod',
  'cluster',
  'version',
  'hypervisorType',
  'instanceId',
  'lastLoss',
];

t.test('bounds: no text of an agent reaches a row, an event, a log line or another packet as it is', async t => {
  const { agent, row, lines, events, registry, linkStatus } = await testServer();
  const muster = { version: BAD, instanceId: BAD, lastLoss: BAD };
  const startup = { ...Object.fromEntries([...TEXTS, 'arch', 'cpuArch'].map(name => [name, BAD])), muster };
  const one = agent();
  const { ready2 } = await one.join(startup);
  t.same(unfitTexts(ready2.messages), []);
  const attache = registry.get(1);
  if (attache === undefined) throw new Error('there is no agent');
  const asked = askToMigrate(attache, {
    hosts: ['a'],
    algorithm: 'static',
    avoid: [],
    checkIntervalSeconds: 0,
    configurationVersion: 1,
  });
  one.answer(await one.receive(), [MigrateAgentConnectionAnswer.encode({ result: false, details: BAD })]);
  t.same(unfitTexts(await asked), []);
  attache.lag = `it said ${BAD}`;
  one.request([{ type: 'com.cloud.agent.api.PingCommand', fields: { roundTripMs: 1e300 } }]);
  await one.receive();
  t.equal(attache.linkStatus.roundTripMs !== undefined && attache.linkStatus.roundTripMs < 1e6, true);
  t.same(unfitTexts(linkStatus()), []);
  one.request([ShutdownCommand.encode({ reason: BAD, detail: BAD })]);
  await settle();

  for (const fields of [{ dataCenter: BAD }, { guid: BAD }, { msHostList: Array(500).fill('192.0.2.1').join() }]) {
    const refused = agent();
    refused.startup({ ...startup, guid: 'g2', ...fields });
    await settle();
    t.same(unfitTexts(refused.received.map(({ messages }) => messages)), []);
  }
  const wrongField = agent();
  wrongField.request([{ type: `com.cloud.agent.api.Startup${'x'.repeat(5_000)}Command`, fields: { guid: 5 } }], {
    flags: 1,
  });
  await settle();
  t.same(unfitTexts(wrongField.received.map(({ messages }) => messages)), []);
  t.same(unfitTexts([row(1), row(2), lines, events]), []);
});

t.test('bounds: a list that is reported at any length is not the one that the agent has', async t => {
  const { agent, row } = await testServer({ configuration: { 'indirect.agent.lb.algorithm': 'shuffle' } });
  const list = ['192.0.2.1', '192.0.2.2', '192.0.2.3', ...Array(1_000).fill('192.0.2.3')];
  const { ready2 } = await agent().join({ msHostList: `${list}@shuffle` });
  t.equal((only(ready2).fields.msHostList as string[]).length, 3);
  t.ok((row(1)?.msHostList ?? '').length < 100);
});

t.test('bounds: packets that cannot be read are counted, and end the link', async t => {
  const { agent } = await testServer();
  const one = agent();
  await one.join();
  for (let packet = 0; packet <= LIMITS.ignoredPackets; packet++) one.ends.agent.send(Buffer.alloc(0));
  await settle();
  t.ok(one.closed);
});
