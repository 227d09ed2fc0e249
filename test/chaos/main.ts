// npm run chaos: real servers, agents and a real store, to which faults happen that are planned from a seed.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { endAll, untilInterrupted } from '../../scripts/galera/processes.js';
import { whyNoMariaDb } from '../helpers/mariadb.js';
import { failoverTable, TABLE_SETTINGS } from './failover-table.js';
import { footprintsOf } from './footprint.js';
import { FAULT_KINDS, type FaultKind, SOAK_KINDS } from './plan.js';
import { plotOfRun, recordOf, reportOf } from './report.js';
import { run } from './run.js';
import { STORE_NAMES, type StoreName, type Teardowns } from './stores.js';
import { World, type WorldOptions } from './world.js';

const USAGE = `usage: npm run chaos -- [--for TIME] [--seed S] [--agents N] [--processes N] [--store NAME] [--faults KIND,…]
                        [--plot FILE] [--json FILE]
       npm run chaos -- --soak [--for TIME] …
       npm run chaos -- --table [--rounds N] [--agents N] [--store NAME]

  --for TIME      how long faults happen, such as 60s, 10m, 2h (10m)
  --seed S        of the plan (a random one)
  --agents N      agents in one process, the fleet (200)
  --processes N   agents in processes of their own (5)
  --store NAME    ${STORE_NAMES.join(', ')}, or all, one after the other (mariadb where it is installed, else sqlite)
  --faults KIND,… what may happen: ${FAULT_KINDS.join(', ')} (all)
  --plot FILE     draws a picture, as SVG
  --json FILE     writes all figures
  --soak          faults that end no server and no fleet; their memory, files and sockets must not grow (30m)
  --table         in place of all that: how long failover takes, by cause
  --rounds N      how often each cause (10)
`;
const SERVERS = 3;
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 };
const MOST_SEED = 2 ** 31;

const controller = new AbortController();
const say = (line: string) => void console.log(line);
process.exitCode = await main().catch(error => {
  if (!controller.signal.aborted) console.error(error);
  return 1;
});
await endAll();
process.exit();

async function main(): Promise<number> {
  const options = readArguments();
  void untilInterrupted().then(() => controller.abort());
  process.stdout.on('error', () => controller.abort());
  let isWell = true;
  for (const store of options.stores) {
    if (!(await one(store, options))) isWell = false;
  }
  return isWell ? 0 : 1;
}

async function one(store: StoreName, options: Options): Promise<boolean> {
  const undo: (() => unknown)[] = [];
  try {
    const teardowns = { teardown: (step: () => unknown) => void undo.unshift(step) };
    return await (options.isTable ? tabulate : trouble)(store, options, teardowns);
  } finally {
    for (const step of undo) await Promise.resolve(step()).catch(error => console.error(error));
  }
}

/** @returns whether all held */
async function trouble(store: StoreName, options: Options, teardowns: Teardowns): Promise<boolean> {
  const { seed, agents, processes, kinds, plot, json } = options;
  const forMs = options.forMs / options.stores.length;
  const title = `seed ${seed}, ${store}, ${agents} + ${processes} agents, ${forMs / 1_000} s of faults`;
  say(title);
  const world = await started({ store, agents, processes }, teardowns);
  const result = await run(world, seed, { forMs, kinds });
  say(reportOf(world, result));
  const growing = footprintsOf(world.footprints).filter(({ isFlat }) => !isFlat);
  const isWell = result.broken.length === 0 && world.problems.length === 0 && (!options.isSoak || growing.length === 0);
  if (!isWell) say(`The logs of all processes are in ${await world.keepLogs()}`);
  if (plot !== undefined) await writeFile(named(plot, store, options), plotOfRun(world, title, result));
  if (json !== undefined)
    await writeFile(named(json, store, options), `${JSON.stringify(recordOf(world, seed, result), undefined, 2)}\n`);
  return isWell;
}

async function tabulate(store: StoreName, { agents, rounds }: Options, teardowns: Teardowns): Promise<boolean> {
  const world = await started({ store, agents, processes: 0, settings: TABLE_SETTINGS }, teardowns);
  say(`\n${await failoverTable(world, rounds)}`);
  const isWell = world.problems.length === 0;
  if (!isWell) say(`The logs of all processes are in ${await world.keepLogs()}`);
  return isWell;
}

async function started(
  options: Pick<WorldOptions, 'store' | 'agents' | 'processes' | 'settings'>,
  teardowns: Teardowns,
): Promise<World> {
  const world = await World.open({ ...options, servers: SERVERS, signal: controller.signal, say }, teardowns);
  try {
    await world.start();
  } catch (error) {
    if (!controller.signal.aborted) say(`The logs of all processes are in ${await world.keepLogs()}`);
    throw error;
  }
  return world;
}

/** With several stores each has a file of its own. */
function named(file: string, store: StoreName, { stores }: Options): string {
  return stores.length === 1 ? file : file.replace(/(\.\w+)?$/, `-${store}$1`);
}

interface Options {
  readonly forMs: number;
  readonly seed: number;
  readonly agents: number;
  readonly processes: number;
  readonly stores: readonly StoreName[];
  readonly kinds: readonly FaultKind[];
  readonly isTable: boolean;
  readonly isSoak: boolean;
  readonly rounds: number;
  readonly plot: string | undefined;
  readonly json: string | undefined;
}

function readArguments(): Options {
  try {
    const { values } = parseArgs({
      options: {
        for: { type: 'string' },
        seed: { type: 'string' },
        agents: { type: 'string', default: '200' },
        processes: { type: 'string', default: '5' },
        store: { type: 'string' },
        faults: { type: 'string' },
        plot: { type: 'string' },
        json: { type: 'string' },
        table: { type: 'boolean', default: false },
        soak: { type: 'boolean', default: false },
        rounds: { type: 'string', default: '10' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    return {
      forMs: timeOf(values.for ?? (values.soak ? '30m' : '10m')),
      seed: numberOf('seed', values.seed ?? String(Math.floor(Math.random() * MOST_SEED)), 0, MOST_SEED),
      agents: numberOf('agents', values.agents, 0, 5_000),
      processes: numberOf('processes', values.processes, 0, 50),
      stores: storesOf(values.store),
      kinds:
        values.faults?.split(',').map(text => oneOf('faults', text, FAULT_KINDS)) ??
        (values.soak ? SOAK_KINDS : FAULT_KINDS),
      isTable: values.table,
      isSoak: values.soak,
      rounds: numberOf('rounds', values.rounds, 1, 1_000),
      plot: values.plot,
      json: values.json,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(64);
  }
}

function storesOf(text: string | undefined): readonly StoreName[] {
  if (text === undefined) return [whyNoMariaDb({ comment() {} }) === undefined ? 'mariadb' : 'sqlite'];
  return text === 'all' ? STORE_NAMES : [oneOf('store', text, STORE_NAMES)];
}

function timeOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const factor = Object.entries(UNITS).find(([name]) => name === unit)?.[1];
  if (factor === undefined) throw new RangeError(`--for ${text}: such as 60s, 10m, 2h is needed`);
  return Number(number) * factor;
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new RangeError(`--${name} ${text}: a whole number from ${least} to ${most} is needed`);
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const found = known.find(one => one === text);
  if (found === undefined) throw new RangeError(`--${name} ${text}: known are ${known.join(', ')}`);
  return found;
}
