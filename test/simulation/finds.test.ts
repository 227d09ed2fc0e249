// What the simulation has found, each as the plan by which it was seen.
import t from 'tap';
import type { Fault } from './schedule.js';
import { Simulation } from './simulation.js';
import { worldOf } from './worlds.js';

/** Runs a world of two servers and one agent with these faults, by their moments in milliseconds. */
async function failureOf(seed: number, ...plan: readonly (readonly [number, Fault])[]): Promise<string | undefined> {
  const faults = plan.map(([at, fault]) => ({ at, fault }));
  return (await Simulation.run(worldOf(seed, { servers: 2, agents: 1 }, faults))).failure;
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
