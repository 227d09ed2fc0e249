// npm run simulate: runs worlds of many seeds, and tells of the first one in which something did not hold.
import { parseArgs } from 'node:util';
import { oneOf, readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { ProgressLine } from '../../src/program/progress-line.js';
import { ProgressBar } from '../helpers/progress-bar.js';
import { failureKind } from './failure-kind.js';
import { runSeeds } from './run-seeds.js';
import { FAULT_KINDS } from './schedule.js';
import { shrink, type WorldPlan } from './shrink.js';
import { type WorldOutcome, WorldPool } from './world-pool.js';
import { commandOf, type WorldRules, worldOf } from './worlds.js';

const USAGE = `usage: npm run simulate -- [--seeds N] [--seed S] [--agents A] [--servers M] [--faults KIND,…] [--limit SECONDS] [--transcript]

  --seeds N       how many worlds (1000)
  --seed S        the seed of the first one (1); alone: of the only one
  --servers M     servers of each world, 1 to 5 (2 to 4, by the seed)
  --agents A      agents of each world (1 to 4, by the seed)
  --faults KIND,… what may happen: ${FAULT_KINDS.join(', ')} (all)
  --limit SECONDS for how long one world may run, in real time (120)
  --transcript    prints who did what when, also when all holds
`;
const MOST_SERVERS = 5;
const LINES = 120;

const { seeds, seed, rules, isTold, limitMs } = readArguments(USAGE, () => {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      agents: { type: 'string' },
      servers: { type: 'string' },
      faults: { type: 'string' },
      limit: { type: 'string', default: '120' },
      transcript: { type: 'boolean', default: false },
    },
  });
  const numberOf = (name: 'seeds' | 'seed' | 'agents' | 'servers', least: number, most: number) =>
    values[name] === undefined ? undefined : wholeNumber(`--${name}`, values[name], least, most);
  const rules: WorldRules = {
    servers: numberOf('servers', 1, MOST_SERVERS),
    agents: numberOf('agents', 1, 250),
    kinds: values.faults?.split(',').map(text => oneOf('--faults', text, FAULT_KINDS)),
  };
  return {
    seeds: numberOf('seeds', 1, 10 ** 9) ?? (values.seed === undefined ? 1_000 : 1),
    seed: numberOf('seed', 0, 2 ** 31) ?? 1,
    rules,
    isTold: values.transcript,
    limitMs: wholeNumber('--limit', values.limit, 1, 10 ** 6) * 1_000,
  };
});
process.exitCode = seeds === 1 ? await one() : await many();

async function many(): Promise<number> {
  const bar = new ProgressBar(seeds);
  let done = 0;
  let simulatedMs = 0;
  const failed = await runSeeds({
    ...{ from: seed, count: seeds, rules, limitMs },
    onOutcome: outcome => {
      done++;
      simulatedMs += outcome.simulatedMs;
      const rate = `${(done / bar.seconds).toFixed(1)} worlds/s`;
      bar.tell(done, `${rate}, ${(simulatedMs / 3_600_000).toFixed(1)} h simulated`);
    },
  });
  bar.end();
  if (failed !== undefined) return explain(failed);
  console.log(`${seeds} worlds, from seed ${seed}: all held`);
  return 0;
}

async function one(): Promise<number> {
  const pool = new WorldPool({ processes: 1, limitMs });
  const outcome = await pool.run({ seed, rules, lines: 'all' }).finally(() => pool.close());
  if (outcome.failure !== undefined) return explain(outcome);
  if (isTold) console.log(outcome.table);
  const seconds = Math.round(outcome.simulatedMs / 1000);
  console.log(`seed ${seed}: all held (${outcome.faults.length} faults, ${seconds} s)`);
  return 0;
}

/** Of a world that failed: looks for a smaller one that fails likewise, and tells what happened in that. */
async function explain({ seed: number, failure = '', isTimedOut, faults }: WorldOutcome): Promise<number> {
  console.log(`seed ${number}: ${failure}\nonce more: ${commandOf(number, rules)}`);
  if (isTimedOut) return 1;
  const { servers, agents } = worldOf(number, rules);
  const kind = failureKind(failure);
  const pool = new WorldPool({ limitMs });
  try {
    const run = (world: WorldPlan, lines?: 'all' | number) =>
      pool.run({ seed: number, rules: { ...rules, ...shapeOf(world) }, faults: world.faults, ...(lines && { lines }) });
    const line = new ProgressLine();
    const shortest = await shrink(
      { servers, agents, faults },
      {
        fails: async world => failureKind((await run(world)).failure ?? '') === kind,
        atOnce: pool.processes,
        onProgress: (world, tried) =>
          line.tell(`looking for a smaller world: ${describe(world)} (of ${faults.length}) after ${tried} worlds`),
      },
    );
    line.end();
    const last = await run(shortest, isTold ? 'all' : LINES);
    console.log(`\n${last.table}\n\nseed ${number}: ${last.failure}\nonce more: ${commandOf(number, rules)}`);
    console.log(`the smallest world found that fails likewise: ${describe(shortest)} (of ${faults.length})`);
    for (const { at, fault } of shortest.faults)
      console.log(`  ${(at / 1000).toFixed(3).padStart(8)} s  ${JSON.stringify(fault)}`);
    if (shortest.faults.length > 0)
      console.log('times count from the moment at which all were Ready, and faults could begin');
  } finally {
    pool.close();
  }
  return 1;
}

function shapeOf({ servers, agents }: WorldPlan) {
  return { servers, agents };
}

function describe({ servers, agents, faults }: WorldPlan): string {
  return `servers: ${servers}, agents: ${agents}, faults: ${faults.length}`;
}
