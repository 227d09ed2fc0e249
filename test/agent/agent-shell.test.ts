import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import t from 'tap';
import { readyLink } from '../../src/agent/agent-state.js';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import type { Resource } from '../../src/agent/resources/resource.js';
import { MigrateAgentConnectionCommand, SetupMSListCommand } from '../../src/protocol/index.js';
import { settle } from '../../src/testing/fake-clock.js';
import { bench, passes } from '../helpers/agent-bench.js';
import { until } from '../helpers/until.js';

t.test('regression: agent: stop() resolves while the server does not read and more than 4 MiB are queued', async t => {
  const resource: Resource = {
    ...builtInResource('R'),
    answer: async () => ({ type: 'A', fields: { result: true, data: randomBytes(5_000_000).toString('base64') } }),
  };
  const { agent, a, upOn, text } = await bench(t, { resource });
  let socket: Duplex | undefined;
  const accept = a.accept.bind(a);
  a.accept = (accepted, remote) => {
    socket = accepted;
    return accept(accepted, remote);
  };
  agent.start();
  await upOn(a);
  await until(() => text().includes('last.setup'));
  // Nobody reads any more, whoever asks for it.
  const stalled = socket as Duplex;
  stalled.pause();
  stalled.resume = () => stalled;
  a.last.send([{ type: 'com.x.Big', fields: {} }]).catch(() => {});
  await settle();
  await t.resolves(agent.stop());
});

t.test('regression: agent: the guid goes into a file that was emptied, with the next list', async t => {
  const { agent, a, upOn, path, text } = await bench(t, { file: '# mine\nguid=ORIGINAL\nhost=a,b,c\nzone=z1\n' });
  agent.start();
  await upOn(a);
  await until(() => text().includes('last.setup') && text().includes('R.name'));
  await settle();
  // An editor that truncates first.
  writeFileSync(path, '');
  await a.last.send([
    SetupMSListCommand.encode({ msList: ['a', 'c'], lbAlgorithm: 'static', lbCheckInterval: 0, triggerHostLb: false }),
  ]);
  await until(() => text().includes('host=a,c'));
  await settle();
  t.match(text(), /guid=ORIGINAL/);
});

/** A resource is somebody else's code: these are kept out of its type by nothing but the type. */
const NONSENSE: Readonly<Record<string, () => unknown>> = {
  'throws an object without prototype': () => {
    throw Object.create(null);
  },
  'throws an error whose message is a symbol': () => {
    throw Object.assign(new Error('x'), { message: Symbol('s') });
  },
  'answers with fields that throw': () => ({
    type: 'A',
    get fields() {
      throw new Error('x');
    },
  }),
  'answers with a result that throws': () => ({
    type: 'A',
    fields: {
      get result() {
        throw new Error('x');
      },
    },
  }),
  'answers with a toJSON that throws': () => ({
    type: 'A',
    fields: {
      result: true,
      x: {
        toJSON() {
          throw new Error('x');
        },
      },
    },
  }),
  'answers in a circle': () => {
    const fields: Record<string, unknown> = { result: true };
    fields.me = fields;
    return { type: 'A', fields };
  },
  'answers with a number for a type': () => ({ type: 1, fields: {} }),
  'answers with a function': () => () => {},
};

for (const [what, answer] of Object.entries(NONSENSE)) {
  t.test(`regression: agent: a resource that ${what} gives an answer with result=false, and nothing else`, async t => {
    const resource = { ...builtInResource('R'), answer: answer as Resource['answer'] };
    const { agent, a, upOn } = await bench(t, { resource });
    agent.start();
    await upOn(a);
    const rejections: unknown[] = [];
    const note = (error: unknown) => rejections.push(error);
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
    t.teardown(() => {
      process.removeAllListeners('unhandledRejection');
      for (const listener of others) process.on('unhandledRejection', listener);
    });
    const got = await Promise.race([
      a.last.send([{ type: 'com.x.Cmd', fields: {} }]).then(({ messages: [message] }) => message?.fields.result),
      settle().then(() => 'no answer'),
    ]);
    await settle();
    t.equal(got, false);
    t.equal(rejections.length, 0);
    t.equal(readyLink(agent.state)?.host, 'a');
  });
}

t.test('regression: agent: commands on the link that it leaves are answered before that link ends', async t => {
  let release: (() => void) | undefined;
  const answer = () =>
    new Promise<undefined>(resolve => {
      release = () => resolve(undefined);
    });
  const { agent, a, clock, upOn } = await bench(t, { resource: { ...builtInResource('R'), answer } });
  agent.start();
  await upOn(a);
  const outcome = (type: string) =>
    a.last.send([{ type, fields: {} }]).then(
      () => 'answered',
      error => `${error}`,
    );
  const first = outcome('com.x.Long');
  await settle();
  await a.last.send([MigrateAgentConnectionCommand.encode({ msList: ['a', 'b', 'c'], avoidMsList: ['a'] })]);
  await passes(clock, () => readyLink(agent.state)?.host === 'b', 1_000);
  await settle();
  // It comes while the old link waits for the first.
  const second = outcome('com.cloud.agent.api.CheckHealthCommand');
  await settle();
  release?.();
  t.same([await first, await second], ['answered', 'answered']);
});

t.test(
  'regression: agent: a wire of a program’s own that cannot tell what is unacknowledged ends no agent',
  async t => {
    const { agent, network, a, b, upOn } = await bench(t);
    const connect = network.connect.bind(network);
    network.connect = async (address, port, signal) => ({
      ...(await connect(address, port, signal)),
      isUnacknowledged: async () => {
        throw new Error('who knows');
      },
    });
    agent.start();
    await upOn(a);
    a.answersPings = false;
    await upOn(b, 300_000);
  },
);

t.test('regression: agent: a dialer of a program’s own that throws is one that does not reach the address', async t => {
  const names = { ms: '10.0.0.9,10.0.0.8,10.0.0.1' };
  const { agent, network, a, clock } = await bench(t, { file: 'guid=g\nhost=ms\n', names });
  const connect = network.connect.bind(network);
  network.connect = (address, port, signal) => {
    if (address === '10.0.0.8') throw new Error('no such tunnel');
    return connect(address, port, signal);
  };
  agent.start();
  await passes(clock, () => a.ready.length > 0, 10_000);
});
