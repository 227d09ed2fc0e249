import { whatDoesNotHold } from './end-conditions.js';
import { begin, takeBack } from './perform.js';
import { describe, type Fault, nameOf, type Planned, plan, type Shape } from './plan.js';
import type { PlottedFault } from './plot.js';
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
}

/** Once faults have stopped, all has to hold within this. */
const SETTLE_MS = 180_000;
const LOOK_MS = 500;
/** Between looks at what each process has. */
const FOOTPRINT_MS = 5_000;
/** So often agents that are not home are called. */
const REBALANCE_MS = 5_000;
/** What holds in the end, so that all agents have one place where they belong. */
const LAST_CONFIGURATION = { 'indirect.agent.lb.algorithm': 'roundrobin', 'indirect.agent.lb.check.interval': '5' };

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
  for (const next of planned) {
    await world.wait(Math.max(0, from + next.at - world.now));
    underWay.push(happen(world, next, faults, skipped));
  }
  await Promise.all(underWay);
  await world.wait(Math.max(0, from + shape.forMs - world.now));
  const stopMs = world.now;
  world.options.say(`${timeText(stopMs)}  the faults have stopped`);
  clearInterval(looking);
  const broken = await settle(world);
  return { faults, skipped: [...skipped], startMs: from, stopMs, endMs: world.now, broken };
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
  const deadline = world.now + SETTLE_MS;
  let isConfigured = false;
  let calledAt = Number.NEGATIVE_INFINITY;
  let broken: readonly string[] = [];
  while (world.now < deadline) {
    try {
      if (!isConfigured) {
        await takeBack(world);
        for (const [name, value] of Object.entries({ host: world.hosts.join(','), ...LAST_CONFIGURATION }))
          await world.operator.ask('updateConfiguration', { name, value });
        isConfigured = true;
      } else if (world.now - calledAt > REBALANCE_MS) {
        // Agents whose way back has not lasted try it ever more seldom by themselves.
        await world.operator.ask('rebalanceAgents');
        calledAt = world.now;
      }
    } catch (error) {
      broken = [`no server takes a configuration: ${error}`];
    }
    if (isConfigured) {
      broken = await whatDoesNotHold(world);
      if (broken.length === 0) return [];
    }
    await world.wait(LOOK_MS);
  }
  return broken;
}

function plotted({ kind, target }: Fault, at: number, ms: number): PlottedFault {
  return { at, ms, kind, target: nameOf(target) };
}

/** Such as `1:05.2`. */
export function timeText(ms: number): string {
  const seconds = ms / 1_000;
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`.padStart(7);
}
