import t from 'tap';
import { runSeeds } from './run-seeds.js';
import { FAULT_KINDS, planFaults } from './schedule.js';
import { shrink } from './shrink.js';
import { Simulation } from './simulation.js';
import { World } from './world.js';
import { type WorldRules, worldOf } from './worlds.js';

const SEEDS = 200;

t.test('simulation: nothing that must hold is broken in the worlds of 200 seeds', async t => {
  let done = 0;
  const hold = async (from: number, count: number, rules: WorldRules, options: string) => {
    const failed = await runSeeds({ from, count, rules, onOutcome: () => void done++ });
    t.equal(failed?.failure, undefined, `npm run simulate -- --seed ${failed?.seed}${options} shows it`);
  };
  await hold(1, 50, {}, '');
  // Most faults need no more than these, and they take half the time.
  await hold(51, SEEDS - 50, { servers: 2, agents: 2 }, ' --servers 2 --agents 2');
  t.equal(done, SEEDS);
});

t.test('simulation: a run is its seed, to the byte', async t => {
  const one = await Simulation.run(worldOf(3, {}));
  const other = await Simulation.run(worldOf(3, {}));
  t.equal(one.transcript.table(), other.transcript.table());
  t.ok(one.faults.length > 0);
  const another = await Simulation.run(worldOf(6, {}));
  t.not(one.transcript.table(), another.transcript.table());
});

t.test('simulation: every kind of fault is planned, and a plan is its seed', async t => {
  const planned = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const plan = () =>
      planFaults(new World(seed).random('faults'), { servers: 3, agents: 3 }, { kinds: FAULT_KINDS, duringMs: 60_000 });
    t.same(plan(), plan());
    for (const { fault } of plan()) planned.add(fault.kind);
  }
  t.same([...planned].sort(), [...FAULT_KINDS].sort());
});

t.test('simulation: a rolling upgrade takes the link of no agent', async t => {
  for (const way of ['maintenance', 'shutdown', 'signal'] as const) {
    const faults = [{ at: 1_000, fault: { kind: 'upgrade', servers: [1, 0, 2], way, ms: 3_000 } }] as const;
    const { failure, transcript } = await Simulation.run(worldOf(1, { servers: 3, agents: 3 }, faults));
    t.equal(failure, undefined);
    t.same(
      transcript.lines.filter(({ who, what }) => who.startsWith('agent-') && what.startsWith('lost ')),
      [],
      way,
    );
    t.equal(transcript.lines.filter(({ what }) => what === 'has stopped').length, 6, 'all three, and in the end');
  }
});

t.test('simulation: a plan that fails is shrunk to what it fails by', async t => {
  const plan = planFaults(
    new World(7).random('faults'),
    { servers: 3, agents: 3 },
    { kinds: FAULT_KINDS, duringMs: 60_000 },
  );
  const [one, other] = [plan[1], plan.at(-1)];
  const shortest = await shrink(plan, async faults => faults.includes(one ?? none) && faults.includes(other ?? none));
  t.same(shortest, [one, other]);
});

const none = { at: -1, fault: { kind: 'tear', ms: 0 } } as const;
