import t from 'tap';
import { withMachineName } from '../../../src/agent/resources/built-in.js';
import { defineResource, typedCommand } from '../../../src/agent/resources/define-resource.js';
import {
  answer,
  command,
  GetHostStatsAnswer,
  GetHostStatsCommand,
  integer,
  type Message,
  StartupRoutingCommand,
  text,
} from '../../../src/protocol/index.js';

const context = { signal: new AbortController().signal, id: 'one', progress() {} };
const GreetCommand = command('com.example.GreetCommand', { name: text, times: integer });
const GreetAnswer = answer('com.example.GreetAnswer', { greeting: text });

t.test('define: commands are found by their full class name, and nothing else is', async t => {
  const resource = defineResource({
    name: 'R',
    commands: {
      'com.example.DoCommand': ({ size }, { id }) => ({ result: true, size, id }),
      'com.example.Do': async () => ({ result: false, details: 'not today' }),
    },
  });
  const ask = (type: string) => resource.answer({ type, fields: { size: 2 } }, context);
  t.same(await ask('com.example.DoCommand'), {
    type: 'com.example.DoAnswer',
    fields: { result: true, size: 2, id: 'one', contextMap: {}, wait: 0, bypassHostMaintenance: false },
  });
  t.match(await ask('com.example.Do'), { type: 'com.example.DoAnswer', fields: { result: false } });
  for (const type of ['DoCommand', 'com.example.Other', '__proto__', 'toString', 'constructor', '']) {
    t.equal(await ask(type), undefined, type);
  }
});

t.test('define: every resource answers GetHostStatsCommand, by itself or as it wants to', async t => {
  const ask = async (commands: Parameters<typeof defineResource>[0]['commands']) => {
    const answered = await defineResource({ name: 'R', commands }).answer(
      GetHostStatsCommand.encode({ hostId: 7 }),
      context,
    );
    return answered && GetHostStatsAnswer.decode(answered);
  };
  t.match(await ask({}), { result: true, hostStats: { hostId: 7, totalMemoryKBs: Number } });
  const own = { [GetHostStatsCommand.type]: () => ({ result: false, details: 'a secret' }) };
  t.match(await ask(own), { result: false, details: 'a secret' });
});

t.test('define: a typed command has its fields checked, and writes the class that it says', async t => {
  const resource = defineResource({
    name: 'R',
    commands: {
      [GreetCommand.type]: typedCommand(GreetCommand, GreetAnswer, ({ name = 'nobody', times }) => ({
        result: true,
        greeting: `${name} ${times}`,
      })),
    },
  });
  const ask = async (fields: Record<string, unknown>) => resource.answer({ type: GreetCommand.type, fields }, context);
  t.equal(GreetAnswer.decode((await ask({ name: 'Ada', times: 2 })) as Message).greeting, 'Ada 2');
  t.equal(GreetAnswer.decode((await ask({})) as Message).greeting, 'nobody 0');
  await t.rejects(ask({ name: 7 }), { code: 'MESSAGE_FIELD' });
  const wrong = typedCommand(GreetCommand, GreetAnswer, () => ({}) as never);
  await t.rejects(wrong.handle(GreetCommand.encode({}), context), /must answer com.example.GreetCommand/);
});

t.test('define: methods keep what they belong to', async t => {
  const definition = {
    name: 'R',
    machine: 'm1',
    startup() {
      return { name: this.machine };
    },
    ping() {
      return { machine: this.machine };
    },
    commands: {},
  };
  const resource = defineResource(definition);
  t.same(await resource.startup(), { name: 'm1' });
  t.same(await resource.ping?.(), { machine: 'm1' });
  t.equal(defineResource({ name: 'R', commands: {} }).ping, undefined);
});

t.test('define: what cannot be used is refused in words', async t => {
  for (const [definition, why] of [
    [{ commands: {} }, /the name of a resource/],
    [{ name: 'a b', commands: {} }, /the name of a resource/],
    [{ name: 'R' }, /the commands of a resource are an object/],
    [{ name: 'R', commands: null }, /the commands of a resource are an object/],
    [{ name: 'R', commands: { a: 7 } }, /the command a of a resource must be a function/],
    [{ name: 'R', commands: { a: null } }, /the command a of a resource must be a function/],
    [{ name: 'R', tags: 'a', commands: {} }, /the tags of a resource/],
    [{ name: 'R', tags: ['a,b'], commands: {} }, /the tags of a resource/],
  ] as const) {
    t.throws(() => defineResource(definition as never), { name: 'TypeError', message: why });
  }
});

t.test('define: another name for the machine, however it is described', async t => {
  const one = defineResource({ name: 'R', startup: () => ({ name: 'a', cpus: 2 }), commands: {} });
  t.same(await withMachineName(one, 'b').startup(), { name: 'b', cpus: 2 });
  const several = defineResource({
    name: 'R',
    startup: async () => [StartupRoutingCommand.encode({ name: 'a', cpus: 2 })],
    commands: {},
  });
  t.match(await withMachineName(several, 'b').startup(), [{ fields: { name: 'b', cpus: 2 } }]);
});
