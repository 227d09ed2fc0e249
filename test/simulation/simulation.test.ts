import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { testFolder } from '../helpers/scratch.js';
import { failureKind } from './failure-kind.js';
import { runSeeds } from './run-seeds.js';
import { FAULT_KINDS, planFaults } from './schedule.js';
import { shrink } from './shrink.js';
import { Simulation } from './simulation.js';
import { World } from './world.js';
import { commandOf, type WorldRules, worldOf } from './worlds.js';

const SEEDS = 200;

t.test('simulation: nothing that must hold is broken in the worlds of 200 seeds', async t => {
  let done = 0;
  const hold = async (from: number, count: number, rules: WorldRules) => {
    const failed = await runSeeds({ from, count, rules, onOutcome: () => void done++ });
    t.equal(failed?.failure, undefined, `${commandOf(failed?.seed ?? from, rules)} shows it`);
  };
  await hold(1, 50, {});
  // Most faults need no more than these, and they take half the time.
  await hold(51, SEEDS - 50, { servers: 2, agents: 2 });
  t.equal(done, SEEDS);
});

t.test('simulation: a run is its seed, to the byte', async t => {
  const run = (seed: number) => Simulation.run(worldOf(seed, { servers: 2, agents: 2 }));
  // In that of 104 a disk is full when temporary files are made, whose names chance makes.
  for (const seed of [3, 104]) {
    const [one, other] = [await run(seed), await run(seed)];
    t.equal(one.transcript.table(), other.transcript.table());
    t.ok(one.faults.length > 0);
    t.not(one.transcript.table(), (await run(6)).transcript.table());
  }
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

const PLAN = {
  ...{ servers: 3, agents: 3 },
  faults: planFaults(
    new World(7).random('faults'),
    { servers: 3, agents: 3 },
    { kinds: FAULT_KINDS, duringMs: 60_000 },
  ),
};

for (const atOnce of [1, 3]) {
  t.test(`simulation: a world that fails is shrunk to what it fails by, ${atOnce} at once`, async t => {
    const needed = [PLAN.faults[1], PLAN.faults.at(-1)];
    const shortest = await shrink(PLAN, {
      atOnce,
      fails: async ({ servers, agents, faults }) =>
        servers >= 2 && agents >= 1 && needed.every(fault => fault !== undefined && faults.includes(fault)),
    });
    t.same(shortest, { servers: 2, agents: 1, faults: needed });
  });
}

t.test('simulation: no more worlds are run to shrink one than may be', async t => {
  let tried = 0;
  await shrink(PLAN, { attempts: 5, fails: async () => ++tried < 0 });
  t.ok(tried <= 8, `${tried}: five, and then one to see whether machines can be left out`);
});

t.test('simulation: failures are of one kind when only names, numbers and texts differ', async t => {
  const kind = failureKind('agent-1 has left its Ready link without another one (tick)');
  t.equal(failureKind('agent-12 has left its Ready link without another one (tick)'), kind);
  t.not(failureKind('agent-1 has left its Ready link without another one (migrate)'), kind);
  t.not(failureKind('agent-1 has 3 links'), kind);
  t.equal(
    failureKind('agent.properties of agent-1 now is not whole: "a\\"b"'),
    failureKind('agent.properties of agent-2 now is not whole: ""'),
  );
  t.equal(
    failureKind('agent-1: has the list 192.0.2.1,192.0.2.2, and the newest is 192.0.2.2,192.0.2.1,192.0.2.3'),
    failureKind('agent-3: has the list 192.0.2.3, and the newest is 192.0.2.1'),
  );
});

t.test('simulation: a failure is told with the whole command that repeats it', async t => {
  t.equal(commandOf(7, {}), 'npm run simulate -- --seed 7');
  t.equal(
    commandOf(19, { servers: 2, agents: 3, kinds: ['kill', 'path'] }),
    'npm run simulate -- --seed 19 --servers 2 --agents 3 --faults kill,path',
  );
});

t.test('simulation: a world in which more and more happens at one moment ends, and says what', async t => {
  const world = new World(1);
  const again = () => void world.clock.after(0, again);
  world.clock.after(1_000, again);
  await t.rejects(
    world.runUntil(2_000, () => {}),
    { message: /^20000 things have happened at one moment.*again/ },
  );
  t.equal(world.now, 1_000);
});

t.test('simulation: a world that never yields is ended, and named by its seed', async t => {
  const worker = join(testFolder(t), 'worker.mjs');
  writeFileSync(
    worker,
    `process.on('message', ({ seed }) => { for (;;) if (seed !== 3) return process.send({ seed }); });`,
  );
  const told: number[] = [];
  const onOutcome = ({ seed }: { readonly seed: number }) => void told.push(seed);
  const failed = await runSeeds({ from: 1, count: 5, rules: {}, processes: 1, worker, limitMs: 3_000, onOutcome });
  t.match(failed, { seed: 3, isTimedOut: true, failure: 'it has run for 3 s of real time, and was ended' });
  t.same(told, [1, 2, 3], 'and no more worlds are run');
});
