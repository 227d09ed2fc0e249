import t from 'tap';
import { decodeBody } from '../../src/protocol/body.js';
import { encodeJson } from '../../src/protocol/json.js';
import * as messages from '../../src/protocol/messages/index.js';
import type { MessageType } from '../../src/protocol/messages/schema.js';
import { decodePacket } from '../../src/protocol/packet.js';
import { recordedPackets, recordedSession } from '../../src/testing/recorded-packets.js';

type AnyType = MessageType<Record<string, never>>;
const TYPES = Object.values(messages) as unknown as AnyType[];
const PLAIN = { version: 0, flags: 0, sequence: 0n, contentLength: 0, mgmtId: 0n, agentId: 0n, via: 0n };
const byName = new Map(TYPES.map(type => [type.type, type]));

/** Not recorded, or not with known fields only. */
const UNPROVEN = [
  'com.cloud.agent.api.AgentConnectStatusAnswer',
  'com.cloud.agent.api.AgentConnectStatusCommand',
  'com.cloud.agent.api.CancelCommand',
  'com.cloud.agent.api.GetHostStatsAnswer',
  'com.cloud.agent.api.StartupStorageCommand',
  'com.muster.agent.api.ConfirmAnswersCommand',
  'com.muster.agent.api.DoctorAnswer',
  'com.muster.agent.api.DoctorCommand',
  'com.muster.agent.api.KeptAnswersAnswer',
  'com.muster.agent.api.KeptAnswersCommand',
  'com.muster.server.api.LookAtJobsCommand',
  'com.muster.server.api.ServerLinkAnswer',
  'com.muster.server.api.ServerLinkCommand',
  'org.apache.cloudstack.ca.SetupCertificateAnswer',
  'org.apache.cloudstack.ca.SetupCertificateCommand',
  'org.apache.cloudstack.ca.SetupKeyStoreCommand',
  'org.apache.cloudstack.ca.SetupKeystoreAnswer',
];
/** Java left out a null that we never send. */
const NOT_OURS = ['setup-ms-list-nulls-request'];

for (const release of ['4.13', '4.23'] as const) {
  t.test(`messages: every recorded message of CloudStack ${release} has its class and decodes`, async t => {
    const failures = [];
    for (const wire of recordedPackets(release)) {
      for (const message of decodePacket(Buffer.from(wire.hex, 'hex')).messages) {
        const type = byName.get(message.type);
        if (type === undefined) {
          failures.push(`${wire.name}: ${message.type} has no class`);
          continue;
        }
        const decoded: Record<string, unknown> = type.decode(message);
        // Each recorded field that the class knows is there, unchanged.
        for (const [name, value] of Object.entries(message.fields)) {
          if (name in decoded && decoded[name] !== value) failures.push(`${wire.name}: ${name}`);
        }
      }
    }
    t.same(failures, []);
  });
}

t.test('messages: what CloudStack 4.23 wrote is what we write, field by field in order', async t => {
  const failures = [];
  const same = new Set<string>();
  const recorded = [
    ...recordedPackets('4.23').filter(({ name }) => !NOT_OURS.includes(name)),
    // Long bodies are cut in the session.
    ...recordedSession().flatMap(({ n, content }) => (content.endsWith('…') ? [] : { name: `session ${n}`, content })),
  ];
  for (const { name, content } of recorded) {
    for (const message of decodeBody(PLAIN, Buffer.from(content))) {
      const type = byName.get(message.type);
      const decoded: Record<string, unknown> | undefined = type?.decode(message);
      if (!type || !decoded) continue;
      const unknown = Object.keys(message.fields).filter(name => name !== 'contextMap' && !(name in decoded));
      if (unknown.length > 0) continue;
      const encoded = encodeJson(type.encode(decoded as Record<string, never>).fields);
      if (encoded === encodeJson(message.fields)) same.add(message.type);
      else failures.push(`${name}: ${encoded}`);
    }
  }
  t.same(failures, []);
  t.same(
    TYPES.map(({ type }) => type)
      .filter(type => !same.has(type))
      .sort(),
    UNPROVEN,
    'classes that no recording proves',
  );
});

t.test('messages: missing primitives get the defaults of Java, missing references stay undefined', async t => {
  const startup = messages.StartupRoutingCommand.decode({ type: messages.StartupRoutingCommand.type, fields: {} });
  t.match(startup, { cpus: 0, memory: 0, poolSync: false, connectionTransferred: false, wait: 0 });
  t.match(startup, { id: undefined, guid: undefined, hostTags: undefined, msHostList: undefined });
  t.equal(messages.PingAnswer.decode({ type: messages.PingAnswer.type, fields: {} }).sendStartup, false);
  t.equal(messages.Answer.decode({ type: messages.Answer.type, fields: {} }).result, false);
});

t.test('messages: null is what a missing field is', async t => {
  const decoded = messages.ReadyCommand.decode({
    type: messages.ReadyCommand.type,
    fields: { hostId: null, msHostList: null, wait: null, _details: null },
  });
  t.match(decoded, { hostId: undefined, msHostList: undefined, wait: 0, _details: undefined });
});

t.test('messages: unknown fields are ignored, inherited ones are not seen', async t => {
  const fields = Object.assign(Object.create(null), { unknown: [1], __proto__: { reason: 'inherited' } });
  t.equal(messages.ShutdownCommand.decode({ type: messages.ShutdownCommand.type, fields }).reason, undefined);
});

t.test(
  'messages: what is left out is written as Java does: primitives with defaults, references not at all',
  async t => {
    t.equal(
      encodeJson(messages.SetupMSListCommand.encode({ msList: ['a'], avoidMsList: [] }).fields),
      '{"msList":["a"],"avoidMsList":[],"triggerHostLb":false,"contextMap":{},"wait":0,"bypassHostMaintenance":false}',
    );
    t.equal(
      encodeJson(messages.Answer.encode({ result: true }).fields),
      '{"result":true,"contextMap":{},"wait":0,"bypassHostMaintenance":false}',
    );
  },
);

t.test('messages: a known field of the wrong type is an error that names it', async t => {
  const wrong = [];
  for (const [type, name, values] of [
    [messages.StartupRoutingCommand, 'cpus', ['8', 1.5, true, [], {}, 2n ** 53n, Number.NaN]],
    [messages.StartupRoutingCommand, 'guid', [1, true, [], {}]],
    [messages.StartupRoutingCommand, 'connectionTransferred', ['true', 0, {}]],
    [messages.StartupRoutingCommand, 'id', ['1', {}]],
    [messages.StartupRoutingCommand, 'hostTags', ['a', {}]],
    [messages.StartupRoutingCommand, 'hostDetails', ['a', [], 1]],
    [messages.ReadyCommand, 'msHostList', ['a,b', ['a', 1], [null], {}]],
    [messages.ReadyCommand, 'enableHumanReadableSizes', [1, 'x']],
    [messages.PingAnswer, '_command', [[], 'x', 1]],
    [messages.Answer, 'result', ['true', 1]],
  ] as const) {
    for (const value of values) {
      try {
        (type as unknown as AnyType).decode({ type: type.type, fields: { [name]: value } });
        wrong.push(`${name}=${String(value)}`);
      } catch (error) {
        const { code, context } = error as { code: string; context: unknown };
        if (code !== 'MESSAGE_FIELD' || encodeJson(context) !== encodeJson({ type: type.type, field: name })) {
          wrong.push(`${name}: ${String(error)}`);
        }
      }
    }
  }
  t.same(wrong, []);
});
