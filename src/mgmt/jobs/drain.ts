import { reasonOf } from '../../lib/errors.js';
import type { Attache } from '../agents/attache.js';
import { type ServerStep, TRANSITIONS } from '../cluster/server-state.js';
import type { AlgorithmName } from '../config/parameters.js';
import { askToMigrate, type MoveReport, moveAgents } from './move-agents.js';
import { leftFields, refreshServers, retryWhileAway, type ServerJobParts, takesAgents } from './server-job-parts.js';

/** What a drain leads to when it is through. */
const DRAINED = { maintenance: 'maintenanceDrained', shutdown: 'shutdownDrained' } as const satisfies Record<
  string,
  ServerStep
>;
export type DrainPurpose = keyof typeof DRAINED;

export interface DrainJob {
  readonly purpose: DrainPurpose;
  /** How the lists are ordered by which agents move away. @default the configured one */
  readonly algorithm?: AlgorithmName | undefined;
  /** Closes the links of agents that stayed, when the time is out. */
  readonly forced: boolean;
}

/** Moves all agents away; then the server is in maintenance, or ready to be shut down. @returns the job's result */
export async function drain(
  parts: ServerJobParts,
  { purpose, algorithm, forced }: DrainJob,
  onProgress: (text: string) => unknown,
): Promise<Readonly<Record<string, unknown>>> {
  const { membership, agents } = parts;
  const draining = TRANSITIONS[DRAINED[purpose]].from;
  await refreshServers(parts);
  // It was cancelled before it began.
  if (!draining.includes(membership.state)) return { cancelled: true, ...leftFields([]), moved: 0 };
  const minutes = agents.lists.configuration.values['management.server.maintenance.timeout'];
  const cancel = new AbortController();
  // By whoever puts the server into another state, perhaps through another server.
  const watch = membership.onChange(() => {
    if (!draining.includes(membership.state)) cancel.abort();
  });
  try {
    const report = await moveAllAway(parts, { timeoutMs: minutes * 60_000, algorithm, cancel, onProgress });
    return await finish(parts, purpose, report, { forced, cancel: cancel.signal });
  } finally {
    watch.cancel();
  }
}

/** A server that ends hands its agents over first, if another server takes them. */
export async function drainBeforeStop(parts: ServerJobParts): Promise<void> {
  const { agents, membership, address, log } = parts;
  const { values } = agents.lists.configuration;
  const timeoutMs = values['management.server.shutdown.drain.timeout'] * 1_000;
  // When the whole cluster stops, the others go at the same time.
  const isHopeless = () =>
    !membership.servers.some(
      ({ serviceIp, state }) =>
        state === 'Up' && serviceIp !== address && agents.lists.configuration.values.host.includes(serviceIp),
    );
  if (timeoutMs === 0 || agents.registry.size === 0 || isHopeless()) return;
  try {
    await membership.step('prepareForShutdown');
    const cancel = new AbortController();
    const { moved, left } = await moveAllAway(parts, { timeoutMs, cancel, isHopeless, onProgress: () => {} });
    log.info('Moved agents away', { moved, left: left.length });
  } catch (error) {
    log.warn('Agents could not be moved away', { reason: reasonOf(error) });
  }
}

interface MoveAllOptions {
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
async function moveAllAway(parts: ServerJobParts, options: MoveAllOptions): Promise<MoveReport> {
  const { clock, log, agents, address, drains, stopping } = parts;
  const { timeoutMs, algorithm, cancel, isHopeless, onProgress } = options;
  const { registry, lists, server } = agents;
  drains.current?.abort();
  drains.current = cancel;
  log.info('Draining', { agents: registry.size, timeoutMs, algorithm });
  const listFor = ({ host, held }: Attache) => {
    const list = lists.listFor(host, { held, algorithm });
    return list.avoid.includes(address) ? list : { ...list, avoid: [...list.avoid, address] };
  };
  const isUp = (other: string) => takesAgents(parts, other);
  try {
    return await moveAgents(
      {
        clock,
        log,
        onProgress: text => void onProgress(text),
        staying() {
          if (isHopeless?.()) cancel.abort();
          return [...registry];
        },
        arriving: () => server.arriving,
        target(attache) {
          const { hosts, avoid } = listFor(attache);
          return hosts.find(other => !avoid.includes(other) && isUp(other));
        },
        isUp,
        ask: attache => askToMigrate(attache, listFor(attache)),
        rate: () => lists.configuration.values['agent.migrate.rate'],
      },
      { timeoutMs, signal: AbortSignal.any([cancel.signal, stopping]) },
    );
  } finally {
    if (drains.current === cancel) delete drains.current;
  }
}

async function finish(
  parts: ServerJobParts,
  purpose: DrainPurpose,
  { moved, left }: MoveReport,
  { forced, cancel }: { readonly forced: boolean; readonly cancel: AbortSignal },
): Promise<Readonly<Record<string, unknown>>> {
  const { log, events, agents, membership, address, stopping } = parts;
  const result = { moved, ...leftFields(left) };
  const isCancelled = cancel.aborted || stopping.aborted;
  if (isCancelled || !(await retryWhileAway(parts, () => membership.step(DRAINED[purpose])))) {
    return { cancelled: true, ...result };
  }
  if (forced) for (const attache of [...agents.registry]) attache.link.close(`the server goes into ${purpose}`);
  const described = left.slice(0, 20).map(({ name, why }) => `${name} (${why})`);
  log.info('Drained', { moved, left: left.length, agents: described });
  events.add({
    type: 'SERVER.STATE',
    level: left.length === 0 ? 'INFO' : 'WARN',
    description: `Management server ${address} is drained: ${moved} agents have moved, ${left.length} are left${described.length > 0 ? `: ${described.join(', ')}` : ''}`,
  });
  return { ...result, forced };
}
