import type { PlottedFault } from '../../src/fleet/measure/plot.js';
import { reasonOf } from '../../src/lib/errors.js';
import { type Astray, astrayText, several, whatDoesNotHold } from './end-conditions.js';
import { begin, takeBack } from './perform.js';
import { describe, type Fault, nameOf, type Planned, plan, type Shape } from './plan.js';
import { wayBackMs } from './way-back.js';
import type { World } from './world.js';

/** What a run has done. */
export interface RunResult {
  /** Those that have happened. */
  readonly faults: readonly PlottedFault[];
  /** Kinds that this machine or store does not have. */
  readonly skipped: readonly string[];
  /** When the faults began and stopped, and when all held, by the world's clock. */
  readonly startMs: number;
  readonly stopMs: number;
  readonly endMs: number;
  /** What did not hold at the end. */
  readonly broken: readonly string[];
  /** The run was ended before its time. */
  readonly isInterrupted: boolean;
}

/** Once faults have stopped, all but the agents' way back has to hold within this, and then that as well. */
const SETTLE_MS = 180_000;
const LOOK_MS = 500;
/** Between looks at what each process has. */
const FOOTPRINT_MS = 5_000;
/** What holds in the end, so that all agents have one place where they belong. */
const LAST_CHECK_INTERVAL_MS = 5_000;
const LAST_CONFIGURATION = {
  'indirect.agent.lb.algorithm': 'roundrobin',
  'indirect.agent.lb.check.interval': String(LAST_CHECK_INTERVAL_MS / 1_000),
};

/** Has faults happen to a world whose agents are Ready, and waits until all is well. */
export async function run(world: World, seed: number, shape: Pick<Shape, 'forMs' | 'kinds'>): Promise<RunResult> {
  const planned = plan(seed, {
    ...shape,
    servers: world.hosts,
    processes: world.agents.own.length,
    databases: world.store.databases.length,
    hasStoreDisk: world.store.disk !== undefined,
  });
  const faults: PlottedFault[] = [];
  const skipped = new Set<string>();
  const from = world.now;
  const underWay: Promise<void>[] = [];
  const looking = setInterval(() => world.lookAtFootprints(), FOOTPRINT_MS);
  let stopMs: number | undefined;
  const result = (isInterrupted: boolean, broken: readonly string[]): RunResult => {
    const times = { startMs: from, stopMs: stopMs ?? world.now, endMs: world.now };
    return { ...times, faults, skipped: [...skipped], broken, isInterrupted };
  };
  try {
    for (const next of planned) {
      await world.wait(Math.max(0, from + next.at - world.now));
      underWay.push(happen(world, next, faults, skipped));
    }
    await Promise.all(underWay);
    await world.wait(Math.max(0, from + shape.forMs - world.now));
    clearInterval(looking);
    stopMs = world.now;
    world.options.say(`${timeText(stopMs)}  the faults have stopped`);
    return result(false, await settle(world));
  } catch (error) {
    if (!world.options.signal.aborted) throw error;
    return result(true, []);
  } finally {
    clearInterval(looking);
  }
}

async function happen(world: World, { fault, ms }: Planned, faults: PlottedFault[], skipped: Set<string>) {
  const what = describe(fault);
  const at = world.now;
  await world.try(what, async () => {
    const end = await begin(world, fault);
    if (end === undefined) {
      skipped.add(`${fault.kind} ${fault.target.of}`);
      return;
    }
    world.options.say(`${timeText(at)}  ${what}${ms > 0 ? ` for ${(ms / 1_000).toFixed(1)} s` : ''}`);
    faults.push(plotted(fault, at, ms));
    await world.wait(Math.max(0, at + ms - world.now));
    await end();
  });
}

/** @returns what does not hold in the end */
async function settle(world: World): Promise<readonly string[]> {
  const configuration = { host: world.hosts.join(','), ...LAST_CONFIGURATION };
  const configure = async () => {
    await takeBack(world);
    for (const [name, value] of Object.entries(configuration))
      await world.operator.ask('updateConfiguration', { name, value });
  };
  try {
    await world.eventually(configure, 'a server takes the last configuration', SETTLE_MS);
    return await comeBack(world);
  } catch (error) {
    world.options.signal.throwIfAborted();
    return [reasonOf(error)];
  }
}

/** The agents go to their preferred servers by themselves, each in its time. @returns what does not hold in the end */
async function comeBack(world: World): Promise<readonly string[]> {
  let deadline = world.now + SETTLE_MS;
  /** Since when nothing else keeps agents from it. */
  let since: number | undefined;
  let isCalled = false;
  for (;;) {
    const { broken, astray } = await whatDoesNotHold(world);
    if (broken.length === 0) {
      if (astray.length === 0) return [];
      if (since === undefined) {
        since = world.now;
        deadline = since + SETTLE_MS;
      }
      const { late, isOver } = waysBack(world, astray, world.now - since);
      if (late.length > 0) return [several(`not back by themselves: ${late.length}`, late.map(astrayText))];
      if (isOver && !isCalled) {
        world.options.say(
          `${timeText(world.now)}  the way back of ${astray.length} agents is damped: an operator calls them`,
        );
        await world.eventually(() => world.operator.ask('rebalanceAgents'), 'a server calls them', SETTLE_MS);
        isCalled = true;
      }
    }
    if (world.now > deadline)
      return [...broken, ...(astray.length > 0 ? [several(`astray: ${astray.length}`, astray.map(astrayText))] : [])];
    await world.wait(LOOK_MS);
  }
}

/** Whose own way back is late after so many milliseconds, and whether there is none left to wait for. */
function waysBack({ failbacks }: World, astray: readonly Astray[], waitedMs: number) {
  const ways = astray.map(agent => ({
    agent,
    within: wayBackMs(LAST_CHECK_INTERVAL_MS, failbacks.get(agent.name) ?? 0),
  }));
  return {
    late: ways.filter(({ within }) => within !== undefined && waitedMs > within).map(({ agent }) => agent),
    isOver: ways.every(({ within }) => within === undefined),
  };
}

function plotted({ kind, target }: Fault, at: number, ms: number): PlottedFault {
  return { at, ms, kind, target: nameOf(target) };
}

/** Such as `1:05.2`. */
export function timeText(ms: number): string {
  const seconds = ms / 1_000;
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`.padStart(7);
}
