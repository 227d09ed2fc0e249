import t from 'tap';
import { readyLink } from '../../src/agent/agent-state.js';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import type { Resource } from '../../src/agent/resources/resource.js';
import { VERSION } from '../../src/lib/version.js';
import {
  Answer,
  CheckHealthCommand,
  FLAG,
  LIMITS,
  type Message,
  MigrateAgentConnectionCommand,
  type Packet,
  PingRoutingCommand,
  ReadyCommand,
  SetupMSListCommand,
  ShutdownCommand,
  StartupRoutingCommand,
  secureContext,
} from '../../src/protocol/index.js';
import { settle, turnOfLoop } from '../../src/testing/fake-clock.js';
import { FakeServer } from '../../src/testing/fake-server.js';
import { bench, passes } from '../helpers/agent-bench.js';
import { plainCertificate } from '../helpers/certificates.js';
import { until } from '../helpers/until.js';

const typeOf = ({ messages }: Packet) => messages.map(({ type }) => type.slice(type.lastIndexOf('.') + 1)).join('+');
const resultsOf = ({ messages }: Packet) => messages.map(({ fields }) => fields.result);
const musterOf = (server: FakeServer) =>
  StartupRoutingCommand.decode({ type: '', fields: startupOf(server) }).muster ?? {};
const startupOf = (server: FakeServer) => server.last.of(StartupRoutingCommand)[0]?.messages[0]?.fields ?? {};
const command = (type: string, fields: Record<string, unknown> = {}): Message => ({ type, fields });
const HEALTH = CheckHealthCommand.encode({});

/** Long enough for every answer, short enough for everything that waits for time. */
async function rest() {
  await settle();
}

// ---- connecting

t.test('agent: connects, registers, is Ready, and writes what the server says', async t => {
  const { agent, a, text, upOn, log } = await bench(t, {
    file: '# mine\nguid=g\nhost=a,b\nzone=z\npod=p\ncluster=c\n',
  });
  a.list = { msHostList: ['b', 'a', 'c'], lbAlgorithm: 'roundrobin', lbCheckInterval: 10, avoidMsHostList: [] };
  agent.start();
  await upOn(a);
  const [startup] = a.last.requests;
  t.match(startup, { flags: FLAG.request, sequence: 0n, mgmtId: -1n, agentId: -1n, via: -1n });
  t.match(startupOf(a), {
    guid: 'g-R',
    resourceName: 'R',
    dataCenter: 'z',
    pod: 'p',
    cluster: 'c',
    msHostList: 'a,b',
    connectionTransferred: false,
    type: 'Routing',
    muster: { version: VERSION, instanceId: /^[\da-f-]{36}$/, link: 1, failovers: 0 },
  });
  t.notOk('id' in startupOf(a), 'not known yet');
  const expected =
    '# mine\nguid=g\nhost=b,a,c@roundrobin\nzone=z\npod=p\ncluster=c\n' +
    'R.id=7\nR.uuid=uuid-7\nR.name=name-7\nlast.setup.completed.host=b,a,c@roundrobin\n';
  await until(() => text() === expected);
  t.equal(log.count('info Connected to the host: a'), 1);
  t.equal(log.count('info Processed new management server list: b,a,c@roundrobin'), 1);
});

t.test('agent: a Muster server says what a packet may have, within bounds; another one does not', async t => {
  const answerOf = async (muster: Parameters<typeof ReadyCommand.encode>[0]['muster'], bytes: number) => {
    const resource: Resource = {
      ...builtInResource('R'),
      answer: async () => Answer.encode({ result: true, details: 'x'.repeat(bytes) }),
    };
    const { agent, a, upOn } = await bench(t, { file: 'guid=g\nhost=a\n', resource });
    a.list = { muster };
    agent.start();
    await upOn(a);
    a.last.link.raiseLimits(2 ** 27);
    const { messages } = await a.last.send([{ type: 'com.example.ReadCommand', fields: {} }]);
    return messages[0]?.fields.result;
  };
  t.equal(await answerOf(undefined, 4 * 2 ** 20), false, 'more than CloudStack takes from us');
  t.equal(await answerOf({ packetMax: 8 * 2 ** 20 }, 4 * 2 ** 20), true);
  t.equal(await answerOf({ packetMax: 100_000 }, 100_000), false);
  t.equal(await answerOf({ packetMax: -1 }, 50_000), true);
});

t.test('agent: takes its id from Ready where the StartupAnswer has none, and never writes 0', async t => {
  const { agent, a, text, upOn } = await bench(t);
  a.onStartup = async (link, startup) => {
    link.startupAnswer(startup, { hostId: 0, hostUuid: '', hostName: '' });
    await rest();
    t.notMatch(text(), /R\.id/);
    await link.ready();
    await link.ready({ msHostList: ['a', 'b'], lbAlgorithm: 'static' });
  };
  agent.start();
  await upOn(a);
  await until(() => text().includes('host=a,b@static') && text().includes('R.id=7'));
  t.match(text(), 'R.uuid=uuid-7');
});

t.test('agent: goes on under the id of its file, with the list that it has', async t => {
  const { agent, a, upOn } = await bench(t, {
    file: 'guid=g\nhost=a,b@static\nR.id=7\nR.uuid=u\n',
    overrides: { host: 'a,c@shuffle' },
  });
  agent.start();
  await upOn(a);
  t.match(a.last.requests[0], { agentId: 7n, via: 7n });
  t.match(startupOf(a), { id: 7 });
  t.equal(startupOf(a).msHostList, 'a,c@shuffle', 'regression: the command line beats the file here as well');
});

t.test('agent: a single Ready with the list is enough, as from 4.13', async t => {
  const { agent, a, text, upOn } = await bench(t);
  a.onStartup = (link, startup) => {
    link.startupAnswer(startup, { hostId: 0 });
    return link.ready({ msHostList: ['a', 'b'], lbAlgorithm: 'static', lbCheckInterval: 5 });
  };
  agent.start();
  await upOn(a);
  await until(() => text().includes('host=a,b@static'));
  t.equal(agent.state.check.intervalMs, 5_000);
});

t.test('agent: both Ready in one packet are enough as well', async t => {
  const { agent, a, upOn } = await bench(t);
  a.onStartup = async (link, startup) => {
    link.startupAnswer(startup);
    const ready = ReadyCommand.encode({ hostId: 7 });
    const answer = await link.send([
      ready,
      ReadyCommand.encode({ hostId: 7, msHostList: ['a'], lbAlgorithm: 'static' }),
    ]);
    t.equal(typeOf(answer), 'ReadyAnswer+ReadyAnswer');
    link.isReady = true;
  };
  agent.start();
  await upOn(a);
  t.same(agent.state.list, { hosts: ['a'], algorithm: 'static' });
});

t.test('agent: a Ready without a host id does not make the link Ready', async t => {
  const { agent, a } = await bench(t);
  a.onStartup = async (link, startup) => {
    link.startupAnswer(startup, { hostId: 0 });
    await link.send([ReadyCommand.encode({})]);
    link.isReady = true;
  };
  agent.start();
  await until(() => a.ready.length === 1);
  await rest();
  t.equal(agent.state.phase.kind, 'joining');
});

for (const [what, refuse] of [
  [
    'a StartupAnswer',
    (server: FakeServer) => {
      server.onStartup = (link, startup) => link.startupAnswer(startup, { result: false, details: 'no such zone' });
    },
  ],
  [
    'a Ready with details',
    (server: FakeServer) => {
      server.onStartup = (link, startup) => {
        link.startupAnswer(startup, { hostId: 0 });
        const header = { flags: FLAG.stopOnError | FLAG.inSequence, mgmtId: -1n, agentId: -1n, via: -1n };
        link.link.post([ReadyCommand.encode({ _details: 'no such zone' })], header);
      };
    },
  ],
] as const) {
  t.test(`agent: refused by ${what} it says why, as an error, and goes on to the next host`, async t => {
    const { agent, a, b, log, upOn } = await bench(t);
    refuse(a);
    agent.start();
    await upOn(b);
    t.match(log.fieldsOf('error Cannot connect to host: a'), { host: 'a', reason: 'no such zone' });
    await until(() => a.last.closed !== undefined);
  });
}

t.test('agent: goes on to the next host on any failure, and gives each its time', async t => {
  for (const [what, withinMs, spoil] of [
    [
      'refused',
      0,
      (a: FakeServer) => {
        a.behaviour = 'refuse';
      },
    ],
    [
      'closed at once',
      0,
      (a: FakeServer) => {
        a.behaviour = 'close';
      },
    ],
    [
      'swallowed, after which the next one is dialled beside it',
      LIMITS.connectStaggerMs,
      (a: FakeServer) => {
        a.behaviour = 'hang';
      },
    ],
    [
      'never spoken to',
      30_000,
      (a: FakeServer) => {
        a.behaviour = 'mute';
      },
    ],
    [
      'Startup unanswered',
      LIMITS.startupAnswerMs,
      (a: FakeServer) => {
        a.onStartup = () => {};
      },
    ],
    [
      'Startup answered by nonsense',
      0,
      (a: FakeServer) => {
        a.onStartup = (link, startup) => link.link.answer(startup, [Answer.encode({ result: true })]);
      },
    ],
    [
      'closed after the StartupAnswer',
      0,
      (a: FakeServer) => {
        a.onStartup = (link, startup) => {
          link.startupAnswer(startup);
          link.link.close('as the test says');
        };
      },
    ],
    [
      'never Ready',
      LIMITS.readyWithOthersMs,
      (a: FakeServer) => {
        a.onStartup = (link, startup) => link.startupAnswer(startup);
      },
    ],
  ] as const) {
    const { agent, a, b, clock, log, upOn } = await bench(t);
    spoil(a);
    agent.start();
    if (withinMs > 0) {
      await settle();
      await passes(clock, () => clock.now() >= withinMs - 1, withinMs - 1);
      t.equal(b.connections, 0, `${what}: it has its time`);
      await clock.advance(1);
    }
    await upOn(b);
    const isSaid = log.count('error') === 0 && !what.startsWith('swallowed');
    t.equal(log.count('warn Cannot connect to host: a'), isSaid ? 1 : 0, what);
    await agent.stop();
    t.equal(clock.pending, 0, `${what}: no timer is left`);
  }
});

t.test('agent: waits for Ready of its only host for as long as its pings are answered', async t => {
  const { agent, a, clock, log } = await bench(t, { file: 'guid=g\nhost=a\n' });
  a.onStartup = (link, startup) => link.startupAnswer(startup);
  agent.start();
  await settle();
  const hasFailed = () => log.count('warn Cannot connect to host: a') > 0;
  for (let minute = 0; minute < 5; minute++) {
    await settle();
    await clock.advance(60_000);
  }
  t.notOk(hasFailed());
  await settle();
  a.answersPings = false;
  await passes(clock, hasFailed, 76_000);
  t.equal(clock.now(), 375_000, 'the next ping after 60 s, and 15 s for its answer');
});

t.test('agent: with all servers down it keeps trying, and finds the first that is back', async t => {
  const { agent, a, b, c, clock, network, upOn } = await bench(t);
  for (const server of [a, b, c]) server.behaviour = 'refuse';
  agent.start();
  await passes(clock, () => clock.now() >= 60_000, 60_000);
  const dials = network.dialled.length;
  t.ok(dials >= 6 && dials <= 120, `${dials} dials in a minute`);
  b.behaviour = 'accept';
  await upOn(b, 61_000);
});

t.test('agent: a server with another CA is refused before a byte goes out', async t => {
  const { agent, a, b, log, upOn } = await bench(t);
  const stranger = new FakeServer(a.address, secureContext(await plainCertificate('stranger')));
  a.accept = (socket, remote) => stranger.accept(socket, remote);
  agent.start();
  await upOn(b);
  await settle();
  t.same(
    stranger.links.flatMap(({ requests }) => requests),
    [],
  );
  t.match(log.fieldsOf('warn Cannot connect to host: a'), { reason: /does not verify against the known CA/ });
});

t.test('agent: without a zone it stays idle, and says so', async t => {
  const { agent, clock, log, network } = await bench(t, { file: 'guid=g\nhost=a\nzone=\n' });
  agent.start();
  await clock.advance(3_600_000);
  t.same(network.dialled, []);
  t.equal(log.count('error Agent stays idle: zone is empty'), 1);
  t.equal(clock.pending, 0);
});

t.test(
  'regression: agent: a name that has our address and others is a place to migrate to: at one of the others',
  async t => {
    const { agent, a, b, upOn } = await bench(t, {
      file: 'guid=g\nhost=a,ms\n',
      names: { ms: '10.0.0.1,10.0.0.2' },
    });
    agent.start();
    await upOn(a);
    const migrate = MigrateAgentConnectionCommand.encode({
      msList: ['a', 'ms'],
      avoidMsList: ['a'],
      lbAlgorithm: 'static',
    });
    t.same(resultsOf(await a.last.send([migrate])), [true]);
    await until(() => b.ready.length === 1 && a.last.closed !== undefined);
    t.equal(readyLink(agent.state)?.host, 'ms');
    t.equal(a.connections, 1, 'never to the server that it is on');
  },
);

t.test('regression: agent: a preferred host that has our address is where we are', async t => {
  const { agent, a, b, clock, upOn } = await bench(t, {
    file: 'guid=g\nhost=b,c\n',
    names: { ms: '10.0.0.1,10.0.0.2' },
  });
  b.list = { msHostList: ['ms', 'b'], lbAlgorithm: 'static', lbCheckInterval: 10 };
  agent.start();
  await upOn(b);
  await passes(clock, () => readyLink(agent.state)?.host === 'ms', 20_000);
  t.equal(a.connections, 0);
  t.equal(b.connections, 1);
});

t.test('regression: agent: all addresses of a name are tried up to Ready, before the next host', async t => {
  for (const spoil of [
    (a: FakeServer) => {
      a.behaviour = 'close';
    },
    (a: FakeServer) => {
      a.onStartup = (link, startup) => link.startupAnswer(startup, { result: false, details: 'in maintenance' });
    },
    (a: FakeServer) => {
      a.onStartup = (link, startup) => link.startupAnswer(startup);
    },
  ]) {
    const { agent, a, b, c, clock, log } = await bench(t, {
      file: 'guid=g\nhost=ms,c\n',
      names: { ms: '10.0.0.1,10.0.0.2' },
    });
    spoil(a);
    c.behaviour = 'refuse';
    agent.start();
    await until(() => a.connections === 1);
    await passes(clock, () => b.ready.length === 1, LIMITS.readyWithOthersMs + 1_000);
    t.equal(b.ready.length, 1);
    t.equal(readyLink(agent.state)?.host, 'ms');
    t.match(log.fieldsOf('warn Cannot connect to an address of host: ms'), { reason: /^10\.0\.0\.1: / });
    await agent.stop();
  }
});

t.test('agent: a host that swallows the connection is not waited for, and stays in the cycle', async t => {
  const { agent, a, b, clock, network, upOn } = await bench(t);
  a.behaviour = 'hang';
  b.behaviour = 'mute';
  let bytes = 0;
  b.accept = async socket => {
    b.connections++;
    socket.on('data', chunk => {
      bytes += chunk.length;
    });
  };
  agent.start();
  await passes(clock, () => bytes > 0, 1_000);
  t.equal(clock.now(), 250);
  a.behaviour = 'accept';
  await upOn(a, 31_000);
  t.same(
    network.dialled.map(dial => dial.replace(/^\d+ /, '')),
    ['a', 'b', 'a'],
  );
});

t.test('agent: after a move it pings the new server at once, and again when the old link has ended', async t => {
  const { agent, a, b, clock, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: ['a'] })]);
  await upOn(b);
  const pings = () => b.last.of(PingRoutingCommand).length;
  await until(() => pings() === 1);
  await until(() => a.last.closed !== undefined);
  await settle();
  t.equal(pings(), 1);
  await clock.advance(1_000);
  await until(() => pings() === 2);
  await clock.advance(50_000);
  t.equal(pings(), 2, 'then at the usual times');
});

// ---- lost links

t.test('agent: a lost link is replaced by one to the next host within half a second', async t => {
  const { agent, a, b, clock, log, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  await clock.advance(10_000);
  a.die();
  await until(() => agent.state.phase.kind === 'waiting');
  await upOn(b, 500);
  t.equal(log.count('warn Lost connection to host: a'), 1);
  t.equal(log.count('info Reconnecting to host: b'), 1);
  t.match(startupOf(b), { id: 7, connectionTransferred: false });
});

t.test('agent: its sequence goes on counting over links', async t => {
  const { agent, a, b, clock, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  await clock.advance(60_000);
  await until(() => a.last.requests.length === 2);
  await settle();
  a.die();
  await upOn(b, 1_000);
  t.same(
    [...a.last.requests, ...b.last.requests].map(({ sequence }) => sequence),
    [0n, 1n, 2n],
  );
});

// ---- pings

t.test('agent: pings each interval, with its id', async t => {
  const { agent, a, clock, upOn } = await bench(t);
  a.pingInterval = 5;
  agent.start();
  await upOn(a);
  await passes(clock, () => a.last.of(PingRoutingCommand).length === 3, 15_000);
  t.equal(clock.now(), 15_000);
  t.match(a.last.of(PingRoutingCommand)[2], {
    flags: FLAG.request | FLAG.stopOnError,
    sequence: 3n,
    mgmtId: -1n,
    agentId: 7n,
    via: 7n,
    messages: [{ fields: { hostType: 'Routing', hostId: 7, outOfBand: false } }],
  });
});

t.test('agent: leaves a silent server for the next one, by a new link first', async t => {
  const { agent, a, b, clock, log, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  a.answersPings = false;
  b.onStartup = async (link, startup) => {
    link.startupAnswer(startup);
    await settle();
    t.equal(a.last.closed, undefined, 'the old link stays until the new one is Ready');
    await link.ready();
    await link.ready();
  };
  await passes(clock, () => b.connections > 0, 76_000);
  t.equal(clock.now(), 75_000);
  await upOn(b);
  await until(() => a.last.closed !== undefined);
  t.match(a.last.closed, { kind: 'peer' }, 'by FIN');
  t.same(a.last.of(ShutdownCommand), [], 'and without a word');
  t.equal(log.count('warn Management server is silent: a'), 1);
});

t.test('agent: stays with a silent server that speaks while the new link is under way', async t => {
  const { agent, a, b, clock, log, upOn } = await bench(t);
  b.onStartup = () => {};
  agent.start();
  await upOn(a);
  a.answersPings = false;
  await passes(clock, () => b.links.length > 0, 76_000);
  const [ping] = a.last.of(PingRoutingCommand);
  t.ok(ping);
  if (ping) a.last.pingAnswer(ping);
  await until(() => agent.state.phase.kind === 'up');
  t.equal(readyLink(agent.state)?.host, 'a');
  await until(() => b.last.closed !== undefined);
  t.equal(log.count('info Management server speaks again: a'), 1);
});

t.test('agent: any request of a silent server is a sign of life', async t => {
  const { agent, a, b, clock, upOn } = await bench(t);
  b.onStartup = () => {};
  agent.start();
  await upOn(a);
  a.answersPings = false;
  await passes(clock, () => b.links.length > 0, 76_000);
  t.equal(typeOf(await a.last.send([HEALTH])), 'CheckHealthAnswer');
  await until(() => agent.state.phase.kind === 'up');
});

t.test('agent: drops the link of a single server when ping.retries pings are unanswered', async t => {
  const { agent, a, clock, log, upOn } = await bench(t, { file: 'guid=g\nhost=a\nping.retries=2\n' });
  agent.start();
  await upOn(a);
  a.answersPings = false;
  const [first] = a.links;
  await passes(clock, () => first?.closed !== undefined, 181_000);
  t.equal(clock.now(), 180_000);
  t.match(log.fieldsOf('warn Lost connection to host: a'), { reason: /2 pings were not answered/ });
  a.answersPings = true;
  await upOn(a, 1_000);
});

t.test(
  'agent: an avoid list in a PingAnswer is taken, and a PingAnswer that cannot be read is not held against the server',
  async t => {
    const { agent, a, clock, log, upOn } = await bench(t);
    a.pingAnswer = { avoidMsList: ['B'] };
    agent.start();
    await upOn(a);
    await clock.advance(60_000);
    await until(() => agent.state.avoid.length === 1);
    t.same(agent.state.avoid, ['b']);
    a.pingAnswer = { avoidMsList: 'c' as unknown as string[] };
    await clock.advance(60_000);
    await until(() => log.count('warn Cannot read a PingAnswer') === 1);
    t.same(agent.state.avoid, ['b']);
    t.equal(agent.state.phase.kind, 'up');
  },
);

t.test('agent: a spread in a PingAnswer replaces that of Ready, and a minute is the most', async t => {
  const { agent, a, clock, upOn } = await bench(t);
  const told = async (spreadMs: number) => {
    a.pingAnswer = { muster: { spreadMs } };
    await clock.advance(60_000);
    await settle();
    return agent.state.spreadMs;
  };
  agent.start();
  await upOn(a);
  t.equal(agent.state.spreadMs, 0);
  t.equal(await told(8_000), 8_000);
  t.equal(await told(0), 0);
  t.equal(await told(1e9), 60_000);
  t.equal(await told(-5), 0);
  t.equal(agent.state.phase.kind, 'up');
});

t.test('agent: after a stall of its own it reads what has come before it judges anyone', async t => {
  const { agent, a, b, clock, log, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  a.answersPings = false;
  await clock.advance(60_000);
  await until(() => a.last.of(PingRoutingCommand).length === 1);
  const [ping] = a.last.of(PingRoutingCommand);
  clock.stall(120_000);
  if (ping) a.last.pingAnswer(ping);
  await clock.advance(0);
  await settle();
  await clock.advance(1);
  t.equal(log.count('warn Management server is silent'), 0);
  t.equal(b.connections, 0);
});

// ---- lists

t.test('agent: a SetupMSList is answered, taken and written', async t => {
  const { agent, a, text, log, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  const answer = await a.last.send(
    [
      SetupMSListCommand.encode({
        msList: ['A', 'b', 'C'],
        avoidMsList: ['C'],
        lbAlgorithm: 'shuffle',
        lbCheckInterval: 9,
      }),
    ],
    FLAG.stopOnError,
  );
  t.equal(typeOf(answer), 'SetupMSListAnswer');
  t.match(answer, { flags: FLAG.stopOnError, mgmtId: a.msid, agentId: 7n, via: 7n });
  await until(() => text().includes('host=a,b,c@shuffle\n'));
  t.same(agent.state.avoid, ['c'], 'regression: spelled as in the list');
  t.equal(agent.state.check.intervalMs, 9_000);
  t.equal(log.count('info Processed new management server list: a,b,c@shuffle'), 1);
});

t.test('regression: agent: what is wrong in a list is left out with a warning, and the rest is used', async t => {
  const { agent, a, log, upOn } = await bench(t, { file: 'guid=g\nhost=a,c\n' });
  agent.start();
  await upOn(a);
  const cases = [
    [{ msList: ['a', 'not a name', 'b'], lbAlgorithm: 'static' }, ['a', 'b'], /"not a name", has a blank/],
    [{ msList: ['a', 'a\nzone=evil', 'c'], lbAlgorithm: 'static' }, ['a', 'c'], /"a\\nzone=evil"/],
    [{ msList: ['a', 'b', 'a', ''], lbAlgorithm: 'static' }, ['a', 'b'], /entries 1 and 3 are the same.*4 is empty/],
    [{ msList: ['a', 'c'], lbAlgorithm: 'static\nzone=evil' }, ['a', 'c'], /the algorithm "static zone=evil"/],
    [{ msList: ['a', 'b'], lbAlgorithm: 'static', lbCheckInterval: -1 }, ['a', 'b'], /the check interval -1/],
  ] as const;
  const said = 'warn Not all that the server says about hosts can be used';
  for (const [index, [fields, hosts, reason]] of cases.entries()) {
    const message = command(SetupMSListCommand.type, { ...fields, triggerHostLb: false, contextMap: {}, wait: 0 });
    t.same(resultsOf(await a.last.send([message])), [true], JSON.stringify(fields));
    await until(() => log.count(said) === index + 1);
    t.same(agent.state.list.hosts, hosts);
    t.match(log.fieldsOf(said), { reason });
  }
  t.equal(agent.state.check.intervalMs, 0);
});

t.test('agent: a list of which it can use nothing is answered result=false, and changes nothing', async t => {
  const { agent, a, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  const before = agent.state;
  for (const fields of [
    { msList: ['not a name'], lbAlgorithm: 'static' },
    { msList: ['a\nzone=evil'], lbAlgorithm: 'static' },
    { msList: 'a' },
  ]) {
    const message = command(SetupMSListCommand.type, { ...fields, triggerHostLb: false, contextMap: {}, wait: 0 });
    t.same(resultsOf(await a.last.send([message])), [false], JSON.stringify(fields));
  }
  t.same(agent.state, before);
});

t.test(
  'regression: agent: a Ready with a list that it cannot use makes it Ready with the list that it has',
  async t => {
    const { agent, a, log, upOn } = await bench(t);
    a.list = { msHostList: ['a:8250'], lbAlgorithm: 'static', lbCheckInterval: 10 };
    agent.start();
    await upOn(a);
    await until(() => log.count('warn Not all that the server says about hosts') === 1);
    t.match(log.fieldsOf('warn Not all'), { host: 'a', reason: /a:8250.* has a port/ });
    t.same(agent.state.list.hosts, ['a', 'b', 'c']);
  },
);

// ---- moves

/** How many links the servers hold Ready, whenever one is added or goes. */
function watchReady(servers: readonly FakeServer[]): { readonly least: () => number } {
  let least = Number.POSITIVE_INFINITY;
  let isOn = true;
  const look = () => {
    if (!isOn) return;
    least = Math.min(least, servers.flatMap(({ ready }) => ready).length);
    void turnOfLoop().then(look);
  };
  look();
  return {
    least() {
      isOn = false;
      return least;
    },
  };
}

t.test('agent: goes back to the preferred host with never a moment without a Ready link', async t => {
  const { agent, a, b, c, clock, upOn } = await bench(t, { file: 'guid=g\nhost=a,b\nhost.lb.check.interval=10\n' });
  a.behaviour = 'refuse';
  agent.start();
  await upOn(b);
  await clock.advance(10_000);
  await until(() => agent.state.phase.kind === 'up');
  t.equal(b.ready.length, 1, 'the check found it down, and nothing was lost');
  const watch = watchReady([a, b, c]);
  a.behaviour = 'accept';
  await passes(clock, () => a.ready.length === 1, 10_000);
  await until(() => b.last.closed !== undefined);
  await upOn(a);
  t.ok(watch.least() >= 1, 'never none');
  t.match(b.last.closed, { kind: 'peer' });
  t.same(b.last.of(ShutdownCommand), []);
  t.match(startupOf(a), { connectionTransferred: false });
});

t.test('regression: agent: a loss is told with the link that follows it, and not after a move', async t => {
  const { agent, a, b, clock, upOn } = await bench(t, { file: 'guid=g\nhost=a,b\nhost.lb.check.interval=10\n' });
  agent.start();
  await upOn(a);
  t.equal(musterOf(a).lastLoss, undefined);
  await clock.advance(5_000);
  a.die();
  await upOn(b, 1_000);
  t.match(musterOf(b), { failovers: 1, lastLoss: /^a: / });
  a.behaviour = 'accept';
  await passes(clock, () => a.ready.length === 1, 20_000);
  await upOn(a);
  t.match(musterOf(a), { failovers: 1 });
  t.equal(musterOf(a).lastLoss, undefined, 'the link to b was well');
});

t.test('agent: a preferred host that does not get as far as Ready changes nothing', async t => {
  for (const spoil of [
    (a: FakeServer) => {
      a.behaviour = 'hang';
    },
    (a: FakeServer) => {
      a.behaviour = 'mute';
    },
    (a: FakeServer) => {
      a.onStartup = (link, startup) => link.startupAnswer(startup, { result: false });
    },
    (a: FakeServer) => {
      a.onStartup = link => link.link.close('half up');
    },
  ]) {
    const { agent, a, b, clock, network, upOn } = await bench(t, {
      file: 'guid=g\nhost=a,b\nhost.lb.check.interval=100\n',
    });
    a.behaviour = 'refuse';
    agent.start();
    await upOn(b);
    a.behaviour = 'accept';
    spoil(a);
    const isAsked = () => network.dialled.filter(dial => dial.endsWith(' a')).length === 2;
    await passes(clock, isAsked, 100_000);
    await passes(clock, () => agent.state.phase.kind === 'up', 31_000);
    t.equal(b.links.length, 1);
    t.equal(b.last.closed, undefined);
    t.equal(typeOf(await b.last.send([HEALTH])), 'CheckHealthAnswer', 'and it is served');
  }
});

t.test('agent: a migration moves it as transferred, and is answered first', async t => {
  const { agent, a, b, c, log, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  b.behaviour = 'refuse';
  const watch = watchReady([a, b, c]);
  const answer = await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: ['a'] })], FLAG.stopOnError);
  t.equal(typeOf(answer), 'MigrateAgentConnectionAnswer');
  t.same(resultsOf(answer), [true]);
  await upOn(c);
  await until(() => a.last.closed !== undefined);
  t.ok(watch.least() >= 1, 'never without a Ready link');
  t.match(startupOf(c), { connectionTransferred: true, id: 7 });
  t.equal(log.count('warn Cannot move to host: b'), 1, 'every host that is not avoided is tried');
});

t.test('agent: a migration that nobody takes ends where it began, and says why', async t => {
  const { agent, a, b, c, log, network, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  for (const server of [b, c]) server.behaviour = 'refuse';
  await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: [] })]);
  await until(() => log.count('error Cannot migrate') === 1);
  t.match(network.dialled, ['0 a', '0 b', '0 c']);
  t.equal(a.ready.length, 1);
});

t.test('agent: a migration with all other hosts avoided is answered result=false, and its lists are taken', async t => {
  const { agent, a, text, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  const migrate = MigrateAgentConnectionCommand.encode({
    msList: ['a', 'b'],
    lbAlgorithm: 'static',
    avoidMsList: ['a', 'b'],
  });
  const answer = await a.last.send([migrate]);
  t.equal(typeOf(answer), 'MigrateAgentConnectionAnswer');
  t.match(answer.messages[0]?.fields, { result: false, details: /no other management server/ });
  await until(() => text().includes('host=a,b@static'));
  t.same(agent.state.avoid, ['a', 'b']);
  t.equal(agent.state.phase.kind, 'up');
});

t.test('agent: registers anew with a server that has lost its row, by a new link', async t => {
  const { agent, a, clock, upOn } = await bench(t);
  a.pingAnswer = { sendStartup: true };
  // As a real server: the old link is closed before Ready goes out.
  a.onStartup = async (link, startup) => {
    for (const other of a.links) if (other !== link) other.link.close('a double');
    await link.register(startup);
  };
  agent.start();
  await upOn(a);
  a.answersPings = true;
  await passes(clock, () => a.links.length === 2, 61_000);
  a.pingAnswer = {};
  await until(() => a.last.isReady && agent.state.phase.kind === 'up');
  t.equal(a.last.of(StartupRoutingCommand).length, 1);
  t.equal(a.links[0]?.of(StartupRoutingCommand).length, 1, 'no second Startup on the live link');
  t.equal(a.ready.length, 1);
});

t.test('agent: never moves to the server that it is on, whatever its name', async t => {
  const { agent, a, clock, upOn } = await bench(t, {
    file: 'guid=g\nhost=localhost,a\nhost.lb.check.interval=10\n',
    names: { localhost: '::ffff:10.0.0.1', a: '10.0.0.1' },
  });
  agent.start();
  await upOn(a, 1_000);
  t.equal(readyLink(agent.state)?.host, 'a', 'the mapped address is not served here');
  await passes(clock, () => readyLink(agent.state)?.host === 'localhost', 11_000);
  t.equal(a.connections, 1, 'found out by its address, without a connection');
});

/** A resource whose answers wait for the test. */
function patientResource() {
  const waiting: (() => void)[] = [];
  const resource: Resource = {
    name: 'R',
    startup: () => ({}),
    answer: ({ type }, { signal }) =>
      new Promise(resolve => {
        waiting.push(() => resolve(Answer.encode({ result: true, details: `${type} ${signal.aborted}` })));
      }),
  };
  return { resource, waiting };
}

t.test('agent: commands in progress are answered on the old link before it closes', async t => {
  const { resource, waiting } = patientResource();
  const { agent, a, b, clock, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  const answer = a.last.send([command('com.cloud.agent.api.StartCommand')]);
  await until(() => waiting.length === 1);
  await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: ['a'] })]);
  await upOn(b);
  await clock.advance(29_000);
  t.equal(a.last.closed, undefined, 'the old link waits');
  waiting[0]?.();
  t.match((await answer).messages[0]?.fields, { result: true, details: /false$/ });
  await until(() => a.last.closed !== undefined);
  t.match(a.last.closed, { kind: 'peer' });
});

t.test('agent: an old link waits for its commands no longer than 30 s', async t => {
  const { resource, waiting } = patientResource();
  const { agent, a, b, clock, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  const answer = a.last.send([command('com.cloud.agent.api.StartCommand')]);
  answer.catch(() => {});
  await until(() => waiting.length === 1);
  await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: ['a'] })]);
  await upOn(b);
  await clock.advance(30_000);
  await until(() => a.last.closed !== undefined);
  await t.rejects(answer);
  waiting[0]?.();
  await settle();
  t.equal(b.ready.length, 1, 'a late answer harms nobody');
});

t.test('agent: the check of the preferred host waits for commands in progress', async t => {
  const { resource, waiting } = patientResource();
  const { agent, a, b, clock, upOn } = await bench(t, {
    resource,
    file: 'guid=g\nhost=a,b\nhost.lb.check.interval=10\n',
  });
  a.behaviour = 'refuse';
  agent.start();
  await upOn(b);
  a.behaviour = 'accept';
  const answer = b.last.send([command('com.cloud.agent.api.StartCommand')]);
  await until(() => waiting.length === 1);
  await clock.advance(40_000);
  await settle();
  t.equal(a.connections, 0);
  waiting[0]?.();
  await answer;
  await upOn(a, 1_000);
});

// ---- commands

t.test(
  'agent: commands of a batch are answered in order, up to the first failure where the server wants that',
  async t => {
    const { agent, a, upOn } = await bench(t);
    agent.start();
    await upOn(a);
    const unknown = command('com.cloud.agent.api.GetVncPortCommand', { id: 7 });
    const stopped = await a.last.send([HEALTH, unknown, HEALTH, HEALTH], FLAG.stopOnError);
    t.equal(typeOf(stopped), 'CheckHealthAnswer+UnsupportedAnswer+Answer+Answer');
    t.same(resultsOf(stopped), [true, false, false, false]);
    t.equal(stopped.messages[3]?.fields.details, 'Stopped by previous failure');
    const all = await a.last.send([unknown, HEALTH], 0);
    t.equal(typeOf(all), 'UnsupportedAnswer+CheckHealthAnswer');
    t.equal(all.flags, 0);
  },
);

t.test('agent: what it does not know, cannot read, or must not be null is answered', async t => {
  const { agent, a, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  const unknown = await a.last.send([command('com.example.NoSuchCommand')]);
  t.match(unknown.messages, [
    {
      type: 'com.cloud.agent.api.UnsupportedAnswer',
      fields: { result: false, details: /Unsupported command issued: com\.example\.NoSuchCommand\. {2}Are you sure/ },
    },
  ]);
  const withNull = await a.last.send([command(CheckHealthCommand.type, { contextMap: null, wait: 0 })]);
  t.match(withNull.messages, [{ type: Answer.type, fields: { result: false } }]);
  const without = await a.last.send([command(CheckHealthCommand.type)]);
  t.same(resultsOf(without), [true], 'it may be missing');

  // Broken JSON behind a good header: the answer echoes the header.
  const asked = a.last.send([command('xx')]);
  asked.catch(() => {});
  t.equal(typeOf(await brokenJson(a)), 'UnsupportedAnswer');
  t.equal(a.ready.length, 1, 'and the link stays');
});

/** Sends a request whose body is no JSON, under the sequence of a request that waits for its answer. */
async function brokenJson(server: FakeServer): Promise<Packet> {
  const { last } = server;
  const send = last.transport.send.bind(last.transport);
  last.transport.send = packet => {
    const bytes = Buffer.from(packet);
    bytes.fill('{', 40);
    send(bytes);
  };
  const answer = last.send([command('y')]);
  last.transport.send = send;
  return answer;
}

t.test('regression: agent: nonsense of a resource is answered result=false, and harms nobody', async t => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const replies: Record<string, unknown> = {
    nothing: undefined,
    null: null,
    number: 7,
    empty: {},
    typeless: { fields: {} },
    fieldless: { type: 'X' },
    circular: { type: 'X', fields: circular },
  };
  const resource: Resource = {
    name: 'R',
    startup: () => ({}),
    answer({ type }) {
      if (type === 'throws') throw new Error('not today');
      if (type === 'rejects') return Promise.reject('a text');
      return replies[type] as Message | undefined;
    },
  };
  const { agent, a, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(a);
  for (const type of ['throws', 'rejects', ...Object.keys(replies)]) {
    t.same(resultsOf(await a.last.send([command(type)], 0)), [false], type);
  }
  t.equal(a.ready.length, 1);
});

t.test('agent: a resource that cannot describe its machine is a failure of the dial, not of the process', async t => {
  let calls = 0;
  const resource: Resource = {
    name: 'R',
    startup() {
      calls++;
      if (calls === 1) throw new Error('not yet');
      return {};
    },
    answer: () => undefined,
  };
  const { agent, b, log, upOn } = await bench(t, { resource });
  agent.start();
  await upOn(b);
  t.match(log.fieldsOf('warn Cannot connect to host: a'), { reason: 'not yet' });
});

t.test('regression: agent: a resource that never describes its machine does not hold up the dial for ever', async t => {
  let calls = 0;
  const resource: Resource = {
    name: 'R',
    startup: () => (++calls === 1 ? new Promise<never>(() => {}) : {}),
    answer: () => undefined,
  };
  const { agent, b, clock, upOn } = await bench(t, { resource });
  agent.start();
  await until(() => calls === 1);
  await upOn(b, LIMITS.startupAnswerMs + 1_000);
  await agent.stop();
  t.equal(clock.pending, 0);
});

// ---- earlier links

t.test('agent: a late reply on an earlier link changes nothing', async t => {
  const { agent, a, b, clock, text, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  a.answersPings = false;
  await clock.advance(60_000);
  await until(() => a.last.of(PingRoutingCommand).length === 1);
  const [ping] = a.last.of(PingRoutingCommand);
  b.onStartup = async (link, startup) => {
    link.startupAnswer(startup);
    await link.ready();
  };
  await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: [] })]);
  await until(() => agent.state.phase.kind === 'settling');
  const before = agent.state;
  a.pingAnswer = { avoidMsList: ['c'], sendStartup: true };
  if (ping) a.last.pingAnswer(ping);
  a.identity = { hostId: 99, hostUuid: 'other', hostName: 'other' };
  await a.last.ready({ msHostList: ['c'], lbAlgorithm: 'static' });
  await a.last.send([ShutdownCommand.encode({ removeHost: true })]);
  await settle();
  t.equal(agent.state, before);
  t.notMatch(text(), /99|other/, 'regression: nor does it say who we are');
  await clock.advance(5_000);
  await until(() => a.last.closed !== undefined);
  await upOn(b);
});

// ---- the end

t.test('agent: a server that shuts it down finds it idle, for good', async t => {
  const { agent, a, clock, log, network, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  t.equal(typeOf(await a.last.send([ShutdownCommand.encode({ reason: 'deleteHost' })])), 'Answer');
  await until(() => agent.state.phase.kind === 'idle');
  t.equal(log.count('error Agent stays idle'), 1);
  const requests = a.last.requests.length;
  await clock.advance(600_000);
  t.equal(a.last.requests.length, requests, 'no more pings');
  a.last.link.close('as servers do');
  await settle();
  await clock.advance(600_000);
  t.same(network.dialled, ['0 a']);
  t.equal(clock.pending, 0);
});

t.test('agent: a server that removes its host blanks zone, pod and cluster', async t => {
  const { agent, a, text, upOn } = await bench(t, { file: 'guid=g\nhost=a\nzone=z\npod=p\ncluster=c\n' });
  agent.start();
  await upOn(a);
  await a.last.send([ShutdownCommand.encode({ removeHost: true })]);
  await until(() => text().includes('zone=\npod=\ncluster=\n'));
  t.same(agent.state.phase, { kind: 'idle', reason: 'removed' });
});

t.test('agent: stopping tells the server, ends by FIN, and leaves no timer', async t => {
  const { agent, a, clock, upOn } = await bench(t);
  agent.start();
  await upOn(a);
  await agent.stop();
  await until(() => a.last.closed !== undefined);
  const shutdown = a.last.requests.at(-1);
  t.match(shutdown, {
    flags: FLAG.request | FLAG.stopOnError | FLAG.inSequence,
    sequence: -1n,
    mgmtId: -1n,
    agentId: 7n,
    via: 7n,
    messages: [{ type: ShutdownCommand.type, fields: { reason: 'sig.kill', removeHost: false } }],
  });
  await settle();
  t.equal(clock.pending, 0);
  await clock.advance(600_000);
  t.equal(a.connections, 1, 'and it stays away');
});

t.test('agent: stopping is fit for any moment', async t => {
  for (const [what, prepare] of [
    ['before the start', null],
    ['at once', async () => {}],
    [
      'during TLS',
      async ({ a }) => {
        a.behaviour = 'mute';
        await settle();
      },
    ],
    [
      'during the connect',
      async ({ a }) => {
        a.behaviour = 'hang';
        await settle();
      },
    ],
    [
      'before the StartupAnswer',
      async ({ a }) => {
        a.onStartup = () => {};
        await until(() => a.links.length === 1 && a.last.requests.length === 1);
      },
    ],
    [
      'before Ready',
      async ({ a }) => {
        a.onStartup = (link, startup) => link.startupAnswer(startup);
        await until(() => a.links.length === 1 && a.last.requests.length === 1);
        await settle();
      },
    ],
    [
      'while it waits',
      async ({ a, b, c, agent }) => {
        for (const s of [a, b, c]) s.behaviour = 'refuse';
        await until(() => agent.state.phase.kind === 'waiting');
      },
    ],
    [
      'while it moves',
      async ({ a, b, agent, upOn }) => {
        await upOn(a);
        b.onStartup = () => {};
        await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: [] })]);
        await until(() => agent.state.phase.kind === 'moving' && b.links.length === 1);
      },
    ],
    [
      'while it settles',
      async ({ a, b, agent, upOn }) => {
        await upOn(a);
        b.onStartup = (link, startup) => {
          link.startupAnswer(startup);
          return link.ready();
        };
        await a.last.send([MigrateAgentConnectionCommand.encode({ avoidMsList: [] })]);
        await until(() => agent.state.phase.kind === 'settling');
      },
    ],
    [
      'when shut down',
      async ({ a, agent, upOn }) => {
        await upOn(a);
        await a.last.send([ShutdownCommand.encode({})]);
        await until(() => agent.state.phase.kind === 'idle');
      },
    ],
  ] as [string, null | ((world: Awaited<ReturnType<typeof bench>>) => Promise<void>)][]) {
    const world = await bench(t);
    const { agent, a, b, c, clock } = world;
    if (prepare) {
      agent.start();
      await prepare(world);
    }
    await agent.stop();
    await until(() => [a, b, c].every(({ links }) => links.every(({ closed }) => closed !== undefined)), what);
    await settle();
    t.equal(clock.pending, 0, what);
    await agent.stop();
  }
});
