import t from 'tap';
import {
  AgentControlCommand,
  Answer,
  CheckHealthCommand,
  CheckNetworkCommand,
  LIMITS,
  MaintainCommand,
  type Message,
  MigrateAgentConnectionCommand,
  PingRoutingCommand,
  ReadyCommand,
  SetHostParamsCommand,
  SetupMSListCommand,
  StartupAnswer,
} from '../../src/protocol/index.js';
import { settle } from '../../src/testing/fake-clock.js';
import { bench } from '../helpers/agent-bench.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { until } from '../helpers/until.js';

const SEED = 4_711;
const REQUESTS = 1_000;
const STARTUPS = 150;

/** Values that no field expects, and some that it does. */
const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    7,
    1.5,
    2 ** 31,
    2n ** 63n - 1n,
    -(2n ** 63n),
    '',
    'a',
    'b',
    'static',
    'x'.repeat(9_000),
  ],
  ...['a,b', 'a b', '\u0000', '\n', '@', '__proto__', [], ['a'], ['b', 'a'], ['a', 'a'], [null], [['a']], [{}], {}],
  ...[{ a: 1 }, { __proto__: null, constructor: 1 }, { toString: null }],
];

const COMMANDS: readonly (readonly [type: string, fields: readonly string[]])[] = [
  [
    ReadyCommand.type,
    ['dcId', 'hostUuid', 'hostName', 'msHostList', 'avoidMsHostList', 'lbAlgorithm', 'lbCheckInterval'],
  ],
  [SetupMSListCommand.type, ['msList', 'avoidMsList', 'lbAlgorithm', 'lbCheckInterval', 'triggerHostLb']],
  [MigrateAgentConnectionCommand.type, ['msList', 'avoidMsList', 'lbAlgorithm', 'lbCheckInterval']],
  [SetHostParamsCommand.type, ['params']],
  [CheckNetworkCommand.type, ['networkInfoList']],
  [CheckHealthCommand.type, []],
  [MaintainCommand.type, []],
  [AgentControlCommand.type, []],
  [PingRoutingCommand.type, ['hostId']],
  [Answer.type, ['result']],
  ['', []],
  ['__proto__', []],
];
const COMMON = ['contextMap', 'wait', 'bypassHostMaintenance', 'unknown'];

t.test(`fuzz: the agent answers whatever a Ready server asks (seed ${SEED}, ${REQUESTS} requests)`, async t => {
  const random = seededRandom(SEED);
  const { agent, a, b, c, clock, upOn } = await bench(t, { file: 'guid=g\nhost=a\n' });
  // Wherever it is told to go, there is nowhere to go.
  for (const server of [b, c]) server.behaviour = 'refuse';
  agent.start();
  await upOn(a);
  const unanswered: string[] = [];
  for (let at = 0; at < REQUESTS; at++) {
    const messages = Array.from({ length: random.int(4) }, () => nonsense(random));
    // No faster than the agent reads.
    await clock.advance(1_000 / LIMITS.readPacketsPerSecond);
    const { messages: answers } = await a.last.send(messages, random.int(4) * 2);
    if (answers.length !== messages.length) unanswered.push(JSON.stringify(messages));
  }
  t.same(unanswered, []);
  t.equal(a.ready.length, 1, 'and the link stays');
});

t.test(`fuzz: the agent stands whatever comes for a StartupAnswer (seed ${SEED}, ${STARTUPS} links)`, async t => {
  const random = seededRandom(SEED);
  const { agent, a, clock } = await bench(t, { file: 'guid=g\nhost=a\nbackoff.seconds=1\n' });
  a.onStartup = (link, startup) => {
    const fields: Record<string, unknown> = { hostId: 7, pingInterval: 5, result: true };
    for (const key of [...Object.keys(fields), 'hostName', 'hostUuid', 'details', ...COMMON]) {
      if (random.int(3) === 0) fields[key] = pick(random, VALUES);
    }
    const type = random.int(10) === 0 ? pick(random, COMMANDS)[0] : StartupAnswer.type;
    link.link.answer(startup, random.int(20) === 0 ? [] : [{ type, fields }]);
    setImmediate(() => link.link.close('the next one'));
  };
  agent.start();
  for (let at = 0; at < STARTUPS; at++) {
    await until(() => a.links.length > at && a.last.closed !== undefined && agent.state.phase.kind === 'waiting');
    await settle();
    await clock.advance(60_000);
  }
  t.equal(agent.state.phase.kind === 'idle', false);
});

type Random = ReturnType<typeof seededRandom>;

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.int(items.length)] as T;
}

function nonsense(random: Random): Message {
  const [type, keys] = pick(random, COMMANDS);
  const fields: Record<string, unknown> = type === ReadyCommand.type ? { hostId: 7 } : {};
  for (const key of [...keys, ...COMMON]) if (random.int(2) === 0) fields[key] = pick(random, VALUES);
  return { type, fields };
}
