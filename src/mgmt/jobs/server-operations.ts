import { refusedOperation } from '../../lib/operation-error.js';
import { type ServerStep, TRANSITIONS } from '../cluster/server-state.js';
import { ALGORITHM_NAMES, type Configuration } from '../config/parameters.js';
import type { JobRow, ServerRow, Store } from '../store/store.js';
import type { JobRequest, StartJob } from './job-request.js';
import { startRebalance } from './rebalance-agents.js';
import { serverByUuid } from './server-status.js';

/** Operators' steps of a server's state; server-state.ts draws them. Agents are moved by jobs (server-jobs.ts). */
export interface ServerOperationParts {
  readonly store: Pick<Store, 'servers' | 'agentsOfServer' | 'changeServerState'>;
  readonly startJob: StartJob;
  configuration(): Configuration;
  /** Has this server read the servers' states now. The others notice the change by their heartbeat. */
  stateChanged(): Promise<void>;
}

export interface ServerArguments {
  /** UUID of the server. */
  readonly serverId: string;
}

export interface PrepareForMaintenanceArguments extends ServerArguments {
  /** Orders the lists by which the agents move. @default the configured one */
  readonly algorithm?: string | undefined;
  /** Also when no other server of `host` is Up; and links that are left when the time is out are closed. @default false */
  readonly forced?: boolean | undefined;
}

export interface CancelMaintenanceArguments extends ServerArguments {
  /** Whether agents that prefer this server are told to return. @default true */
  readonly rebalance?: boolean | undefined;
}

export interface TriggerShutdownArguments extends ServerArguments {
  /** Also when no other server would take its agents. @default false */
  readonly forced?: boolean | undefined;
}

/**
 * Takes a server out of service: it takes no new agents, and a job moves its agents to others.
 * @returns the job
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function prepareForMaintenance(
  parts: ServerOperationParts,
  { serverId, algorithm, forced = false }: PrepareForMaintenanceArguments,
): Promise<JobRow> {
  if (algorithm !== undefined && !ALGORITHM_NAMES.some(name => name === algorithm)) {
    throw refusedOperation(`the algorithm ${algorithm} is unknown: ${ALGORITHM_NAMES.join(', ')} are known`);
  }
  const server = await serverByUuid(parts.store, serverId);
  await checkDrain(parts, server, forced);
  const params = { purpose: 'maintenance', forced, ...(algorithm !== undefined && { algorithm }) };
  return startDrain(parts, server, 'prepareForMaintenance', params);
}

/**
 * Takes a server back into service.
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function cancelMaintenance(
  parts: ServerOperationParts,
  { serverId, rebalance = true }: CancelMaintenanceArguments,
): Promise<void> {
  const server = await serverByUuid(parts.store, serverId);
  await changeState(parts, server, 'cancelMaintenance');
  if (rebalance) await startRebalance(parts, server.serviceIp);
}

/**
 * Moves the agents of a server to others, so that it can be shut down.
 * @returns the job
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function prepareForShutdown(parts: ServerOperationParts, { serverId }: ServerArguments): Promise<JobRow> {
  const server = await serverByUuid(parts.store, serverId);
  await checkDrain(parts, server, false);
  return startDrain(parts, server, 'prepareForShutdown', { purpose: 'shutdown' });
}

/**
 * Takes a server that was prepared for its shutdown back into service; the agents that prefer it are told to return.
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function cancelShutdown(parts: ServerOperationParts, { serverId }: ServerArguments): Promise<void> {
  const server = await serverByUuid(parts.store, serverId);
  await changeState(parts, server, 'cancelShutdown');
  await startRebalance(parts, server.serviceIp);
}

/**
 * Ends the process of a server in good order: its agents are moved first, as on SIGTERM.
 * @returns the job
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function triggerShutdown(
  parts: ServerOperationParts,
  { serverId, forced = false }: TriggerShutdownArguments,
): Promise<JobRow> {
  const server = await serverByUuid(parts.store, serverId);
  // A job for a server that does not run would end its next process.
  if (!isRunning(server)) throw refusedOperation(`management server ${server.serviceIp} is not running`);
  if (!forced) await checkTargets(parts, server, await parts.store.servers());
  await changeState(parts, server, 'triggerShutdown');
  return parts.startJob({ cmd: 'shutdown', params: {}, targetMsid: server.msid, hostId: null });
}

/** Whether the server may be drained, and its agents have a server to go to. @throws OperationError OPERATION_REFUSED */
async function checkDrain(parts: ServerOperationParts, server: ServerRow, forced: boolean): Promise<void> {
  const servers = await parts.store.servers();
  if (server.state !== 'Up') throw refusedOperation(`management server ${server.serviceIp} is ${server.state}, not Up`);
  const other = otherPreparing(servers, server);
  if (other !== undefined) throw refusedOperation(`management server ${other.serviceIp} is ${other.state} already`);
  const others = servers.filter(({ msid, state }) => msid !== server.msid && state === 'Up');
  if (others.length === 0) throw refusedOperation('no other management server is Up');
  if (!forced) await checkTargets(parts, server, servers);
}

/** Whether another server of `host` would take the agents, if there are any. @throws OperationError OPERATION_REFUSED */
async function checkTargets(
  { store, configuration }: ServerOperationParts,
  server: ServerRow,
  servers: readonly ServerRow[],
): Promise<void> {
  const { host } = configuration().values;
  const others = servers.filter(({ msid, state }) => msid !== server.msid && state === 'Up');
  if (others.some(({ serviceIp }) => host.includes(serviceIp))) return;
  const { agents } = await store.agentsOfServer(server.msid);
  if (agents.length > 0) {
    throw refusedOperation(
      `no other management server of host (${host.join(',')}) is Up: its ${agents.length} agents would have nowhere to go`,
    );
  }
}

/** @throws OperationError OPERATION_REFUSED; StoreError */
async function startDrain(
  parts: ServerOperationParts,
  server: ServerRow,
  step: 'prepareForMaintenance' | 'prepareForShutdown',
  params: JobRequest['params'],
): Promise<JobRow> {
  const { store, startJob, stateChanged } = parts;
  await changeState(parts, server, step);
  try {
    // Of two requests at the same moment at least one sees the other.
    const other = otherPreparing(await store.servers(), server);
    if (other !== undefined) {
      throw refusedOperation(`management server ${other.serviceIp} is ${other.state} at the same time`);
    }
    return await startJob({ cmd: 'drain', params, targetMsid: server.msid, hostId: null });
  } catch (error) {
    // Without a job the server would take no agents, and nothing would move those that it has.
    const { from, to } = TRANSITIONS[step];
    await store.changeServerState(server.msid, { from: [to], to: from[0] ?? 'Up' }).catch(() => {});
    await stateChanged();
    throw error;
  }
}

/**
 * One step of the server's state.
 * @throws OperationError OPERATION_REFUSED when it is in none of the states that the step starts from; StoreError
 */
async function changeState(
  { store, stateChanged }: ServerOperationParts,
  server: ServerRow,
  step: ServerStep,
): Promise<void> {
  const { from, to } = TRANSITIONS[step];
  // A server that does not run comes Up when it is started; until then it must not count as Up.
  const done = await store.changeServerState(server.msid, {
    from,
    to: to === 'Up' && !isRunning(server) ? 'Down' : to,
    by: 'operator',
  });
  if (!done) {
    throw refusedOperation(`management server ${server.serviceIp} is ${server.state}; ${from.join(' or ')} is needed`);
  }
  await stateChanged();
}

/** It was not stopped in good order. Whether it lives shows by its heartbeat. */
function isRunning({ runId }: ServerRow): boolean {
  return runId !== null;
}

function otherPreparing(servers: readonly ServerRow[], { msid }: ServerRow): ServerRow | undefined {
  return servers.find(one => one.msid !== msid && /^Preparing/.test(one.state));
}
