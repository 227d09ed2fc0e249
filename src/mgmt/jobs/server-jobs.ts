import { type Clock, delay } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { ManagementServer } from '../agents/agent-server.js';
import type { EventSink } from '../cluster/events.js';
import type { Membership } from '../cluster/membership.js';
import { type ServerStep, TRANSITIONS } from '../cluster/server-state.js';
import type { Configuration } from '../config/parameters.js';
import { ALGORITHM_NAMES, type AlgorithmName } from '../lists/algorithms.js';
import type { ServerRow } from '../store/store.js';
import { isAway } from '../store/store-health.js';
import type { JobWork } from './job-runner.js';
import { askToMigrate, type LeftAgent, type MoveParts, type MoveReport, moveAgents } from './move-agents.js';

export interface ServerJobParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventSink;
  readonly server: ManagementServer;
  readonly membership: Membership;
  /** As it stands in `host`. */
  readonly address: string;
  /** The drain that goes on now: there is one at a time, and a newer one takes its place. */
  readonly drains: { current?: AbortController };
  /** This server stops: what has been begun ends at once. */
  readonly stopping: AbortSignal;
  configuration(): Configuration;
  /** Ends the process in good order. */
  onShutdown(): void;
}

/** What a drain leads to when it is through. */
const DRAINED = { maintenance: 'maintenanceDrained', shutdown: 'shutdownDrained' } as const satisfies Record<
  string,
  ServerStep
>;
type DrainPurpose = keyof typeof DRAINED;

/** How many of those that are left a result names. */
const LEFT_LISTED = 1_000;
const STORE_AGAIN_MS = 2_000;
/** A server that was just put back to Up knows it with its next heartbeat. */
const NOTICE_MS = 10_000;
const LOOK_MS = 500;
/** An agent that does not go to where it belongs has its reasons. */
const REBALANCE_TRIES = 3;
const REBALANCE_MS = 3_600_000;

/** Jobs about this server itself, which operators ask for through whichever server they reach. */
export function serverJobs(world: ServerJobParts): Readonly<Record<string, JobWork>> {
  return {
    /** Moves all agents away; then the server is in maintenance, or ready to be shut down. */
    async drain({ params }, progress) {
      const { membership, configuration } = world;
      const purpose = params.purpose === 'shutdown' ? 'shutdown' : 'maintenance';
      const draining = TRANSITIONS[DRAINED[purpose]].from;
      await refreshed(world);
      // It was cancelled before it began.
      if (!draining.includes(membership.state)) return { cancelled: true, moved: 0, leftcount: 0, left: [] };
      const minutes = configuration().values['management.server.maintenance.timeout'];
      const cancel = new AbortController();
      // By whoever puts the server into another state, perhaps through another server.
      const watch = membership.onChange(() => {
        if (!draining.includes(membership.state)) cancel.abort();
      });
      try {
        const algorithm = algorithmOf(params.algorithm);
        const report = await drainServer(world, {
          timeoutMs: minutes * 60_000,
          algorithm,
          cancel,
          onProgress: progress,
        });
        return await finishDrain(world, purpose, report, { forced: params.forced === true, cancel: cancel.signal });
      } finally {
        watch.cancel();
      }
    },

    /** Has agents that belong elsewhere go there: all, or those of one server that is back. */
    async rebalance({ params }, progress) {
      const target = typeof params.address === 'string' ? params.address : undefined;
      const { moved, left } = await rebalance(world, target, progress);
      world.log.info('Rebalanced', { moved, left: left.length });
      return { moved, ...listed(left) };
    },

    async shutdown() {
      await refreshed(world);
      // The process that was to end has ended, and this is the next one.
      if (world.membership.state !== 'ShuttingDown') return { cancelled: true };
      world.onShutdown();
      return { shuttingdown: true };
    },
  };
}

interface DrainOptions {
  readonly timeoutMs: number;
  readonly algorithm?: AlgorithmName | undefined;
  /** Ends it. */
  readonly cancel: AbortController;
  /** Whether there is no use in going on. @default never */
  isHopeless?(): boolean;
  /** As a job shows it. */
  onProgress(text: string): unknown;
}

/** Moves this server's agents to others, as far as they go. */
async function drainServer(world: ServerJobParts, options: DrainOptions): Promise<MoveReport> {
  const { log, server, address, drains, stopping } = world;
  const { timeoutMs, algorithm, cancel, isHopeless } = options;
  drains.current?.abort();
  drains.current = cancel;
  const stop = () => cancel.abort();
  stopping.addEventListener('abort', stop, { once: true });
  log.info('Draining', { agents: server.attaches.size, timeoutMs, algorithm });
  const wanted = (attache: Parameters<MoveParts['ask']>[0]) => {
    const list = server.wanted(attache, algorithm);
    return list.avoid.includes(address) ? list : { ...list, avoid: [...list.avoid, address] };
  };
  const isUp = (other: string) => takesAgents(world, other);
  try {
    return await moveAgents(
      {
        ...moving(world, options.onProgress),
        staying: () => {
          if (isHopeless?.()) cancel.abort();
          return [...server.attaches];
        },
        arriving: () => server.arriving,
        target(attache) {
          const { hosts, avoid } = wanted(attache);
          return hosts.find(other => !avoid.includes(other) && isUp(other));
        },
        isUp,
        ask: attache => askToMigrate(attache, wanted(attache)),
        rate: () => world.configuration().values['agent.migrate.rate'],
      },
      { timeoutMs, signal: cancel.signal },
    );
  } finally {
    stopping.removeEventListener('abort', stop);
    if (drains.current === cancel) delete drains.current;
  }
}

/** A server that ends hands its agents over first, if there is anybody to take them. */
export async function moveAgentsAway(world: ServerJobParts): Promise<void> {
  const { server, membership, address, log, configuration } = world;
  const timeoutMs = configuration().values['management.server.shutdown.drain.timeout'] * 1_000;
  // When the whole cluster stops, the others go at the same time.
  const isHopeless = () =>
    !membership.servers.some(
      ({ serviceIp, state }) =>
        state === 'Up' && serviceIp !== address && configuration().values.host.includes(serviceIp),
    );
  if (timeoutMs === 0 || server.attaches.size === 0 || isHopeless()) return;
  try {
    await membership.step('prepareForShutdown');
    const cancel = new AbortController();
    const { moved, left } = await drainServer(world, { timeoutMs, cancel, isHopeless, onProgress: () => {} });
    log.info('Moved agents away', { moved, left: left.length });
  } catch (error) {
    log.warn('Agents could not be moved away', { reason: reasonOf(error) });
  }
}

async function finishDrain(
  world: ServerJobParts,
  purpose: DrainPurpose,
  { moved, left }: MoveReport,
  { forced, cancel }: { readonly forced: boolean; readonly cancel: AbortSignal },
): Promise<Readonly<Record<string, unknown>>> {
  const { log, events, server, membership, address } = world;
  const result = { moved, ...listed(left) };
  if (cancel.aborted || !(await insist(world, () => membership.step(DRAINED[purpose])))) {
    return { cancelled: true, ...result };
  }
  if (forced) for (const attache of [...server.attaches]) attache.link.close(`the server goes into ${purpose}`);
  const described = left.slice(0, 20).map(({ name, why }) => `${name} (${why})`);
  log.info('Drained', { moved, left: left.length, agents: described });
  events.add({
    type: 'SERVER.STATE',
    level: left.length === 0 ? 'INFO' : 'WARN',
    description: `Management server ${address} is drained: ${moved} agents have moved, ${left.length} are left${described.length > 0 ? `: ${described.join(', ')}` : ''}`,
  });
  return { ...result, forced };
}

async function rebalance(
  world: ServerJobParts,
  target: string | undefined,
  onProgress: (text: string) => unknown,
): Promise<MoveReport> {
  const { server, membership, address, configuration, stopping } = world;
  await refreshed(world);
  // Whoever asked for it may have placed the agents anew.
  await server.poll();
  if (target !== undefined) await noticed(world, target);
  const cancel = new AbortController();
  const stop = () => cancel.abort();
  stopping.addEventListener('abort', stop, { once: true });
  const isUp = (other: string) => takesAgents(world, other);
  const targetOf = (attache: Parameters<MoveParts['ask']>[0]) => {
    const [preferred] = server.wanted(attache).hosts;
    const isElsewhere = preferred !== undefined && preferred !== address && isUp(preferred);
    return isElsewhere && (target === undefined || preferred === target) ? preferred : undefined;
  };
  const going = [...server.attaches].filter(attache => targetOf(attache) !== undefined);
  try {
    return await moveAgents(
      {
        ...moving(world, onProgress),
        staying: () => going.filter(({ link }) => link.closed === undefined),
        target: targetOf,
        isUp,
        async ask(attache) {
          await server.propagation.trigger(attache);
          return undefined;
        },
        // The others send to the same targets at the same time.
        rate() {
          const up = membership.servers.filter(({ state }) => state === 'Up').length;
          return configuration().values['agent.migrate.rate'] / Math.max(1, up - 1);
        },
      },
      { timeoutMs: REBALANCE_MS, tries: REBALANCE_TRIES, signal: cancel.signal },
    );
  } finally {
    stopping.removeEventListener('abort', stop);
  }
}

function moving({ clock, log }: ServerJobParts, onProgress: (text: string) => unknown) {
  return { clock, log, onProgress: (text: string) => void onProgress(text) };
}

/** Waits until the server knows that it is Up; until then it closes every connection. */
async function noticed(world: ServerJobParts, address: string): Promise<void> {
  const { clock, membership, stopping } = world;
  const deadline = clock.now() + NOTICE_MS;
  while (!takesAgents(world, address) && clock.now() < deadline && !stopping.aborted) {
    await delay(clock, LOOK_MS, stopping);
    await membership.refresh();
  }
}

function takesAgents({ membership }: ServerJobParts, address: string): boolean {
  return membership.servers.some(server => server.serviceIp === address && isUpAndKnowsIt(server));
}

/** It has read its row since it was put to Up. */
function isUpAndKnowsIt({ state, stateSince, lastUpdate }: ServerRow): boolean {
  return state === 'Up' && lastUpdate > stateSince;
}

/** Reads the servers' states, however long the store is away. */
async function refreshed(world: ServerJobParts): Promise<void> {
  while (!(await world.membership.refresh()) && !world.stopping.aborted) {
    await delay(world.clock, STORE_AGAIN_MS, world.stopping);
  }
}

/** Tries again while the store is away. @throws StoreError */
async function insist<T>({ clock, stopping }: ServerJobParts, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isAway(error) || stopping.aborted) throw error;
      await delay(clock, STORE_AGAIN_MS, stopping);
    }
  }
}

function listed(left: readonly LeftAgent[]): { leftcount: number; left: readonly LeftAgent[] } {
  return { leftcount: left.length, left: left.slice(0, LEFT_LISTED) };
}

function algorithmOf(value: unknown): AlgorithmName | undefined {
  return ALGORITHM_NAMES.find(name => name === value);
}
