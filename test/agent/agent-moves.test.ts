import t, { type Test } from 'tap';
import { readyLink } from '../../src/agent/agent-state.js';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import { MigrateAgentConnectionCommand, PingRoutingCommand, SetupMSListCommand } from '../../src/protocol/index.js';
import { settle } from '../../src/testing/fake-clock.js';
import type { FakeLink } from '../../src/testing/fake-server.js';
import { type Bench, type BenchOptions, bench, passes } from '../helpers/agent-bench.js';
import { type AgentPlay, listed, upFor } from '../helpers/agent-play.js';

type Startup = Parameters<FakeLink['startupAnswer']>[0];

/** It answers Startup and pings, and is never Ready. */
const halfUp = (link: FakeLink, startup: Startup) => link.startupAnswer(startup);

const readyHost = ({ agent }: Bench) => readyLink(agent.state)?.host;

/** An agent that prefers a, and is on b since a refused it; a takes connections again. */
async function onSecond(t: Test, checkSeconds: number, options: BenchOptions = {}): Promise<Bench> {
  const file = `guid=g\nhost=a,b,c\nhost.lb.check.interval=${checkSeconds}\n`;
  const world = await bench(t, { file, ...options });
  world.a.behaviour = 'refuse';
  world.agent.start();
  await passes(world.clock, () => readyHost(world) === 'b', 5_000);
  world.a.behaviour = 'accept';
  return world;
}

/** Time goes on until it holds, or for so long. @returns ms */
async function timeUntil({ clock }: Bench, holds: () => boolean, withinMs: number): Promise<number> {
  const from = clock.now();
  const end = from + withinMs;
  await settle();
  while (!holds() && clock.now() < end) await clock.advanceToNext(end - clock.now());
  return clock.now() - from;
}

t.test(
  'regression: moves: when the link is lost while a half-up host holds the way back, another well host is taken',
  async t => {
    const world = await onSecond(t, 60);
    const { agent, a, b, c } = world;
    a.onStartup = halfUp;
    await timeUntil(world, () => agent.state.phase.kind === 'moving', 61_000);
    t.equal(agent.state.phase.kind, 'moving');
    await timeUntil(world, () => false, 3_000);
    b.die('refuse');
    await settle();
    t.notOk(readyHost(world));
    const took = await timeUntil(world, () => readyHost(world) !== undefined, 20 * 60_000);
    t.ok(took < 60_000, `off the air for ${took} ms, with ${c.connections} connections to c, which is well`);
  },
);

t.test(
  'regression: moves: a silent server is left within two pings while a half-up host holds the way back',
  async t => {
    const world = await onSecond(t, 60);
    const { agent, a, b } = world;
    a.onStartup = halfUp;
    await timeUntil(world, () => agent.state.phase.kind === 'moving', 61_000);
    b.answersPings = false;
    const isWell = () => agent.state.phase.kind === 'up' && readyHost(world) === 'c';
    const took = await timeUntil(world, isWell, 40 * 60_000);
    t.ok(took < 200_000, `on a well server after ${took} ms`);
  },
);

t.test(
  'regression: moves: a half-up first host holds an agent that joins for a minute, not for a quarter of an hour',
  async t => {
    const world = await bench(t);
    world.a.onStartup = halfUp;
    world.agent.start();
    const took = await timeUntil(world, () => readyHost(world) !== undefined, 40 * 60_000);
    t.equal(readyHost(world), 'b');
    t.ok(took < 100_000, `Ready after ${took} ms`);
  },
);

t.test('regression: moves: an agent that is asked again and again gets beyond a mute first target', async t => {
  const world = await bench(t);
  const { agent, a, b, c, upOn } = world;
  agent.start();
  await upOn(a);
  b.behaviour = 'mute';
  const migrate = MigrateAgentConnectionCommand.encode({
    msList: ['a', 'b', 'c'],
    avoidMsList: ['a'],
    lbAlgorithm: 'static',
    lbCheckInterval: 0,
  });
  for (let n = 0; n < 20 && readyHost(world) !== 'c'; n++) {
    await a.last.send([migrate]);
    await timeUntil(world, () => false, 15_000);
  }
  t.equal(readyHost(world), 'c', `${b.connections} dials of b, ${c.connections} of c`);
});

t.test('regression: moves: a command that is never answered does not stop the way back for ever', async t => {
  const resource = { ...builtInResource('R'), answer: () => new Promise<undefined>(() => {}) };
  const world = await onSecond(t, 10, { resource });
  world.b.last.send([{ type: 'com.cloud.agent.api.GetHostStatsCommand', fields: { wait: 60 } }]).catch(() => {});
  await settle();
  await timeUntil(world, () => readyHost(world) === 'a', 3_600_000);
  t.equal(readyHost(world), 'a', 'within an hour');
});

t.test('regression: moves: the id that a refused dial was told is neither kept nor sent on the good link', async t => {
  const world = await onSecond(t, 60);
  const { a, b, text } = world;
  a.identity = { hostId: 99, hostUuid: 'foreign', hostName: 'foreign' };
  a.onStartup = async (link, startup) => {
    link.startupAnswer(startup);
    await link.ready({ _details: 'wrong zone' });
  };
  await timeUntil(world, () => false, 200_000);
  await settle();
  t.ok(a.links.length > 0, 'it was dialled');
  t.notMatch(text(), /R\.id=99/);
  const ids = b.last
    .of(PingRoutingCommand)
    .map(({ messages: [message], agentId }) => [message?.fields.hostId, agentId]);
  t.same(
    ids.filter(([hostId, agentId]) => `${hostId}` === '99' || agentId === 99n),
    [],
  );
});

for (const staysSeconds of [1, 6, 31]) {
  t.test(
    `regression: moves: a preferred host that drops the agent after ${staysSeconds} s is tried more and more seldom`,
    async t => {
      const world = await onSecond(t, 10);
      const { a, clock, log } = world;
      const drops: number[] = [];
      a.onStartup = async (link, startup) => {
        await link.register(startup);
        drops.push(clock.now() + staysSeconds * 1_000);
      };
      for (const end = clock.now() + 1_200_000; clock.now() < end; ) {
        await clock.advance(500);
        if ((drops[0] ?? Number.POSITIVE_INFINITY) > clock.now()) continue;
        drops.shift();
        for (const { link, closed } of a.links) if (closed === undefined) link.close('flap');
      }
      // The time to the next is doubled each time: 20 s, 40 s, 80 s and so on.
      const lost = log.count('warn Lost connection');
      t.ok(lost > 0 && lost <= 8, `${lost} losses in 20 minutes`);
    },
  );
}

t.test(
  'regression: moves: two servers that tell lists with the other one first do not move an agent to and fro for ever',
  async t => {
    const world = await bench(t, { file: 'guid=g\nhost=a,b\n' });
    const { agent, a, b, log, upOn } = world;
    a.list = { msHostList: ['b', 'a'], lbAlgorithm: 'static', lbCheckInterval: 10 };
    b.list = { msHostList: ['a', 'b'], lbAlgorithm: 'static', lbCheckInterval: 10 };
    agent.start();
    await upOn(a);
    await timeUntil(world, () => false, 1_200_000);
    const moves = log.count('info Connected to the host');
    t.ok(moves <= 9, `${moves} moves in 20 minutes`);
  },
);

t.test('regression: moves: a way back to a host that leaves the list meanwhile ends', async t => {
  const file = 'guid=g\nhost=a,b,c\nhost.lb.check.interval=10\n';
  const { agent, a, b, clock } = await bench(t, { file });
  a.behaviour = 'refuse';
  agent.start();
  await passes(clock, () => readyLink(agent.state)?.host === 'b', 5_000);
  a.behaviour = 'accept';
  let register: (() => void) | undefined;
  a.onStartup = (link, startup) => {
    register = () => void link.register(startup).catch(() => {});
  };
  await passes(clock, () => register !== undefined, 11_000);
  await b.last.send([
    SetupMSListCommand.encode({
      msList: ['b', 'c'],
      avoidMsList: ['a'],
      lbAlgorithm: 'static',
      lbCheckInterval: 10,
      triggerHostLb: false,
    }),
  ]);
  await settle();
  register?.();
  await clock.advance(1_000);
  t.equal(readyLink(agent.state)?.host, 'b');
});

t.test(
  'regression: moves: a check that was triggered while the agent was busy is not lost with the next list',
  async t => {
    const play = onSecondPurely();
    play.busy = true;
    play.update(2, listed('A,B,C', { checkIntervalSeconds: 0 }), true);
    play.tickWhenDue();
    play.update(2, listed('A,B,C', { checkIntervalSeconds: 0 }), false);
    play.busy = false;
    t.match(playUntilDial(play), /^dial \d+ A/);
  },
);

t.test('regression: moves: a check that was triggered during a move is made when the move has ended', async t => {
  const play = onSecondPurely();
  play.suspect(2);
  play.update(2, listed('A,B,C', { checkIntervalSeconds: 0 }), true);
  t.equal(play.kind, 'moving');
  play.on({ kind: 'heard', id: 2 });
  t.match(playUntilDial(play), /^dial \d+ A/);
});

/** Up on B of A,B,C, since A was lost. */
function onSecondPurely(): AgentPlay {
  const play = upFor('A,B,C', 60_000);
  play.lost(1);
  play.tickWhenDue();
  play.ready(2);
  play.logged();
  return play;
}

/** @returns the first dial within ten minutes; '' when there is none */
function playUntilDial(play: AgentPlay): string {
  for (const end = play.now + 600_000; play.dueIn !== undefined && play.now + play.dueIn <= end; ) {
    const dial = play.tickWhenDue().find(effect => effect.startsWith('dial'));
    if (dial !== undefined) return dial;
  }
  return '';
}
