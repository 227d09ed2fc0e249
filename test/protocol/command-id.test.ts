import t from 'tap';
import {
  Answer,
  agentOutcomeOf,
  CheckHealthCommand,
  ConfirmAnswersCommand,
  commandIdOf,
  decodePacket,
  encodePacket,
  FLAG,
  GetHostStatsAnswer,
  GetHostStatsCommand,
  KeptAnswersAnswer,
  KeptAnswersCommand,
  keptMessages,
  type Message,
  RawJson,
  ReadyCommand,
  StartupRoutingCommand,
  withCommandId,
} from '../../src/protocol/index.js';

/** As the other side reads it. */
function travelled(...messages: readonly Message[]): readonly Message[] {
  const header = { version: 0, flags: FLAG.request, sequence: 1n, mgmtId: -1n, agentId: 7n, via: 7n };
  return decodePacket(encodePacket({ ...header, messages })).messages;
}

t.test('command id: it travels in the first command of a packet, and stands for all of it', async t => {
  const id = { commandId: 'job-5/7:a_b.c', expiresInMs: 600_000 };
  const sent = withCommandId([GetHostStatsCommand.encode({ hostId: 7 }), CheckHealthCommand.encode({ wait: 5 })], id);
  const [first, second] = travelled(...sent);
  t.same(commandIdOf([first, second] as Message[]), id);
  t.equal(first?.fields.hostId, 7);
  t.notOk('muster' in (second?.fields ?? {}));
  t.equal(commandIdOf([second] as Message[]), undefined);
  t.equal(commandIdOf([]), undefined);
  t.same(withCommandId([], id), []);
});

t.test('command id: commands of CloudStack have none, nor those with another field of Muster', async t => {
  for (const muster of [undefined, null, {}, { version: '0.1' }]) {
    t.equal(commandIdOf([{ type: 'x', fields: { muster } }]), undefined);
  }
});

t.test('command id: one that cannot be used is an error, and no missing one', async t => {
  for (const muster of [
    7,
    [],
    'x',
    { commandId: 7, expiresInMs: 1 },
    { commandId: '', expiresInMs: 1 },
    { commandId: 'a b', expiresInMs: 1 },
    { commandId: 'a\n', expiresInMs: 1 },
    { commandId: 'a'.repeat(201), expiresInMs: 1 },
    { commandId: 'a' },
    { commandId: 'a', expiresInMs: '1' },
    { commandId: 'a', expiresInMs: 1.5 },
  ]) {
    t.throws(() => commandIdOf([{ type: 'x', fields: { muster } }]), { code: 'MESSAGE_FIELD' }, JSON.stringify(muster));
  }
  t.throws(() => withCommandId([], { commandId: 'a b', expiresInMs: 1 }), RangeError);
});

t.test('command id: what an agent says became of it', async t => {
  const said = (outcome: unknown) => ({ type: Answer.type, fields: { result: false, muster: { outcome } } });
  t.equal(agentOutcomeOf([said('refused')]), 'refused');
  t.equal(agentOutcomeOf([said('unknown')]), 'unknown');
  for (const other of ['answered', 7, undefined]) t.equal(agentOutcomeOf([said(other)]), undefined);
  t.equal(agentOutcomeOf([Answer.encode({ result: false })]), undefined);
  t.equal(agentOutcomeOf([]), undefined);
});

t.test('kept answers: a round trip, of answers as text and as values', async t => {
  const answers = [Answer.encode({ result: true, details: 'a=b' }), GetHostStatsAnswer.encode({ result: true })];
  const body = answers.map(({ type, fields }) => ({ [type]: fields }));
  const [command] = travelled(
    KeptAnswersCommand.encode({
      kept: [
        { commandId: 'one', answers: new RawJson(JSON.stringify(body)) },
        { commandId: 'two', answers: body },
        { commandId: 'three', unknown: 'the process ended while it ran' },
      ],
    }),
  );
  t.ok(command && KeptAnswersCommand.is(command));
  const { kept = [] } = KeptAnswersCommand.decode(command as Message);
  t.same(
    kept.map(({ commandId, unknown }) => [commandId, unknown]),
    [
      ['one', undefined],
      ['two', undefined],
      ['three', 'the process ended while it ran'],
    ],
  );
  for (const { answers: received } of kept.slice(0, 2)) t.same(keptMessages(received ?? []), answers);
  t.same(keptMessages(new RawJson(JSON.stringify(body))), answers);
  for (const wrong of [[7], [{}], [{ a: {}, b: {} }], [{ a: null }]]) {
    t.throws(() => keptMessages(wrong), { code: 'BODY_SHAPE' });
  }
  for (const wrong of [7, {}, [7], [{ commandId: 7 }], [{ commandId: 'a', answers: {} }]]) {
    const message = { type: KeptAnswersCommand.type, fields: { kept: wrong } };
    t.throws(() => KeptAnswersCommand.decode(message), { code: 'MESSAGE_FIELD' }, JSON.stringify(wrong));
  }
  const [taken] = travelled(KeptAnswersAnswer.encode({ taken: ['one'], result: true }));
  t.same(KeptAnswersAnswer.decode(taken as Message).taken, ['one']);
  const [confirmed] = travelled(ConfirmAnswersCommand.encode({ commandIds: ['one', 'two'] }));
  t.same(ConfirmAnswersCommand.decode(confirmed as Message).commandIds, ['one', 'two']);
});

t.test('host stats: as CloudStack writes doubles, and as we do', async t => {
  const hostStats = { hostId: 7, entityType: 'host', cpuUtilization: 12.5, averageLoad: 0, totalMemoryKBs: 2 ** 40 };
  const [ours] = travelled(GetHostStatsAnswer.encode({ hostStats, result: true }));
  t.match(GetHostStatsAnswer.decode(ours as Message).hostStats, hostStats);
  const java = Buffer.from(`[{"${GetHostStatsAnswer.type}":{"hostStats":{"cpuUtilization":1.0,"averageLoad":1e3}}}]`);
  const packet = encodePacket({ version: 0, flags: 0, sequence: 1n, mgmtId: 1n, agentId: 7n, via: 7n, messages: [] });
  const [theirs] = decodePacket(Buffer.concat([packet.subarray(0, 40), java])).messages;
  const { cpuUtilization, averageLoad } = GetHostStatsAnswer.decode(theirs as Message).hostStats ?? {};
  t.same([Number(cpuUtilization), Number(averageLoad)], [1, 1000]);
  const wrong = { type: GetHostStatsAnswer.type, fields: { hostStats: { cpuUtilization: 'much' } } };
  t.throws(() => GetHostStatsAnswer.decode(wrong), { code: 'MESSAGE_FIELD' });
});

t.test('capabilities: both sides name theirs, and ignore what is none', async t => {
  const [startup] = travelled(StartupRoutingCommand.encode({ muster: { capabilities: ['commandIds'] } }));
  t.same(StartupRoutingCommand.decode(startup as Message).muster?.capabilities, ['commandIds']);
  const [ready] = travelled(ReadyCommand.encode({ muster: { capabilities: ['keptAnswers', 'other'] } }));
  t.same(ReadyCommand.decode(ready as Message).muster?.capabilities, ['keptAnswers', 'other']);
});
