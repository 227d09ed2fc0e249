import { type Clock, delay } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { MigrateAgentConnectionCommand } from '../protocol/index.js';
import type { Attache } from './attache.js';
import { Pace } from './pace.js';
import type { Wanted } from './placement.js';

export interface DrainWorld {
  readonly clock: Clock;
  readonly log: Log;
  /** The Ready links; those that are gone are no longer in it. */
  readonly attaches: Iterable<Attache>;
  /** What the agent is told: its list, and whom to avoid, this server first of all. */
  wanted(attache: Attache): Wanted;
  /** Whether the server with this address is Up. */
  isUp(address: string): boolean;
  /** Agents a second for each target: `agent.migrate.rate`. */
  rate(): number;
  onProgress(text: string): void;
}

export interface DrainReport {
  readonly moved: number;
  readonly left: readonly LeftAgent[];
}

export interface LeftAgent {
  readonly hostid: string;
  readonly name: string;
  readonly why: string;
}

/** An agent that was asked has this long to move before it is asked again. */
const ASK_AGAIN_MS = 15_000;
const LOOK_MS = 250;
const PROGRESS_MS = 2_000;
const WAIT_SECONDS = 60;

/**
 * Asks all agents to move to another server, at a pace that the targets can take, and asks again whoever stays.
 * Ends when none is left, the time is out, or `signal` aborts.
 */
export async function drain(world: DrainWorld, timeoutMs: number, signal: AbortSignal): Promise<DrainReport> {
  const { clock } = world;
  const deadline = clock.now() + timeoutMs;
  const pace = new Pace();
  const asked = new Map<Attache, { readonly at: number; why: string }>();
  const everybody = new Set<Attache>();
  let saidAt = clock.now();
  for (;;) {
    const staying = [...world.attaches];
    for (const attache of staying) everybody.add(attache);
    if (staying.length === 0 || signal.aborted || clock.now() >= deadline) {
      return { moved: everybody.size - staying.length, left: staying.map(attache => leftAgent(attache, asked)) };
    }
    for (const attache of staying) {
      const last = asked.get(attache);
      if (last !== undefined && clock.now() - last.at < ASK_AGAIN_MS) continue;
      const wanted = world.wanted(attache);
      const target = wanted.servers.find(address => !wanted.avoid.includes(address) && world.isUp(address));
      const waitMs = target === undefined ? 0 : pace.take(target, world.rate(), clock.now());
      const note = {
        at: clock.now() + waitMs,
        why: target === undefined ? 'no other server of its list is Up' : 'it stayed',
      };
      asked.set(attache, note);
      if (target !== undefined) void ask(world, attache, wanted, waitMs, note, signal);
    }
    if (clock.now() - saidAt >= PROGRESS_MS) {
      saidAt = clock.now();
      world.onProgress(`${everybody.size - staying.length} agents have moved, ${staying.length} are left`);
    }
    await delay(clock, Math.min(LOOK_MS, Math.max(0, deadline - clock.now())), signal);
  }
}

async function ask(
  { clock, log }: DrainWorld,
  attache: Attache,
  wanted: Wanted,
  waitMs: number,
  note: { why: string },
  signal: AbortSignal,
): Promise<void> {
  await delay(clock, waitMs, signal);
  if (signal.aborted || attache.link.closed) return;
  const command = MigrateAgentConnectionCommand.encode({
    msList: wanted.servers,
    avoidMsList: wanted.avoid,
    lbAlgorithm: wanted.algorithm,
    lbCheckInterval: wanted.checkIntervalSeconds,
    wait: WAIT_SECONDS,
  });
  try {
    const { messages } = await attache.ask([command]);
    const [answer] = messages;
    if (answer?.fields.result !== true) note.why = `it says: ${answer?.fields.details ?? 'no'}`;
  } catch (error) {
    // A link that has ended has done what was asked.
    if (!attache.link.closed) note.why = reasonOf(error);
  }
  log.debug('Asked an agent to move', { hostId: attache.host.id, outcome: note.why });
}

function leftAgent({ host }: Attache, asked: ReadonlyMap<Attache, { readonly why: string }>): LeftAgent {
  const why = [...asked].find(([attache]) => attache.host.id === host.id)?.[1].why ?? 'it was not asked';
  return { hostid: host.uuid, name: host.name, why };
}
