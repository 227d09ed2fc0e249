import t from 'tap';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import {
  Answer,
  LIMITS,
  type Message,
  PingAnswer,
  ReadyCommand,
  SetupMSListCommand,
  StartupAnswer,
} from '../../src/protocol/index.js';
import { settle } from '../../src/testing/fake-clock.js';
import { bench } from '../helpers/agent-bench.js';
import { unfitTexts } from '../helpers/unfit-texts.js';
import { until } from '../helpers/until.js';

/** What no server says: long, and with characters that hide or break what stands beside them. */
const BAD = 'x\u202e\u0085\u2028\u0007'.repeat(5_000);

t.test('peer texts: nothing that a server says reaches an answer, the log or the file as it is', async t => {
  const { agent, a, upOn, log, text } = await bench(t, { file: 'guid=g\nhost=a\n' });
  agent.start();
  await upOn(a);
  a.last.link.raiseLimits();
  const identity = { hostId: 7, hostUuid: BAD, hostName: BAD };
  const asked: Message[] = [
    { type: `com.example.${BAD}`, fields: {} },
    { type: ReadyCommand.type, fields: { hostId: BAD } },
    SetupMSListCommand.encode({ msList: [BAD, 'b c', BAD], avoidMsList: [BAD], lbAlgorithm: BAD, lbCheckInterval: -5 }),
    SetupMSListCommand.encode({ msList: ['a'], lbAlgorithm: 'x'.repeat(100_000), lbCheckInterval: 2 ** 53 - 1 }),
    SetupMSListCommand.encode({ msList: Array(10_000).fill('a'), lbAlgorithm: 'static' }),
    ReadyCommand.encode({ ...identity, msHostList: ['a'], lbAlgorithm: 'static' }),
  ];
  for (const message of asked) {
    const { messages } = await a.last.send([message], 0);
    t.same(unfitTexts(messages), [], message.type.slice(0, 60));
  }
  await settle();
  await until(() => text().includes('R.name'));
  t.same(unfitTexts(log.entries), []);
  t.same(text().split('\n').flatMap(unfitTexts), []);
});

t.test('peer texts: a refusal is said in few words, wherever it stands', async t => {
  for (const say of [
    { answer: StartupAnswer.encode({ result: false, details: BAD }) },
    { answer: { type: BAD, fields: {} } },
    { answer: Answer.encode({ result: true, details: BAD }) },
    { ready: ReadyCommand.encode({ _details: BAD }) },
    { answer: StartupAnswer.encode({ result: true, hostId: 7, hostName: BAD, hostUuid: BAD, pingInterval: 5 }) },
  ]) {
    const { agent, a, log, clock } = await bench(t, { file: 'guid=g\nhost=a\nbackoff.seconds=1\n' });
    a.onStartup = (link, startup) => {
      if (say.answer) link.link.answer(startup, [say.answer]);
      if (say.ready) void link.send([say.ready], 0).catch(() => {});
    };
    agent.start();
    await settle();
    await clock.advance(1_000);
    t.same(unfitTexts(log.entries), []);
    await agent.stop();
  }
});

t.test('peer texts: an answer of a resource that is too large becomes result=false, and the link stays', async t => {
  const machine = builtInResource('R');
  const resource = {
    ...machine,
    answer: ({ type }: Message) =>
      type === 'a.Large'
        ? Answer.encode({ result: true, details: 'x'.repeat(LIMITS.packetBytes) })
        : PingAnswer.encode({ result: true }),
  };
  const { agent, a, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  const [large] = (await a.last.send([{ type: 'a.Large', fields: {} }], 0)).messages;
  t.match(large, { type: Answer.type, fields: { result: false, details: /too large/ } });
  const [small] = (await a.last.send([{ type: 'a.Small', fields: {} }], 0)).messages;
  t.match(small, { fields: { result: true } });
});
