// npm run simulate: runs worlds of many seeds, and tells of the first one in which something did not hold.
import { parseArgs } from 'node:util';
import { failureKind } from './failure-kind.js';
import { runSeeds } from './run-seeds.js';
import { FAULT_KINDS, type FaultKind } from './schedule.js';
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

const { seeds, seed, rules, isTold, limitMs } = readArguments();
process.exitCode = seeds === 1 ? await one() : await many();

async function many(): Promise<number> {
  const started = performance.now();
  let done = 0;
  let simulatedMs = 0;
  const line = progressLine();
  const tell = (isLast = false) => {
    const seconds = (performance.now() - started) / 1000;
    const filled = Math.round((30 * done) / seeds);
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(30 - filled)}]`;
    const rate = `${(done / seconds).toFixed(1)} worlds/s, ${(simulatedMs / 3_600_000).toFixed(1)} h simulated`;
    line(`${bar} ${done}/${seeds}  ${rate}`, isLast);
  };
  const failed = await runSeeds({
    ...{ from: seed, count: seeds, rules, limitMs },
    onOutcome: outcome => {
      done++;
      simulatedMs += outcome.simulatedMs;
      tell();
    },
  });
  tell(true);
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
    const line = progressLine();
    const shortest = await shrink(
      { servers, agents, faults },
      {
        fails: async world => failureKind((await run(world)).failure ?? '') === kind,
        atOnce: pool.processes,
        onProgress: (world, tried) =>
          line(`looking for a smaller world: ${describe(world)} (of ${faults.length}) after ${tried} worlds`),
      },
    );
    line('', true);
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

/** A line that is written anew on a terminal; elsewhere one from time to time. */
function progressLine(): (text: string, isLast?: boolean) => void {
  const { isTTY } = process.stderr;
  let toldAt = performance.now();
  return (text, isLast = false) => {
    const now = performance.now();
    if (!isLast && now - toldAt < (isTTY ? 200 : 10_000)) return;
    toldAt = now;
    if (isTTY) process.stderr.write(`\r\x1b[K${text}${isLast && text !== '' ? '\n' : ''}`);
    else if (text !== '') process.stderr.write(`${text}\n`);
  };
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
        limit: { type: 'string' },
        transcript: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const rules: WorldRules = {
      servers: numberOf('servers', values.servers, 1, MOST_SERVERS),
      agents: numberOf('agents', values.agents, 1, 250),
      kinds: values.faults?.split(',').map(kindOf),
    };
    const seeds = numberOf('seeds', values.seeds, 1, 10 ** 9) ?? (values.seed === undefined ? 1_000 : 1);
    const limit = numberOf('limit', values.limit, 1, 10 ** 6) ?? 120;
    const first = numberOf('seed', values.seed, 0, 2 ** 31) ?? 1;
    return { seeds, seed: first, rules, isTold: values.transcript, limitMs: limit * 1_000 };
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
