import t from 'tap';
import { startupCommands } from '../../../src/agent/resources/startup-commands.js';
import { kvmResource } from '../../../src/fleet/kvm/kvm-resource.js';
import { decodePacket, FLAG, type Message, UnsupportedAnswer } from '../../../src/protocol/index.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { recordedPackets, recordedSession } from '../../../src/testing/recorded-packets.js';
import { bench } from '../../helpers/agent-bench.js';

// The simulated KVM host, held against the packets of real CloudStack programs.

const HOST = {
  ...{ name: 'kvm-1', number: 1, address: '10.1.1.5', netmask: '255.255.255.0', hardwareAddress: '8a:d2:54:3f:7c:c3' },
};
const resource = (vms = 0) => kvmResource({ host: HOST, vms, clock: new FakeClock() });
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

t.test('recorded: Startup has the fields of a real KVM host, in their order, and of the same types', async t => {
  const [recorded] = recordedSession();
  const was: Record<string, unknown> = plain(
    JSON.parse(recorded?.content ?? '')[0]['com.cloud.agent.api.StartupRoutingCommand'],
  );
  const own = { dataCenter: '1', pod: '1', cluster: '1', guid: 'g', version: 'v', resourceName: 'r', msHostList: 'm' };
  const [routing, storage] = startupCommands(await resource().startup(), own);
  const is: Record<string, unknown> = plain(routing?.fields);
  t.strictSame(Object.keys(is), Object.keys(was));
  const types = (fields: Record<string, unknown>) => Object.entries(fields).map(([key, value]) => [key, typeof value]);
  t.strictSame(types(is), types(was));
  t.strictSame(Object.keys(is.hostDetails as object), Object.keys(was.hostDetails as object));
  t.match(is, { hypervisorType: 'KVM', type: 'Routing', name: 'kvm-1', privateIpAddress: '10.1.1.5' });

  const packet = recordedPackets('4.13').find(({ name }) => name === 'startup-storage-request');
  const wasStorage: Record<string, Record<string, unknown>> = JSON.parse(packet?.content ?? '')[1][
    'com.cloud.agent.api.StartupStorageCommand'
  ];
  const isStorage = plain(storage?.fields);
  t.equal(storage?.type, 'com.cloud.agent.api.StartupStorageCommand');
  t.strictSame(
    Object.keys(wasStorage).filter(key => !(key in isStorage)),
    [],
  );
  t.strictSame(types(isStorage.poolInfo), types(wasStorage.poolInfo as Record<string, unknown>));
  t.match(isStorage, { resourceType: 'STORAGE_POOL', type: 'Storage', poolInfo: { poolType: 'Filesystem' } });
});

t.test('recorded: a ping reports VMs as a real one does', async t => {
  const packet = recordedSession().find(({ message }) => message === 'PingRoutingCommand');
  const was = JSON.parse(packet?.content ?? '')[0]['com.cloud.agent.api.PingRoutingCommand']._hostVmStateReport;
  const { _hostVmStateReport: is } = ((await resource(2).ping?.()) ?? {}) as {
    _hostVmStateReport: Record<string, object>;
  };
  const [[recordedName = '', recorded] = []] = Object.entries<object>(was);
  t.strictSame(Object.keys(is).length, 2);
  for (const [name, report] of Object.entries(is)) {
    t.match(name, /^i-\d+-\d+-VM$/);
    t.match(recordedName, /^i-\d+-\d+-VM$/);
    t.strictSame(Object.keys(report), Object.keys(recorded ?? {}));
    t.match(report, { state: 'PowerOn', host: 'kvm-1' });
  }
  t.strictSame(await resource().ping?.(), { _hostVmStateReport: {} });
});

/** What changes the link itself is played in test/agent/replay.test.ts. */
const OF_LINKS = /ready|shutdown|migrate|setup-ms-list/;

for (const release of ['4.13', '4.23'] as const) {
  t.test(`recorded: what a server of ${release} asks is known, and answered as the real agent did`, async t => {
    const { agent, a, upOn } = await bench(t, { file: 'guid=g\nhost=a\n', resource: resource() });
    agent.start();
    await upOn(a);
    const packets = recordedPackets(release);
    const requests = packets.filter(({ name, hex }) => {
      const { flags } = decodePacket(Buffer.from(hex, 'hex'));
      return (flags & FLAG.fromServer) !== 0 && (flags & FLAG.request) !== 0 && !OF_LINKS.test(name);
    });
    t.ok(requests.length >= 8, `${requests.length} requests`);
    let compared = 0;
    for (const { name, hex } of requests) {
      const { messages } = decodePacket(Buffer.from(hex, 'hex'));
      const answers = (await a.last.send(messages)).messages;
      t.strictSame(
        answers.filter(({ type }) => type === UnsupportedAnswer.type),
        [],
        name,
      );
      const recorded = packets.find(other => other.name === name.replace(/-request$/, '-answer'));
      // Those are answers of agents that were told to fail, or do not know the class.
      if (recorded === undefined || /^(failed|unsupported|batch-stop)/.test(name)) continue;
      compared++;
      const was = decodePacket(Buffer.from(recorded.hex, 'hex')).messages;
      t.strictSame(shapesOf(answers), shapesOf(was), name);
    }
    t.ok(compared >= 3, `${compared} answers`);
    await settle();
  });
}

t.test(
  'recorded: what a server asks in a session is answered as the real agent did, and host statistics beside',
  async t => {
    const { agent, a, upOn } = await bench(t, { file: 'guid=g\nhost=a\n', resource: resource() });
    agent.start();
    await upOn(a);
    const session = recordedSession();
    const about: string[] = [];
    for (const { sender, flags, sequence, content, message } of session) {
      const isAsked = sender === 'mgmt' && (flags & FLAG.request) !== 0 && !content.endsWith('…');
      if (!isAsked || /^(Ready|Shutdown|SetupMSList|Migrate)/.test(message)) continue;
      const answers = (await a.last.send(messagesIn(content), flags)).messages;
      if (message.startsWith('GetHostStatsCommand')) {
        t.match(answers[0], {
          type: /GetHostStatsAnswer$/,
          fields: { result: true, hostStats: { entityType: 'host' } },
        });
        continue;
      }
      const recorded = session.find(other => other.sender === 'agent' && other.sequence === sequence);
      t.strictSame(shapesOf(answers), shapesOf(messagesIn(recorded?.content ?? '[]')), message);
      about.push(message);
    }
    t.strictSame(
      [
        'CheckNetworkCommand',
        'SetHostParamsCommand',
        'CheckHealthCommand',
        'MaintainCommand',
        'AgentControlCommand',
      ].filter(message => !about.includes(message)),
      [],
    );
  },
);

function messagesIn(content: string): Message[] {
  return (JSON.parse(content) as Record<string, Record<string, unknown>>[]).map(entry => {
    const [[type, fields] = ['', {}]] = Object.entries(entry);
    return { type, fields };
  });
}

/** Without what only 4.23 has. */
function shapesOf(messages: readonly Message[]) {
  return plain(messages.map(({ type, fields: { bypassHostMaintenance: _, ...fields } }) => ({ type, fields })));
}
