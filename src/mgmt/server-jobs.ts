import { type Clock, delay } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { ALGORITHM_NAMES, type AlgorithmName } from './algorithms.js';
import type { Configuration } from './configuration.js';
import { type DrainReport, type DrainWorld, drain } from './drain.js';
import type { EventSink } from './events.js';
import type { JobWork } from './jobs.js';
import type { Membership } from './membership.js';
import { Pace } from './pace.js';
import type { ManagementServer } from './server.js';
import type { ServerStep } from './server-state.js';

export interface ServerJobsWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventSink;
  readonly server: ManagementServer;
  readonly membership: Membership;
  /** As it stands in `host`. */
  readonly address: string;
  configuration(): Configuration;
  /** Ends the process in good order. */
  onShutdown(): void;
}

/** What a drain leads to when it is through. */
const DRAINED = { maintenance: 'maintenanceDrained', shutdown: 'shutdownDrained' } as const satisfies Record<
  string,
  ServerStep
>;
export type DrainPurpose = keyof typeof DRAINED;

/** Jobs about this server itself, which operators ask for through whichever server they reach. */
export function serverJobs(world: ServerJobsWorld): Readonly<Record<string, JobWork>> {
  return {
    /** Moves all agents away; then the server is in maintenance, or ready to be shut down. */
    async drain({ params }, progress) {
      const purpose = params.purpose === 'shutdown' ? 'shutdown' : 'maintenance';
      const minutes = world.configuration().values['management.server.maintenance.timeout'];
      const report = await drainServer(world, minutes * 60_000, algorithmOf(params.algorithm), progress);
      return finishDrain(world, purpose, report, params.forced === true);
    },

    /** Has agents that belong elsewhere go there: all, or those of one server that is back. */
    async rebalance({ params }, progress) {
      await world.membership.refresh();
      const target = typeof params.address === 'string' ? params.address : undefined;
      return rebalance(world, target, progress);
    },

    async shutdown() {
      world.onShutdown();
      return { shuttingdown: true };
    },
  };
}

/** @param onProgress as a job shows it */
export async function drainServer(
  world: ServerJobsWorld,
  timeoutMs: number,
  algorithm: AlgorithmName | undefined,
  onProgress: (text: string) => unknown,
): Promise<DrainReport> {
  const { clock, log, server, membership, address, configuration } = world;
  await membership.refresh();
  const abort = new AbortController();
  // Cancelled by whoever puts the server back to Up, perhaps through another server.
  const watch = membership.onChange(() => {
    if (membership.state === 'Up' || membership.state === 'Down') abort.abort();
  });
  log.info('Draining', { agents: server.attaches.size, timeoutMs, algorithm });
  const drainWorld: DrainWorld = {
    clock,
    log,
    attaches: server.attaches,
    wanted: attache => {
      const wanted = server.wanted(attache, algorithm);
      return wanted.avoid.includes(address) ? wanted : { ...wanted, avoid: [...wanted.avoid, address] };
    },
    isUp: other => membership.servers.some(({ serviceIp, state }) => serviceIp === other && state === 'Up'),
    rate: () => configuration().values['agent.migrate.rate'],
    onProgress: text => void onProgress(text),
  };
  try {
    return await drain(drainWorld, timeoutMs, abort.signal);
  } finally {
    watch.cancel();
  }
}

async function finishDrain(
  { log, events, server, membership, address }: ServerJobsWorld,
  purpose: DrainPurpose,
  { moved, left }: DrainReport,
  forced: boolean,
): Promise<Readonly<Record<string, unknown>>> {
  await membership.refresh();
  if (membership.state === 'Up') return { cancelled: true, moved, left };
  if (forced) for (const attache of server.attaches) attache.link.close(`the server goes into ${purpose}`);
  await membership.step(DRAINED[purpose]);
  const described = left.slice(0, 20).map(({ name, why }) => `${name} (${why})`);
  log.info('Drained', { moved, left: left.length, agents: described });
  events.add({
    type: 'SERVER.STATE',
    level: left.length === 0 ? 'INFO' : 'WARN',
    description: `Management server ${address} is drained: ${moved} agents have moved, ${left.length} are left${described.length > 0 ? `: ${described.join(', ')}` : ''}`,
  });
  return { moved, left, forced };
}

async function rebalance(
  { clock, log, server, membership, address, configuration }: ServerJobsWorld,
  target: string | undefined,
  progress: (text: string) => Promise<void>,
): Promise<Readonly<Record<string, unknown>>> {
  const up = new Set(membership.servers.filter(({ state }) => state === 'Up').map(({ serviceIp }) => serviceIp));
  // The others send to the same targets at the same time.
  const rate = configuration().values['agent.migrate.rate'] / Math.max(1, up.size - 1);
  const pace = new Pace();
  const going = [...server.attaches].flatMap(attache => {
    const [preferred] = server.wanted(attache).servers;
    const goes = preferred !== undefined && preferred !== address && up.has(preferred);
    return goes && (target === undefined || preferred === target) ? [{ attache, preferred }] : [];
  });
  const failed: { hostid: string; name: string; why: string }[] = [];
  let told = 0;
  await Promise.all(
    going.map(async ({ attache, preferred }) => {
      await delay(clock, pace.take(preferred, rate, clock.now()));
      if (attache.link.closed) return;
      try {
        await server.propagation.trigger(attache);
        if (++told % 100 === 0) await progress(`${told} of ${going.length} agents are told`);
      } catch (error) {
        if (!attache.link.closed) {
          failed.push({ hostid: attache.host.uuid, name: attache.host.name, why: reasonOf(error) });
        }
      }
    }),
  );
  log.info('Rebalanced', { told, failed: failed.length });
  return { told, failed };
}

function algorithmOf(value: unknown): AlgorithmName | undefined {
  return ALGORITHM_NAMES.find(name => name === value);
}
