// What the simulation has found, each as the plan by which it was seen.
import t from 'tap';
import type { Fault } from './schedule.js';
import { Simulation, type WorldOptions } from './simulation.js';
import { worldOf } from './worlds.js';

type Plan = readonly (readonly [number, Fault])[];

/** Runs a world of two servers and one agent with these faults, by their moments in milliseconds. */
function failureOf(seed: number, ...plan: Plan): Promise<string | undefined> {
  return failureIn({ seed, servers: 2, agents: 1 }, ...plan);
}

async function failureIn({ seed, ...shape }: WorldOptions, ...plan: Plan): Promise<string | undefined> {
  const faults = plan.map(([at, fault]) => ({ at, fault }));
  return (await Simulation.run(worldOf(seed, shape, faults))).failure;
}

t.test('regression: a server that stops ends the handshake with another server that it is in', async t => {
  const [one, other] = [
    { of: 'server', index: 0 },
    { of: 'server', index: 1 },
  ] as const;
  const failure = await failureOf(
    1,
    [1_000, { kind: 'path', from: one, to: other, state: 'stalled', isOneWay: false, ms: 60_000 }],
    [1_100, { kind: 'rebalance', via: 0 }],
    [1_500, { kind: 'stop', place: one, ms: 1_000 }],
  );
  t.equal(failure, undefined);
});

t.test('regression: a server that stops ends the job that waits for an agent to come back', async t => {
  const [server, agent] = [
    { of: 'server', index: 0 },
    { of: 'agent', index: 0 },
  ] as const;
  const failure = await failureOf(
    1,
    [
      1_000,
      { kind: 'path', from: agent, to: { of: 'server', index: 1 }, state: 'blackhole', isOneWay: false, ms: 60_000 },
    ],
    [1_001, { kind: 'reconnect', via: 0, agent: 0 }],
    [1_020, { kind: 'freeze', place: agent, ms: 20_000 }],
    [1_300, { kind: 'stop', place: server, ms: 1_000 }],
  );
  t.equal(failure, undefined);
});

t.test('regression: a server whose link is dead does not take a host back from one that had it later', async t => {
  const [agent, server] = [
    { of: 'agent', index: 0 },
    { of: 'server', index: 0 },
  ] as const;
  const failure = await failureOf(
    504,
    [25_967, { kind: 'path', from: agent, to: server, state: 'blackhole', isOneWay: true, ms: 14_748 }],
    [40_263, { kind: 'stop', place: agent, ms: 22_674 }],
  );
  t.equal(failure, undefined);
});

t.test(
  'regression: a server that stops just after its start ends what waits until the others could be heard',
  async t => {
    const failure = await failureIn(
      { seed: 8, servers: 4, agents: 1 },
      [32_987, { kind: 'upgrade', servers: [1, 0, 2, 3], way: 'shutdown', ms: 229 }],
      [35_856, { kind: 'upgrade', servers: [0, 1, 2, 3], way: 'signal', ms: 891 }],
    );
    t.equal(failure, undefined);
  },
);

t.test(
  'regression: of two machines with one guid one is Ready, also when the other has moved a moment before',
  async t => {
    const failure = await failureIn(
      { seed: 1, servers: 3, agents: 2 },
      [10_667, { kind: 'clone', agent: 1, ms: 42_461 }],
      [17_955, { kind: 'kill', place: { of: 'server', index: 0 }, isPowerCut: true, steps: 284, ms: 162 }],
      [30_953, { kind: 'clone', agent: 0, ms: 46_054 }],
      [60_658, { kind: 'kill', place: { of: 'server', index: 2 }, isPowerCut: false, steps: 243, ms: 26_033 }],
      [65_493, { kind: 'clone', agent: 1, ms: 112_932 }],
    );
    t.equal(failure, undefined);
  },
);

t.test('regression: an agent whose host was removed, and that was not told, comes back by a token', async t => {
  const failure = await failureIn({ seed: 2, servers: 4, agents: 3 }, [
    45_379,
    { kind: 'remove', via: 0, agent: 1, isForced: false, ms: 30_298 },
  ]);
  t.equal(failure, undefined);
});

t.test(
  'regression: a server that stops in the moment in which it reaches another one leaves no handshake behind',
  async t => {
    const failure = await failureIn(
      { seed: 379, servers: 3, agents: 4 },
      [65_053, { kind: 'freeze', place: { of: 'server', index: 2 }, ms: 64_273 }],
      [66_515, { kind: 'upgrade', servers: [1, 0, 2], way: 'maintenance', ms: 4_228 }],
      [70_884, { kind: 'store', servers: [1], weather: { kind: 'slow', ms: 129 }, ms: 32_317 }],
    );
    t.equal(failure, undefined);
  },
);

t.test(
  'regression: no third link beside one that a move has left, and on which a command is still answered',
  async t => {
    const failure = await failureIn(
      { seed: 101_097, servers: 2, agents: 2 },
      [65_034, { kind: 'freeze', place: { of: 'agent', index: 1 }, ms: 89_861 }],
      [70_758, { kind: 'command', via: 1, agent: 1, wait: 11 }],
      [71_244, { kind: 'provision', via: 1, agent: 1 }],
      [81_527, { kind: 'shutdown', via: 1, server: 0, ms: 35_068 }],
    );
    t.equal(failure, undefined);
  },
);

t.test('regression: a job that another server has taken leaves no batch of outcomes that waits', async t => {
  const failure = await failureIn(
    { seed: 101_245, servers: 2, agents: 2 },
    [1_412, { kind: 'job', via: 0, wait: 16 }],
    [3_400, { kind: 'leave', agent: 1, how: 'power-cut' }],
    [7_150, { kind: 'freeze', place: { of: 'server', index: 0 }, ms: 78_781 }],
  );
  t.equal(failure, undefined);
});

t.test('regression: a Ready that comes late takes no host from a server with a later link of its agent', async t => {
  const [agent, server] = [
    { of: 'agent', index: 1 },
    { of: 'server', index: 1 },
  ] as const;
  const failure = await failureIn(
    { seed: 1_001_314, servers: 2, agents: 2 },
    [31_300, { kind: 'delay', from: agent, to: server, delayMs: 4_700, ms: 52_700 }],
    [47_300, { kind: 'stop', place: { of: 'server', index: 0 }, ms: 1_500 }],
  );
  t.equal(failure, undefined);
});

t.test('regression: a server that stops leaves no link that is to end since its host was removed', async t => {
  const servers = [0, 1, 2];
  const failure = await failureIn(
    { seed: 201_145, servers: 3, agents: 2 },
    [40_333, { kind: 'store', servers, weather: { kind: 'slow', ms: 959 }, ms: 21_954 }],
    [45_821, { kind: 'upgrade', servers, way: 'signal', ms: 3_967 }],
    [48_016, { kind: 'remove', via: 1, agent: 0, isForced: true, ms: 20_802 }],
  );
  t.equal(failure, undefined);
});

t.test(
  'regression: a server that begins to drain leaves the link of an agent whose answer to Ready is on its way',
  async t => {
    const failure = await failureIn(
      { seed: 47, servers: 3, agents: 3 },
      [
        36_364,
        { kind: 'delay', from: { of: 'agent', index: 2 }, to: { of: 'server', index: 0 }, delayMs: 4_702, ms: 58_937 },
      ],
      [50_336, { kind: 'shutdown', via: 1, server: 0, ms: 11_061 }],
      [88_403, { kind: 'shutdown', via: 2, server: 0, ms: 46_528 }],
    );
    t.equal(failure, undefined);
  },
);
