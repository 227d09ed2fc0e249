import t from 'tap';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import { FLAG, type Message, type Packet } from '../../src/protocol/index.js';
import { settle } from '../../src/testing/fake-clock.js';
import type { FakeLink, FakeServer } from '../../src/testing/fake-server.js';
import { recordedSession, type SessionPacket } from '../../src/testing/recorded-packets.js';
import { bench, passes } from '../helpers/agent-bench.js';
import { until } from '../helpers/until.js';

const messagesOf = ({ content }: SessionPacket): Message[] =>
  content.endsWith('…')
    ? // The recording has only the beginning of three large ones, which all are of this class.
      [
        {
          type: 'com.cloud.agent.api.SetHostParamsCommand',
          fields: { params: { filler: 'x'.repeat(20_000) }, contextMap: {}, wait: 0 },
        },
      ]
    : (JSON.parse(content) as Record<string, Record<string, unknown>>[]).map(entry => {
        const [[type, fields] = ['', {}]] = Object.entries(entry);
        return { type, fields };
      });

/** What of a packet must be as recorded; what says which machine it was is not. */
const comparable = (packet: Packet | SessionPacket, messages: readonly Message[]) => ({
  flags: packet.flags,
  sequence: String(packet.sequence),
  mgmtId: String(packet.mgmtId),
  agentId: String(packet.agentId),
  via: String(packet.via),
  messages: JSON.parse(JSON.stringify(messages.map(({ type, fields }) => [type, fields]))),
});

t.test('replay: our agent answers a recorded CloudStack 4.23 server as the real agent did', async t => {
  const session = recordedSession();
  const moves = session.findIndex(({ message, n }) => message === 'StartupRoutingCommand' && n > 1);
  const { agent, a, b, clock, text } = await bench(t, {
    file: 'guid=g\nhost=127.0.0.1\nzone=1\npod=1\ncluster=1\n',
    names: { '127.0.0.1': '10.0.0.1', '127.0.0.2': '10.0.0.2' },
    // As the recorded one, it knows no command of its own.
    resource: { ...builtInResource('R'), answer: () => undefined },
  });
  const differences: string[] = [];
  let compared = 0;

  /** The server's part of the recording; the agent's answers are compared with those recorded. */
  const play = (part: readonly SessionPacket[]) => async (link: FakeLink, startup: Packet) => {
    for (const recorded of part) {
      const messages = messagesOf(recorded);
      if (recorded.sender === 'agent') continue;
      if (recorded.message === 'StartupAnswer') {
        link.link.answer(startup, messages, { mgmtId: BigInt(recorded.mgmtId), via: -1n });
      } else if (isRequest(recorded)) {
        const answer = await exact(link, recorded, messages);
        const expected = part.find(
          ({ sender, sequence, message }) =>
            sender === 'agent' && sequence === recorded.sequence && message !== 'StartupRoutingCommand',
        );
        if (expected) {
          compared++;
          const [was, is] = [comparable(expected, messagesOf(expected)), comparable(answer, answer.messages)];
          if (JSON.stringify(was) !== JSON.stringify(is))
            differences.push(
              `${recorded.n} ${recorded.message}\n was ${JSON.stringify(was)}\n is  ${JSON.stringify(is)}`,
            );
        }
      }
    }
    link.isReady = true;
  };
  for (const [server, part] of [
    [a, session.slice(0, moves)],
    [b, session.slice(moves)],
  ] as [FakeServer, SessionPacket[]][]) {
    server.pingInterval = 5;
    server.onStartup = play(part);
  }
  agent.start();
  await until(() => agent.state.phase.kind === 'idle');
  await settle();
  t.same(differences, []);
  t.equal(compared, session.filter(({ sender, message }) => sender === 'agent' && message.includes('Answer')).length);

  // What the agent says of its own accord.
  const startups = session.filter(({ message }) => message === 'StartupRoutingCommand');
  for (const [index, server] of [a, b].entries()) {
    const [recorded, sent] = [startups[index], server.last.requests[0]];
    t.match(sent, {
      flags: recorded?.flags,
      mgmtId: -1n,
      agentId: BigInt(recorded?.agentId ?? 0),
      via: BigInt(recorded?.via ?? 0),
    });
    const was = recorded ? (messagesOf(recorded)[0]?.fields ?? {}) : {};
    const is = sent?.messages[0]?.fields ?? {};
    // `iqn` is that of a machine with iSCSI; `muster` is Muster's own.
    t.same(
      Object.keys(is).filter(key => key !== 'muster'),
      Object.keys(was).filter(key => key !== 'iqn'),
      'the same fields in the same order',
    );
    for (const key of [
      'dataCenter',
      'pod',
      'cluster',
      'id',
      'msHostList',
      'connectionTransferred',
      'wait',
      'contextMap',
    ]) {
      t.same(is[key], was[key], key);
    }
  }
  await until(() => text().includes('zone=\n'), 'the host was removed');
  const pings = b.last.requests.length - 1;
  t.equal(pings, 1, 'the one after the move');
  await passes(clock, () => clock.now() >= 20_000, 20_000);
  t.equal(b.last.requests.length - 1, pings, 'an agent that was shut down is silent');
});

const isRequest = ({ flags }: SessionPacket) => (flags & FLAG.request) !== 0;

/** A request with the recorded header. */
async function exact(link: FakeLink, recorded: SessionPacket, messages: readonly Message[]): Promise<Packet> {
  link.sequence = BigInt(recorded.sequence) - 1n;
  return link.link.request(
    messages,
    {
      flags: recorded.flags & ~FLAG.gzip,
      mgmtId: BigInt(recorded.mgmtId),
      agentId: BigInt(recorded.agentId),
      via: BigInt(recorded.via),
    },
    60_000,
  );
}
