import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { builtInResource } from '../../../src/agent/resources/built-in.js';
import { type CommandHandler, defineResource } from '../../../src/agent/resources/define-resource.js';
import type { CommandContext } from '../../../src/agent/resources/resource.js';
import {
  agentOutcomeOf,
  CancelCommand,
  ConfirmAnswersCommand,
  FLAG,
  KeptAnswersAnswer,
  KeptAnswersCommand,
  keptMessages,
  LIMITS,
  type Message,
  MigrateAgentConnectionCommand,
  type Packet,
  PingRoutingCommand,
  ReadyCommand,
  StartupRoutingCommand,
  withCommandId,
} from '../../../src/protocol/index.js';
import { type FakeClock, settle } from '../../../src/testing/fake-clock.js';
import type { FakeLink, FakeServer } from '../../../src/testing/fake-server.js';
import { bench, passes } from '../../helpers/agent-bench.js';
import { until } from '../../helpers/until.js';

const MINUTE = 60_000;
const DO = 'com.example.DoCommand';
/** Packets that do not wait for each other. */
const AT_ONCE = FLAG.stopOnError;

/** A packet with an id. */
function once(commandId: string, type = DO, fields: Record<string, unknown> = {}): readonly Message[] {
  return withCommandId([{ type, fields }], { commandId, expiresInMs: 10 * MINUTE });
}

/** A resource whose commands end when the test says so. */
function patient() {
  const begun: { fields: Readonly<Record<string, unknown>>; context: CommandContext; end(): void }[] = [];
  const handler: CommandHandler = (fields, context) =>
    new Promise(resolve => {
      begun.push({ fields, context, end: () => resolve({ result: true, run: begun.length }) });
    });
  return { begun, resource: defineResource({ name: 'R', startup: () => ({}), commands: { [DO]: handler } }) };
}

/** Makes a server one of Muster's, which takes kept answers. @returns what it was offered */
function takesKept(server: FakeServer, takes: (id: string) => boolean = () => true): string[] {
  // It takes large packets from the moment at which it says so.
  const { onStartup } = server;
  server.onStartup = (link, startup) => {
    link.link.raiseLimits();
    return onStartup(link, startup);
  };
  server.list = { ...server.list, muster: { capabilities: ['keptAnswers'] } };
  const offered: string[] = [];
  const taken = new WeakSet<Packet>();
  server.onRequest = (link, request) => {
    const [message] = request.messages;
    if (message === undefined || !KeptAnswersCommand.is(message) || taken.has(request)) return;
    taken.add(request);
    const { kept = [] } = KeptAnswersCommand.decode(message);
    for (const { commandId = '', answers, unknown } of kept) {
      const results = answers && keptMessages(answers).map(({ fields }) => fields.result);
      offered.push(`${commandId} ${unknown === undefined ? results : 'unknown'}`);
    }
    const ids = kept.flatMap(({ commandId = '' }) => (takes(commandId) ? commandId : []));
    link.link.answer(request, [KeptAnswersAnswer.encode({ taken: ids, result: true })]);
  };
  return offered;
}

const details = ({ messages }: Packet) => String(messages[0]?.fields.details);

t.test('commands: an agent says that it takes ids, and carries one out once', async t => {
  const { resource, begun } = patient();
  const { agent, a, upOn, folder } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  const startup = a.last.of(StartupRoutingCommand)[0]?.messages[0] as Message;
  t.same(StartupRoutingCommand.decode(startup).muster?.capabilities, ['cancel', 'doctor', 'commandIds']);
  const first = a.last.send(once('one'), AT_ONCE);
  await until(() => begun.length === 1);
  const file = join(folder, 'commands.journal');
  t.match(readFileSync(file, 'utf8'), /\{"started":"one"\}/, 'it is on disk when the command begins');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(begun[0]?.context.id, 'one');
  const second = a.last.send(once('one'), AT_ONCE);
  begun[0]?.end();
  for (const answer of [await first, await second, await a.last.send(once('one'), AT_ONCE)]) {
    t.match(answer.messages, [{ type: 'com.example.DoAnswer', fields: { result: true, run: 1 } }]);
    t.equal(agentOutcomeOf(answer.messages), undefined);
  }
  t.equal(begun.length, 1);
  await a.last.send([ConfirmAnswersCommand.encode({ commandIds: ['one', 'another'] })]);
  const late = await a.last.send(once('one'), AT_ONCE);
  t.equal(agentOutcomeOf(late.messages), 'unknown');
  t.match(details(late), /were carried out before/);
});

t.test('commands: what cannot be taken is refused, in words, and every command of the packet is answered', async t => {
  const { resource, begun } = patient();
  const { agent, a, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  const muster = (fields: Record<string, unknown>) => [
    { type: DO, fields: { muster: fields } },
    { type: DO, fields: {} },
  ];
  for (const [messages, why] of [
    [muster({ commandId: 'a b', expiresInMs: 1 }), /must have a commandId/],
    [muster({ commandId: 'a' }), /expiresInMs/],
    [muster({ commandId: 'a', expiresInMs: 0 }), /time of its id is over/],
    [muster({ commandId: 'a', expiresInMs: 2 * 60 * MINUTE }), /longer than this agent remembers/],
    [withCommandId([ReadyCommand.encode({ hostId: 7 })], { commandId: 'a', expiresInMs: 1 }), /links have no id/],
    [[...once('a'), ReadyCommand.encode({ hostId: 7 })], /links have no id/],
  ] as const) {
    const answer = await a.last.send(messages);
    t.equal(agentOutcomeOf(answer.messages), 'refused');
    t.equal(answer.messages.length, messages.length);
    t.match(details(answer), why);
  }
  t.equal(begun.length, 0);
});

t.test('commands: a packet with an id stops at the first failure where the server wants that', async t => {
  const commands = { [DO]: () => ({ result: true }), 'com.example.FailCommand': () => ({ result: false }) };
  const { agent, a, upOn } = await bench(t, { resource: defineResource({ name: 'R', commands }) });
  agent.start();
  await upOn(a);
  const fail = { type: 'com.example.FailCommand', fields: {} };
  const packet = [...once('one'), fail, { type: DO, fields: {} }, { type: 'com.example.NoneCommand', fields: {} }];
  const stopped = await a.last.send(packet, FLAG.stopOnError);
  t.same(
    stopped.messages.map(({ fields }) => fields.result),
    [true, false, false, false],
  );
  t.equal(stopped.messages[3]?.fields.details, 'Stopped by previous failure');
  t.same((await a.last.send(packet, 0)).messages, stopped.messages, 'and it is what it was');
});

t.test('commands: without a journal entry nothing is carried out', async t => {
  const { resource, begun } = patient();
  const { agent, a, upOn, folder } = await bench(t, { resource });
  mkdirSync(join(folder, 'commands.journal'));
  agent.start();
  await upOn(a);
  const refused = await a.last.send(once('one'), AT_ONCE);
  t.equal(agentOutcomeOf(refused.messages), 'refused');
  t.match(details(refused), /cannot be written to the journal of commands: .*not a regular file/);
  t.equal(begun.length, 0);
  const running = a.last.send([{ type: DO, fields: {} }]);
  await until(() => begun.length === 1);
  begun[0]?.end();
  t.match((await running).messages, [{ fields: { result: true } }], 'a command without an id is carried out');
});

t.test('commands: in sequence, one after another, also over two links', async t => {
  const { resource, begun } = patient();
  const { agent, a, b, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  a.last.send(once('one')).catch(() => {});
  a.last.send(once('lost')).catch(() => {});
  await until(() => begun.length === 1);
  a.die();
  await upOn(b, 2_000);
  const again = b.last.send(once('one'));
  const next = b.last.send(once('two'));
  const beside = b.last.send(once('beside'), AT_ONCE);
  await until(() => begun.length === 2);
  await settle();
  t.same(
    begun.map(({ context }) => context.id),
    ['one', 'beside'],
    'another server is not told that the one before is still in progress',
  );
  for (const run of begun) run.end();
  await again;
  await beside;
  await until(() => begun.length === 3);
  begun[2]?.end();
  await next;
  t.equal(begun[2]?.context.id, 'two', 'what has waited on a link that has ended is not carried out');
  t.equal(agentOutcomeOf((await b.last.send(once('two'))).messages), undefined);
});

t.test('commands: one that the server cancels ends by its signal, and is answered', async t => {
  const obedient: CommandHandler = (_fields, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const { begun, resource: stubborn } = patient();
  const resource = {
    ...defineResource({ name: 'R', startup: () => ({}), commands: { 'com.example.ObeyCommand': obedient } }),
  };
  const both = {
    ...resource,
    answer: (...args: Parameters<typeof resource.answer>) => resource.answer(...args) ?? stubborn.answer(...args),
  };
  const { agent, a, upOn } = await bench(t, { resource: both });
  agent.start();
  await upOn(a);
  const cancel = (sequence: bigint) =>
    a.last.link.post([CancelCommand.encode({ sequence, reason: 'enough' })], {
      ...{ flags: FLAG.control, mgmtId: a.msid, agentId: 7n, via: 7n },
    });
  const OBEY = 'com.example.ObeyCommand';
  const packets = [
    () => a.last.send(once('one', OBEY), AT_ONCE),
    () => a.last.send([{ type: OBEY, fields: {} }], AT_ONCE),
    () => a.last.send([...once('two', OBEY), { type: OBEY, fields: {} }], 0),
  ];
  for (const send of packets) {
    const answer = send();
    const { sequence } = a.last;
    await settle();
    cancel(sequence);
    for (const { fields } of (await answer).messages) {
      t.match(fields, { result: false, details: 'cancelled by the server: enough' });
    }
  }
  const stays = a.last.send(once('three'), AT_ONCE);
  await until(() => begun.length === 1);
  cancel(a.last.sequence);
  cancel(a.last.sequence - 1n);
  await until(() => begun[0]?.context.signal.aborted === true);
  await settle();
  begun[0]?.end();
  t.match((await stays).messages, [{ fields: { result: true } }], 'what it says counts');
  a.last.send(once('four'), FLAG.inSequence).catch(() => {});
  const waiting = a.last.send(once('five'), FLAG.inSequence);
  await until(() => begun.length === 2);
  cancel(a.last.sequence);
  await settle();
  begun[1]?.end();
  t.equal(agentOutcomeOf((await waiting).messages), 'refused', 'it had not begun');
});

// ---- moves

t.test(
  'commands: a move neither waits for a command with an id nor ends it; its answer finds the new link',
  async t => {
    const { resource, begun } = patient();
    const { agent, a, b, clock, upOn } = await bench(t, { resource });
    const offered = takesKept(b);
    agent.start();
    await upOn(a);
    const asked = a.last.send(once('one'), AT_ONCE);
    asked.catch(() => {});
    await until(() => begun.length === 1);
    await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: ['a'] })]);
    await upOn(b);
    await until(() => a.last.closed !== undefined);
    t.ok(clock.now() < 1_000, 'the old link did not wait');
    t.equal(begun[0]?.context.signal.aborted, false);
    await settle();
    t.same(offered, []);
    begun[0]?.end();
    await until(() => offered.length > 0);
    t.same(offered, ['one true']);
    await settle();
    t.equal(agentOutcomeOf((await b.last.send(once('one'), AT_ONCE)).messages), 'unknown', 'it is confirmed');
    t.equal(begun.length, 1);
  },
);

t.test('commands: the check of the preferred host does not wait for a command with an id', async t => {
  const { resource, begun } = patient();
  const { agent, a, b, upOn } = await bench(t, { resource, file: 'guid=g\nhost=a,b\nhost.lb.check.interval=10\n' });
  a.behaviour = 'refuse';
  agent.start();
  await upOn(b);
  a.behaviour = 'accept';
  b.last.send(once('one'), AT_ONCE).catch(() => {});
  await until(() => begun.length === 1);
  await upOn(a, 11_000);
  const again = a.last.send(once('one'), AT_ONCE);
  begun[0]?.end();
  t.match((await again).messages, [{ fields: { result: true, run: 1 } }]);
});

t.test('commands: a lost link and a server that does not know of kept answers lose none', async t => {
  const { resource, begun } = patient();
  const { agent, a, b, c, clock, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  for (const id of ['one', 'two']) a.last.send(once(id), AT_ONCE).catch(() => {});
  await until(() => begun.length === 2);
  begun[0]?.end();
  await settle();
  a.die();
  await upOn(b, 2_000);
  begun[1]?.end();
  await clock.advance(90_000);
  await settle();
  t.equal(b.last.of(KeptAnswersCommand).length, 0, 'b is as CloudStack');
  const offered = takesKept(c);
  b.die();
  await upOn(c, 5_000);
  await until(() => offered.length >= 2);
  t.same(offered.sort(), ['one true', 'two true'], 'the first one was told, perhaps in vain');
});

t.test('commands: what is not taken, and what is not confirmed, is offered again', async t => {
  const { resource, begun } = patient();
  const { agent, a, clock, upOn } = await bench(t, { resource });
  let takes = false;
  const offered = takesKept(a, () => takes);
  agent.start();
  await upOn(a);
  const answered = a.last.send(once('one'), AT_ONCE);
  await until(() => begun.length === 1);
  begun[0]?.end();
  await answered;
  await clock.advance(59_000);
  await settle();
  t.same(offered, [], 'it was told on this link: the server has time to confirm');
  await passes(clock, () => offered.length === 1, 62_000);
  await settle();
  takes = true;
  await passes(clock, () => offered.length === 2, 62_000);
  await settle();
  await clock.advance(300_000);
  await settle();
  t.same(offered, ['one true', 'one true']);
});

t.test('commands: many kept answers come in bounded packets', async t => {
  const large = 'x'.repeat(300_000);
  const commands = { [DO]: () => ({ result: true, large }) };
  const { agent, a, b, upOn } = await bench(t, { resource: defineResource({ name: 'R', commands }) });
  agent.start();
  await upOn(a);
  a.last.link.raiseLimits();
  for (let i = 0; i < 10; i++) await a.last.send(once(`c${i}`), AT_ONCE);
  const offered = takesKept(b);
  a.die();
  await upOn(b, 2_000);
  await until(() => offered.length === 10);
  t.ok(b.last.of(KeptAnswersCommand).length >= 4);
  t.same(new Set(offered).size, 10);
});

t.test('commands: answers that a server cannot take are said to be unknown there', async t => {
  const commands = { [DO]: () => ({ result: true, large: 'x'.repeat(200_000) }) };
  const { agent, a, b, upOn } = await bench(t, { resource: defineResource({ name: 'R', commands }) });
  agent.start();
  await upOn(a);
  a.last.link.raiseLimits();
  await a.last.send(once('one'), AT_ONCE);
  const offered = takesKept(b);
  b.list = { muster: { capabilities: ['keptAnswers'], packetMax: 100_000 } };
  a.die();
  await upOn(b, 2_000);
  await until(() => offered.length > 0);
  t.same(offered, ['one unknown']);
  t.equal(b.ready.length, 1);
});

t.test('commands: the next process offers what the last one has left, finished or not', async t => {
  const { resource, begun } = patient();
  const first = await bench(t, { resource });
  first.agent.start();
  await first.upOn(first.a);
  for (const id of ['done', 'cut']) first.a.last.send(once(id), AT_ONCE).catch(() => {});
  await until(() => begun.length === 2);
  begun[0]?.end();
  await settle();
  const journal = readFileSync(join(first.folder, 'commands.journal'), 'utf8');
  const next = await bench(t, { resource, files: { 'commands.journal': journal } });
  const offered = takesKept(next.a);
  next.agent.start();
  await next.upOn(next.a);
  await until(() => offered.length === 2);
  t.same(offered.sort(), ['cut unknown', 'done true']);
  t.equal(begun.length, 2);
});

t.test('commands: what ends when the agent stops is kept; what does not is unknown to the next process', async t => {
  let begun = 0;
  const commands: Record<string, CommandHandler> = {
    [DO]: (_fields, { signal }) => {
      begun++;
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cut short'))));
    },
    'com.example.StubbornCommand': () => {
      begun++;
      return new Promise(() => {});
    },
  };
  const resource = defineResource({ name: 'R', startup: () => ({}), commands });
  const { agent, a, upOn, folder, clock } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  a.last.send(once('one'), AT_ONCE).catch(() => {});
  a.last.send(once('two', 'com.example.StubbornCommand'), AT_ONCE).catch(() => {});
  a.last.send([{ type: 'com.example.StubbornCommand', fields: {} }]).catch(() => {});
  await until(() => begun === 3);
  await agent.stop();
  const journal = readFileSync(join(folder, 'commands.journal'), 'utf8');
  t.match(journal, /"finished":"one".*cut short/);
  t.notMatch(journal, /"finished":"two"/);
  await settle();
  t.equal(clock.pending, 0, 'nothing holds the process up');
});

// ---- what a resource may do

t.test('commands: whatever a resource does is contained, and said', async t => {
  const circular: Record<string, unknown> = { result: true };
  circular.self = { circular };
  let deep: Record<string, unknown> = {};
  for (let level = 0; level < 200; level++) deep = { deep };
  const answers: Record<string, [unknown, RegExp]> = {
    Nothing: [undefined, /must answer com\.example\.Nothing by an object with result/],
    Null: [null, /it was null/],
    Number: [7, /type number/],
    List: [[], /must answer/],
    Resultless: [{ done: true }, /it was an object without it/],
    WrongResult: [{ result: 'true' }, /object without it/],
    Circular: [circular, /self\.circular\.self is a circle/],
    Deep: [{ result: true, deep }, /nests deeper than/],
    BigInt: [{ result: true, id: 2n ** 63n }, /id is beyond 64 bits/],
    Function: [{ result: true, list: [1, { call: () => 1 }] }, /list\.1\.call is a function/],
    Symbol: [{ result: true, symbol: Symbol('x') }, /symbol is a symbol/],
    NotANumber: [{ result: true, ratio: Number.NaN }, /ratio is NaN/],
    Map: [{ result: true, map: new Map() }, /map is a Map or a Set/],
    Promise: [{ result: true, later: Promise.resolve() }, /later is a promise/],
    Large: [{ result: true, text: 'x'.repeat(5 * 2 ** 20) }, /too large: at most \d{7} bytes/],
    Many: [{ result: true, list: Array(300_000).fill(0) }, /too many values/],
  };
  const commands: Record<string, CommandHandler> = {
    'com.example.Throws': () => {
      throw new Error('not today');
    },
    'com.example.Rejects': async () => Promise.reject('a text'),
    'com.example.Getter': () => ({
      result: true,
      get bad() {
        throw new Error('a getter');
      },
    }),
    'com.example.Good': () => ({ result: true, at: new Date(0), id: 2n ** 62n, none: undefined, null: null }),
  };
  for (const [name, [answer]] of Object.entries(answers)) commands[`com.example.${name}`] = () => answer as never;
  const { agent, a, log, upOn } = await bench(t, { resource: defineResource({ name: 'R', commands }) });
  agent.start();
  await upOn(a);
  const expected: Record<string, RegExp> = { Throws: /^not today$/, Rejects: /^a text$/, Getter: /^a getter$/ };
  for (const [name, [, why]] of Object.entries(answers)) expected[name] = why;
  for (const [name, why] of Object.entries(expected)) {
    for (const messages of [[{ type: `com.example.${name}`, fields: {} }], once(name, `com.example.${name}`)]) {
      const { messages: answered } = await a.last.send(messages, 0);
      t.match(answered, [{ type: 'com.cloud.agent.api.Answer', fields: { result: false, details: why } }], name);
      t.equal(log.fieldsOf('warn The resource has failed to answer a command')?.command, `com.example.${name}`);
    }
  }
  const good = await a.last.send([{ type: 'com.example.Good', fields: {} }], 0);
  t.match(good.messages, [
    { type: 'com.example.GoodAnswer', fields: { result: true, at: '1970-01-01T00:00:00.000Z', id: 2n ** 62n } },
  ]);
  t.equal(a.ready.length, 1, 'the link has not ended');
});

t.test('commands: what never ends is given up, and may know it', async t => {
  const { resource, begun } = patient();
  const { agent, a, clock, upOn } = await bench(t, { resource, overrides: { 'command.timeout': '20' } });
  agent.start();
  await upOn(a);
  const answers = [
    a.last.send([{ type: DO, fields: {} }]),
    a.last.send(once('one'), AT_ONCE),
    a.last.send([{ type: DO, fields: { wait: 40 } }]),
    a.last.send(once('two', DO, { wait: 5 }), AT_ONCE),
  ];
  await until(() => begun.length === 4);
  await clock.advance(5_000);
  const late = { details: /within 5 s/, muster: { outcome: 'failed' } };
  t.match((await answers[3])?.messages, [{ fields: late }], 'with an id, its own wait counts, and servers are told');
  await clock.advance(15_000);
  for (const answer of answers.slice(0, 2)) {
    t.match((await answer)?.messages, [
      { fields: { result: false, details: /did not answer .*DoCommand within 20 s/ } },
    ]);
  }
  const signals = () => begun.map(({ context }) => context.signal.aborted);
  t.equal(signals().filter(Boolean).length, 3, 'a longer wait of the command counts');
  await clock.advance(20_000);
  t.match((await answers[2])?.messages, [{ fields: { details: /within 40 s/ } }]);
  for (const { end } of begun) end();
  await settle();
  t.match(
    (await a.last.send(once('one'), AT_ONCE)).messages,
    [{ fields: { result: false } }],
    'a late answer changes nothing',
  );
});

t.test('commands: one that works in one piece is named afterwards', async t => {
  const world = {} as { clock?: FakeClock };
  const commands: Record<string, CommandHandler> = {
    [DO]: () => {
      world.clock?.stall(3_000);
      return { result: true };
    },
    'com.example.Later': async () => {
      await world.clock?.turn();
      world.clock?.stall(4_000);
      return { result: true };
    },
  };
  const { agent, a, clock, log, upOn } = await bench(t, { resource: defineResource({ name: 'R', commands }) });
  world.clock = clock;
  agent.start();
  await upOn(a);
  await a.last.send([{ type: DO, fields: {} }]);
  const said = () => log.fieldsOf('warn The event loop stood still while commands were in progress');
  t.match(said(), { milliseconds: 3_000, commands: [DO] });
  await a.last.send([{ type: 'com.example.Later', fields: {} }]);
  t.match(said(), { milliseconds: 4_000, commands: ['com.example.Later'] });
  t.equal(log.count('warn The event loop stood still'), 2);
});

// ---- pings

const pings = (link: FakeLink) => link.of(PingRoutingCommand).map(({ messages: [ping] }) => ping?.fields ?? {});

t.test('pings: the resource adds a report to each, and can have one sent out of turn', async t => {
  let reports = 0;
  let push = () => {};
  let signal: AbortSignal | undefined;
  const resource = defineResource({
    name: 'R',
    commands: {},
    ping: () => ({ _hostVmStateReport: { vm: { state: 'PowerOn' } }, disks: ++reports, hostId: 99, muster: 7 }),
    start(handle) {
      ({ push, signal } = handle);
    },
  });
  const { agent, a, b, clock, upOn } = await bench(t, { resource });
  agent.start();
  push();
  await clock.advance(0);
  await upOn(a);
  await until(() => pings(a.last).length === 1);
  t.match(pings(a.last)[0], {
    _hostVmStateReport: { vm: { state: 'PowerOn' } },
    disks: 1,
    hostId: 7,
    outOfBand: true,
    muster: {},
  });
  for (let i = 0; i < 10; i++) push();
  await settle();
  t.equal(pings(a.last).length, 1);
  await clock.advance(1_000);
  await until(() => pings(a.last).length === 2);
  await clock.advance(60_000);
  await until(() => pings(a.last).length === 3);
  t.match(pings(a.last)[2], { disks: 3, outOfBand: false });
  a.die();
  push();
  await clock.advance(0);
  await upOn(b, 2_000);
  await until(() => pings(b.last).length > 0);
  t.equal(pings(b.last)[0]?.outOfBand, true, 'what was wanted without a link is sent on the next');
  await agent.stop();
  t.equal(signal?.aborted, true);
  push();
  await settle();
  t.equal(clock.pending, 0);
});

t.test('pings: a report that is late, large or none is left out, and said once', async t => {
  let report: () => unknown = () => ({});
  const { agent, a, clock, log, upOn } = await bench(t, {
    resource: { ...builtInResource('R'), ping: () => report() as never },
  });
  agent.start();
  await upOn(a);
  const said: unknown[] = [];
  for (const [what, of] of [
    ['late', () => new Promise(() => {})],
    ['throws', () => Promise.reject(new Error('no report today'))],
    ['large', () => ({ text: 'x'.repeat(LIMITS.pingReportBytes) })],
    ['none', () => 7],
    ['circle', () => Object.assign(Object.create(null), { call: () => 1 })],
  ] as const) {
    report = of;
    for (let i = 0; i < 2; i++) {
      const before = pings(a.last).length;
      await passes(clock, () => pings(a.last).length > before, 62_000);
      t.same(Object.keys(pings(a.last).at(-1) ?? {}).includes('text'), false, what);
    }
    said.push(log.fieldsOf('warn The resource has failed to report')?.reason);
  }
  t.match(said, [/none within 1 s/, /no report today/, /more than 32768 bytes/, /no object/, /call is a function/]);
  t.equal(log.count('warn The resource has failed to report'), 5);
});

t.test('pings: how far commands are is told to servers of Muster alone, while they are in progress', async t => {
  const { resource, begun } = patient();
  const { agent, a, b, clock, upOn } = await bench(t, { resource });
  takesKept(b);
  agent.start();
  await upOn(a);
  const muster = (server: FakeServer) =>
    PingRoutingCommand.decode({ type: '', fields: pings(server.last).at(-1) ?? {} });
  a.last.send(once('one'), AT_ONCE).catch(() => {});
  await until(() => begun.length === 1);
  begun[0]?.context.progress('half\n of it');
  await clock.advance(5_000);
  await until(() => pings(a.last).length > 0);
  t.equal(muster(a).muster?.progress, undefined);
  a.die();
  await upOn(b, 2_000);
  begun[0]?.context.progress('nearly');
  await passes(clock, () => pings(b.last).length > 0, 6_000);
  t.same(
    muster(b).muster?.progress?.map(({ ...one }) => one),
    [{ commandId: 'one', text: 'nearly' }],
  );
  begun[0]?.end();
  await settle();
  begun[0]?.context.progress('too late');
  const before = pings(b.last).length;
  await passes(clock, () => pings(b.last).length > before, 62_000);
  t.equal(muster(b).muster?.progress, undefined);
});

// ---- startup

t.test('startup: tags of the file and of the resource, and several commands in one packet', async t => {
  const routing = StartupRoutingCommand.encode({ name: 'machine', cpus: 3, hostTags: ['own'] });
  const storage = { type: 'com.cloud.agent.api.StartupStorageCommand', fields: { resourceType: 'STORAGE_POOL' } };
  const resource = defineResource({ name: 'R', tags: ['ssd'], startup: () => [storage, routing], commands: {} });
  const { agent, a, upOn } = await bench(t, { resource, file: 'guid=g\nhost=a\nhost.tags=rack7,ssd\n' });
  agent.start();
  await upOn(a);
  const [packet] = a.last.requests;
  const own = { guid: 'g-R', dataCenter: 'default', resourceName: 'R', msHostList: 'a', connectionTransferred: false };
  t.match(packet?.messages, [
    { type: storage.type, fields: { resourceType: 'STORAGE_POOL', ...own } },
    {
      type: routing.type,
      fields: { name: 'machine', cpus: 3, hostTags: ['own', 'ssd', 'rack7'], ...own, muster: { failovers: 0 } },
    },
  ]);
  t.notOk('muster' in (packet?.messages[0]?.fields ?? {}));
});

t.test('startup: commands that are none fail the dial, with a reason', async t => {
  for (const described of [[], [7], [{ type: DO, fields: {} }], [{ type: StartupRoutingCommand.type }]]) {
    const resource = defineResource({ name: 'R', startup: () => described as never, commands: {} });
    const { agent, log } = await bench(t, { resource, file: 'guid=g\nhost=a\n' });
    agent.start();
    await until(() => log.count('warn Cannot connect to host: a') > 0);
    t.match(log.fieldsOf('warn Cannot connect to host: a'), { reason: /1 to 16 startup commands/ });
    await agent.stop();
  }
});

t.test('startup: a resource that fails to start answers all the same', async t => {
  const resource = defineResource({
    name: 'R',
    commands: {},
    start() {
      throw new Error('no disk');
    },
  });
  const { agent, a, log, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  t.match(log.fieldsOf('error The resource has failed to start'), { reason: 'no disk' });
});

t.test('regression: startup: a resource whose start rejects answers all the same', async t => {
  const resource = defineResource({
    name: 'R',
    commands: {},
    async start() {
      throw new Error('no disk');
    },
  });
  const { agent, a, log, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  t.match(log.fieldsOf('error The resource has failed to start'), { reason: 'no disk' });
});
