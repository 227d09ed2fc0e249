// npm run simulate: runs worlds of many seeds, and tells of the first one in which something did not hold.
import { parseArgs } from 'node:util';
import { runSeeds, type SeedOutcome } from './run-seeds.js';
import { FAULT_KINDS, type FaultKind } from './schedule.js';
import { shrink } from './shrink.js';
import { Simulation } from './simulation.js';
import { type WorldRules, worldOf } from './worlds.js';

const USAGE = `usage: npm run simulate -- [--seeds N] [--seed S] [--agents A] [--servers M] [--faults KIND,…] [--transcript]

  --seeds N       how many worlds (1000)
  --seed S        the seed of the first one (1); alone: of the only one
  --servers M     servers of each world, 1 to 5 (2 to 4, by the seed)
  --agents A      agents of each world (1 to 4, by the seed)
  --faults KIND,… what may happen: ${FAULT_KINDS.join(', ')} (all)
  --transcript    prints who did what when, also when all holds
`;
const MOST_SERVERS = 5;
const LINES = 120;

const { seeds, seed, rules, isTold } = readArguments();
process.exitCode = seeds === 1 ? await one(seed, rules) : await many(seed, seeds, rules);

async function many(from: number, count: number, worlds: WorldRules): Promise<number> {
  const started = performance.now();
  let done = 0;
  let simulatedMs = 0;
  let toldAt = 0;
  const tell = (isLast = false) => {
    const seconds = (performance.now() - started) / 1000;
    const isTerminal = process.stderr.isTTY;
    if (!isLast && seconds - toldAt < (isTerminal ? 0.2 : 10)) return;
    toldAt = seconds;
    const filled = Math.round((30 * done) / count);
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(30 - filled)}]`;
    const rate = `${(done / seconds).toFixed(1)} worlds/s, ${(simulatedMs / 3_600_000).toFixed(1)} h simulated`;
    process.stderr.write(
      `${isTerminal ? '\r' : ''}${bar} ${done}/${count}  ${rate}${isTerminal && !isLast ? '' : '\n'}`,
    );
  };
  const failed = await runSeeds({
    from,
    count,
    rules: worlds,
    onOutcome: (outcome: SeedOutcome) => {
      done++;
      simulatedMs += outcome.simulatedMs;
      tell();
    },
  });
  tell(true);
  if (failed === undefined) {
    console.log(`${count} worlds, from seed ${from}: all held`);
    return 0;
  }
  return one(failed.seed, worlds);
}

/** Runs one world; if it fails, looks for a shorter plan that does. */
async function one(number: number, worlds: WorldRules): Promise<number> {
  const first = await Simulation.run(worldOf(number, worlds));
  if (first.failure === undefined) {
    if (isTold) console.log(first.transcript.table());
    console.log(`seed ${number}: all held (${first.faults.length} faults, ${Math.round(first.simulatedMs / 1000)} s)`);
    return 0;
  }
  console.log(`seed ${number}: ${first.failure}`);
  console.log(`looking for a shorter plan than these ${first.faults.length} faults …`);
  const shortest = await shrink(first.faults, async faults => {
    const { failure } = await Simulation.run(worldOf(number, worlds, faults));
    return failure !== undefined;
  });
  const again = await Simulation.run(worldOf(number, worlds, shortest));
  console.log(`\n${again.transcript.table({ last: isTold ? undefined : LINES })}\n`);
  console.log(`seed ${number}: ${again.failure ?? first.failure}`);
  console.log(`the shortest plan found: ${shortest.length} of ${first.faults.length} faults`);
  for (const { at, fault } of shortest)
    console.log(`  ${(at / 1000).toFixed(3).padStart(8)} s  ${JSON.stringify(fault)}`);
  return 1;
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        agents: { type: 'string' },
        servers: { type: 'string' },
        faults: { type: 'string' },
        transcript: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const seed = numberOf('seed', values.seed, 0, 2 ** 31) ?? 1;
    const worlds: WorldRules = {
      servers: numberOf('servers', values.servers, 1, MOST_SERVERS),
      agents: numberOf('agents', values.agents, 1, 250),
      kinds: values.faults?.split(',').map(kindOf),
    };
    const seeds = numberOf('seeds', values.seeds, 1, 10 ** 9) ?? (values.seed === undefined ? 1_000 : 1);
    return { seeds, seed, rules: worlds, isTold: values.transcript };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(64);
  }
}

function numberOf(name: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new RangeError(`--${name} ${text}: a whole number from ${least} to ${most} is needed`);
}

function kindOf(text: string): FaultKind {
  const kind = FAULT_KINDS.find(known => known === text);
  if (kind === undefined) throw new RangeError(`--faults ${text}: known are ${FAULT_KINDS.join(', ')}`);
  return kind;
}
