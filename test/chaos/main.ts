// npm run chaos: real servers, agents and a real store, to which faults happen that are planned from a seed.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { oneOf, readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { whyNoMariaDb } from '../helpers/mariadb.js';
import { type ProgramLife, runProgram, timeOf, writableFile } from '../helpers/test-program.js';
import { CAUSES, failoverTable, TABLE_SETTINGS } from './failover-table.js';
import { footprintsOf } from './footprint.js';
import { FAULT_KINDS, type FaultKind, SOAK_KINDS } from './plan.js';
import { plotOfRun, recordOf, reportOf } from './report.js';
import { run } from './run.js';
import { STORE_NAMES, type StoreName, type Teardowns } from './stores.js';
import { World, type WorldOptions } from './world.js';

const USAGE = `usage: npm run chaos -- [--for TIME] [--seed S] [--agents N] [--processes N] [--store NAME] [--faults KIND,…]
                        [--plot FILE] [--json FILE]
       npm run chaos -- --soak [--for TIME] …
       npm run chaos -- --table [--cause TEXT] [--rounds N] [--agents N] [--store NAME]

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
  --cause TEXT    only those with TEXT in their names: ${CAUSES.map(cause => `“${cause}”`).join(', ')} (all)
  --rounds N      how often each cause (10)
`;
const SERVERS = 3;
/** Options that mean nothing to `--table`. */
const OF_A_RUN = ['for', 'seed', 'processes', 'faults', 'plot', 'json'] as const;
/** And those that mean nothing to a run. */
const OF_A_TABLE = ['cause', 'rounds'] as const;
const MOST_SEED = 2 ** 31;

const say = (line: string) => void console.log(line);
const options = readArguments(USAGE, optionsOf);

await runProgram(async life => {
  let isWell = true;
  for (const store of options.stores) {
    life.signal.throwIfAborted();
    if (!(await one(store, life))) isWell = false;
  }
  return isWell ? 0 : 1;
});

/** Each store has a world of its own, of which nothing is left for the next one. */
async function one(store: StoreName, { signal }: ProgramLife): Promise<boolean> {
  const undo: (() => unknown)[] = [];
  try {
    const parts = { signal, teardown: (step: () => unknown) => void undo.unshift(step) };
    return await (options.isTable ? tabulate : trouble)(store, parts);
  } finally {
    for (const step of undo) await Promise.resolve(step()).catch(error => console.error(error));
  }
}

interface RunParts extends Teardowns {
  readonly signal: AbortSignal;
}

/** @returns whether all held */
async function trouble(store: StoreName, parts: RunParts): Promise<boolean> {
  const { seed, agents, processes, kinds, plot, json } = options;
  const forMs = options.forMs / options.stores.length;
  const title = `seed ${seed}, ${store}, ${agents} + ${processes} agents, ${forMs / 1_000} s of faults`;
  say(title);
  const world = await started({ store, agents, processes }, parts);
  const result = await run(world, seed, { forMs, kinds });
  say(reportOf(world, result));
  if (result.isInterrupted) return false;
  const growing = footprintsOf(world.footprints).filter(({ isFlat }) => !isFlat);
  const isWell = result.broken.length === 0 && world.problems.length === 0 && (!options.isSoak || growing.length === 0);
  if (!isWell) say(`The logs of all processes are in ${await world.keepLogs()}`);
  if (json !== undefined)
    await writeFile(named(json, store), `${JSON.stringify(recordOf(world, seed, result), undefined, 2)}\n`);
  if (plot !== undefined) await writeFile(named(plot, store), plotOfRun(world, title, result));
  return isWell;
}

async function tabulate(store: StoreName, parts: RunParts): Promise<boolean> {
  const { agents, causes, rounds } = options;
  const world = await started({ store, agents, processes: 0, settings: TABLE_SETTINGS }, parts);
  say(`\n${await failoverTable(world, causes, rounds)}`);
  const isWell = world.problems.length === 0;
  if (!isWell) say(`The logs of all processes are in ${await world.keepLogs()}`);
  return isWell;
}

async function started(
  how: Pick<WorldOptions, 'store' | 'agents' | 'processes' | 'settings'>,
  parts: RunParts,
): Promise<World> {
  const { signal } = parts;
  const world = await World.open({ ...how, servers: SERVERS, signal, say }, parts);
  try {
    await world.start();
  } catch (error) {
    if (!signal.aborted) say(`The logs of all processes are in ${await world.keepLogs()}`);
    throw error;
  }
  return world;
}

/** With several stores each has a file of its own. */
function named(file: string, store: StoreName): string {
  return options.stores.length === 1 ? file : file.replace(/(\.\w+)?$/, `-${store}$1`);
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
  readonly causes: readonly string[];
  readonly rounds: number;
  readonly plot: string | undefined;
  readonly json: string | undefined;
}

function optionsOf(): Options {
  const { values } = parseArgs({
    options: {
      for: { type: 'string' },
      seed: { type: 'string' },
      agents: { type: 'string', default: '200' },
      processes: { type: 'string' },
      store: { type: 'string' },
      faults: { type: 'string' },
      plot: { type: 'string' },
      json: { type: 'string' },
      table: { type: 'boolean', default: false },
      soak: { type: 'boolean', default: false },
      cause: { type: 'string' },
      rounds: { type: 'string' },
    },
  });
  if (values.table) {
    const unused = OF_A_RUN.find(name => values[name] !== undefined);
    if (unused !== undefined)
      throw new Error(`--${unused}: --table draws and writes nothing, and has a plan of its own`);
    if (values.soak) throw new Error('--soak: it is no --table');
  } else {
    const unused = OF_A_TABLE.find(name => values[name] !== undefined);
    if (unused !== undefined) throw new Error(`--${unused}: it is for --table`);
  }
  const known = values.soak ? SOAK_KINDS : FAULT_KINDS;
  const agents = wholeNumber('--agents', values.agents, 0, 5_000);
  const processes = values.table ? 0 : wholeNumber('--processes', values.processes ?? '5', 0, 50);
  if (agents + processes === 0) throw new RangeError('--agents, --processes: one agent at least is needed');
  return {
    ...{ agents, processes },
    forMs: timeOf('--for', values.for ?? (values.soak ? '30m' : '10m')),
    seed: wholeNumber('--seed', values.seed ?? String(Math.floor(Math.random() * MOST_SEED)), 0, MOST_SEED),
    stores: storesOf(values.store),
    kinds: values.faults?.split(',').map(text => oneOf('--faults', text, known)) ?? known,
    isTable: values.table,
    isSoak: values.soak,
    causes: causesOf(values.cause ?? ''),
    rounds: wholeNumber('--rounds', values.rounds ?? '10', 1, 1_000),
    plot: values.plot === undefined ? undefined : writableFile('--plot', values.plot),
    json: values.json === undefined ? undefined : writableFile('--json', values.json),
  };
}

function causesOf(text: string): readonly string[] {
  const causes = CAUSES.filter(cause => cause.includes(text));
  if (causes.length === 0) throw new Error(`--cause: no cause has ${text} in its name; there are ${CAUSES.join('; ')}`);
  return causes;
}

function storesOf(text: string | undefined): readonly StoreName[] {
  if (text === undefined) return [whyNoMariaDb({ comment() {} }) === undefined ? 'mariadb' : 'sqlite'];
  return text === 'all' ? STORE_NAMES : [oneOf('--store', text, STORE_NAMES)];
}
