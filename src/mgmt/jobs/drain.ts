import { withAnyOf } from '../../lib/abort.js';
import { reasonOf } from '../../lib/errors.js';
import type { Attache } from '../agents/attache.js';
import { drainPurpose, type ServerStep } from '../cluster/server-state.js';
import type { AlgorithmName } from '../config/parameters.js';
import { retryWhileAway } from '../store/store-health.js';
import { askToMigrate, type MoveParts, type MoveReport, moveAgents, movedText } from './move-agents.js';
import { leftFields, type RunningDrain, refreshServers, type ServerJobParts } from './server-job-parts.js';

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
  const running = begin(parts, purpose);
  // Another server may have changed this server's state.
  const watch = membership.onChange(() => {
    if (drainPurpose(membership.state) !== purpose) running.cancel.abort();
  });
  try {
    await refreshServers(parts);
    // It was cancelled before it began.
    if (drainPurpose(membership.state) !== purpose) return { cancelled: true, ...leftFields([]), moved: 0 };
    const minutes = agents.lists.configuration.values['management.server.maintenance.timeout'];
    const report = await moveAllAway(parts, running, { timeoutMs: minutes * 60_000, algorithm, forced, onProgress });
    return await finish(parts, purpose, report, { forced, cancel: running.cancel.signal });
  } finally {
    watch.cancel();
    end(parts, running);
  }
}

/**
 * Before a server stops: moves its agents to others, if another server can take them. Never rejects: the server stops in
 * any case, and a second order to stop may come in the midst of this.
 */
export async function drainBeforeStop(parts: ServerJobParts): Promise<void> {
  const { agents, membership, log, stopping } = parts;
  const timeoutMs = agents.lists.configuration.values['management.server.shutdown.drain.timeout'] * 1_000;
  // When the whole cluster is stopped, no server is left that could take the agents.
  const isHopeless = () => !membership.othersCanTakeAgents(agents.lists.configuration.values.host);
  if (timeoutMs === 0 || agents.registry.size === 0) return;
  let running: RunningDrain | undefined;
  try {
    await membership.listen();
    if (isHopeless()) return;
    running = begin(parts, 'stop');
    await membership.step('prepareForShutdown');
    const { moved, left } = await moveAllAway(parts, running, { timeoutMs, isHopeless, onProgress: () => {} });
    log.info('Moved agents away', { moved, left: left.length });
  } catch (error) {
    if (!stopping.aborted) log.warn('Agents could not be moved away', { reason: reasonOf(error) });
  } finally {
    if (running !== undefined) end(parts, running);
  }
}

function begin({ drains }: ServerJobParts, purpose: RunningDrain['purpose']): RunningDrain {
  drains.current?.cancel.abort();
  const running = { purpose, cancel: new AbortController(), left: new Map() };
  drains.current = running;
  return running;
}

function end({ drains }: ServerJobParts, running: RunningDrain): void {
  if (drains.current === running) delete drains.current;
}

interface MoveAllOptions {
  readonly timeoutMs: number;
  readonly algorithm?: AlgorithmName | undefined;
  /** The time goes on even while no server can take agents. @default false */
  readonly forced?: boolean;
  /** Whether there is no use in going on. @default never */
  isHopeless?(): boolean;
  /** As a job shows it. */
  onProgress(text: string): unknown;
}

/** Moves this server's agents to others, as far as they go. */
async function moveAllAway(
  parts: ServerJobParts,
  running: RunningDrain,
  { timeoutMs, algorithm, forced = false, isHopeless, onProgress }: MoveAllOptions,
): Promise<MoveReport> {
  const { clock, log, meters, agents, membership, address, stopping } = parts;
  const { cancel } = running;
  const { registry, lists, server } = agents;
  log.info('Draining', { agents: registry.size, timeoutMs, algorithm });
  const listFor = ({ host, held }: Attache) => {
    const list = lists.listFor(host, { held, algorithm });
    return list.avoid.includes(address) ? list : { ...list, avoid: [...list.avoid, address] };
  };
  const isUp = (other: string) => membership.canTakeAgents(other);
  const moving: MoveParts = {
    clock,
    log,
    meters,
    onProgress: text => void onProgress(text),
    onLeft: left => {
      running.left = left;
    },
    staying() {
      if (isHopeless?.()) cancel.abort();
      return [...registry];
    },
    arriving: () => server.arriving,
    target(attache) {
      const { hosts, avoid } = listFor(attache);
      const address = hosts.find(other => !avoid.includes(other) && isUp(other));
      return address === undefined ? { none: 'no other server of its list is Up' } : { address };
    },
    isUp,
    isPaused: () => !forced && !membership.othersCanTakeAgents(lists.configuration.values.host),
    ask: attache => askToMigrate(attache, listFor(attache)),
    rate: () => lists.configuration.values['agent.migrate.rate'],
  };
  return withAnyOf([cancel.signal, stopping], signal => moveAgents(moving, { timeoutMs, signal }));
}

async function closeAll({ agents, clock }: ServerJobParts, why: string): Promise<void> {
  let closed = 0;
  for (const attache of [...agents.registry]) {
    attache.end(why, 'asked');
    if (++closed % CLOSED_PER_TURN === 0) await clock.turn();
  }
}

/** Links that are closed in one turn of the event loop. */
const CLOSED_PER_TURN = 100;

async function finish(
  parts: ServerJobParts,
  purpose: DrainPurpose,
  { moved, left }: MoveReport,
  { forced, cancel }: { readonly forced: boolean; readonly cancel: AbortSignal },
): Promise<Readonly<Record<string, unknown>>> {
  const { log, events, membership, address, stopping } = parts;
  const result = { moved, ...leftFields(left) };
  const isCancelled = cancel.aborted || stopping.aborted;
  if (isCancelled || !(await retryWhileAway(parts, () => membership.step(DRAINED[purpose])))) {
    return { cancelled: true, ...result };
  }
  if (forced) await closeAll(parts, `the server goes into ${purpose}`);
  const described = left.slice(0, 20).map(({ name, why }) => `${name} (${why})`);
  log.info('Drained', { moved, left: left.length, agents: described });
  events.add({
    type: 'SERVER.STATE',
    level: left.length === 0 ? 'INFO' : 'WARN',
    description: `Management server ${address} is drained: ${movedText(moved, left.length)}${described.length > 0 ? `: ${described.join(', ')}` : ''}`,
  });
  return { ...result, forced };
}
