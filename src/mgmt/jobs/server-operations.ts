import type { Clock } from '../../lib/clock.js';
import { refusedOperation } from '../../lib/operation-error.js';
import { amount } from '../../lib/text/amount.js';
import type { EventSink, EventType } from '../cluster/events.js';
import type { ServerReader } from '../cluster/membership.js';
import { type ObservedServer, othersThatTakeAgents } from '../cluster/observed-servers.js';
import { type ServerStep, TRANSITIONS } from '../cluster/server-state.js';
import { ALGORITHM_NAMES, type Configuration } from '../config/parameters.js';
import type { JobRow, ServerRow, ServerState, Store } from '../store/store.js';
import { failure } from './job-outcome.js';
import { type JobRequest, newJob } from './job-request.js';
import { rebalanceJobs } from './rebalance-agents.js';
import { serverByUuid } from './server-status.js';

/** Operators' steps of a server's state; server-state.ts draws them. Agents are moved by jobs (server-jobs.ts). */
export interface ServerOperationParts extends ServerReader {
  readonly store: Pick<
    Store,
    'servers' | 'countAgents' | 'changeServerStateWithJobs' | 'releaseHosts' | 'removeServer'
  >;
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly events: EventSink;
  /** Who asks: the name of an API key, or this server's address. Jobs and states are marked with it. */
  readonly asker: string;
  configuration(): Configuration;
  /** Has this server read now what the servers' states and its jobs are. The others notice the change a little later. */
  stateChanged(): Promise<void>;
  /** Has a server look now for the jobs that wait for it. */
  tellOfJobs(msid: number): void;
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
  return oneJob(await changeState(parts, server, 'prepareForMaintenance', [jobOf(server, 'drain', params)]));
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
  await changeState(parts, server, 'cancelMaintenance', rebalance ? await returningJobs(parts, server) : []);
}

/**
 * Moves the agents of a server to others, so that it can be shut down.
 * @returns the job
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function prepareForShutdown(parts: ServerOperationParts, { serverId }: ServerArguments): Promise<JobRow> {
  const server = await serverByUuid(parts.store, serverId);
  await checkDrain(parts, server, false);
  const params = { purpose: 'shutdown' };
  return oneJob(await changeState(parts, server, 'prepareForShutdown', [jobOf(server, 'drain', params)]));
}

/**
 * Takes a server that was prepared for its shutdown back into service; the agents that prefer it are told to return.
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function cancelShutdown(parts: ServerOperationParts, { serverId }: ServerArguments): Promise<void> {
  const server = await serverByUuid(parts.store, serverId);
  await changeState(parts, server, 'cancelShutdown', await returningJobs(parts, server));
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
  if (!isRunning(server)) throw refusedOperation(`management server ${server.serviceIp} is not running`);
  if (!forced) await checkTargets(parts, server, othersThatTakeAgents(await parts.readServers(), server.msid));
  return oneJob(await changeState(parts, server, 'triggerShutdown', [jobOf(server, 'shutdown', {})]));
}

/**
 * Removes a server that is Down and will not come back: its row, the status of its links, and what waits for it. Its address
 * stays in `host` until the configuration is changed.
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function removeServer(parts: ServerOperationParts, { serverId }: ServerArguments): Promise<ServerRow> {
  const { store, clock, events, stateChanged } = parts;
  const server = await serverByUuid(store, serverId);
  const { msid, serviceIp, state } = server;
  const notDown = (now: string) =>
    refusedOperation(`management server ${serviceIp} is ${now}: only one that is Down is removed`);
  if (state !== 'Down') throw notDown(state);
  // Hosts that it still has would point to nothing.
  const loss = { reason: 'its management server was removed', cause: 'server-down' } as const;
  await store.releaseHosts(msid, { at: clock.wallTime(), ...loss });
  if (!(await store.removeServer(msid, failure('the management server was removed'))))
    throw notDown('not Down any more');
  events.add({ type: 'SERVER.REMOVE', level: 'INFO', description: `Management server ${serviceIp} was removed` });
  await stateChanged();
  return server;
}

/** Whether the server may be drained, and its agents have a server to go to. @throws OperationError OPERATION_REFUSED */
async function checkDrain(parts: ServerOperationParts, server: ServerRow, forced: boolean): Promise<void> {
  const servers = await parts.readServers();
  if (server.state !== 'Up') throw refusedOperation(`management server ${server.serviceIp} is ${server.state}, not Up`);
  const other = otherPreparing(servers, server);
  if (other !== undefined) throw refusedOperation(`management server ${other.serviceIp} is ${other.state} already`);
  const others = othersThatTakeAgents(servers, server.msid);
  if (others.length === 0) throw refusedOperation('no other management server can take agents');
  if (!forced) await checkTargets(parts, server, others);
}

/** Whether another server of `host` would take the agents, if there are any. @throws OperationError OPERATION_REFUSED */
async function checkTargets(
  { store, configuration }: ServerOperationParts,
  server: ServerRow,
  others: readonly ObservedServer[],
): Promise<void> {
  const { host } = configuration().values;
  if (others.some(({ serviceIp }) => host.includes(serviceIp))) return;
  const agents = await store.countAgents(server.msid);
  if (agents > 0) {
    throw refusedOperation(
      `no other management server of host (${host.join(',')}) can take agents: its ${amount(agents, 'agent')} would have nowhere to go`,
    );
  }
}

const PREPARING: readonly ServerState[] = ['PreparingForMaintenance', 'PreparingForShutDown'];

/** What is told of an operator's order. What follows from it, the server itself tells. */
const ORDERS = {
  prepareForMaintenance: { type: 'MS.MAINTENANCE.PREPARE', what: 'maintenance is asked for' },
  cancelMaintenance: { type: 'MS.MAINTENANCE.CANCEL', what: 'the end of its maintenance is asked for' },
  prepareForShutdown: { type: 'MS.SHUTDOWN.PREPARE', what: 'the preparation of its shutdown is asked for' },
  cancelShutdown: { type: 'MS.SHUTDOWN.CANCEL', what: 'the end of its preparation for a shutdown is asked for' },
  triggerShutdown: { type: 'MS.SHUTDOWN', what: 'its shutdown is asked for' },
} as const satisfies Partial<Record<ServerStep, { readonly type: EventType; readonly what: string }>>;

/**
 * One step of the server's state, and the jobs that follow from it: all of it is done, or nothing.
 * @returns the jobs
 * @throws OperationError OPERATION_REFUSED when it is in none of the states that the step starts from, or another server
 * is being prepared; StoreError
 */
async function changeState(
  { store, asker, events, stateChanged, tellOfJobs }: ServerOperationParts,
  server: ServerRow,
  step: keyof typeof ORDERS,
  jobs: readonly JobRequest[],
): Promise<readonly JobRow[]> {
  const { from, to } = TRANSITIONS[step];
  const change = {
    from,
    to,
    by: asker,
    // A server that does not run comes Up when it is started; until then it must not count as Up.
    ...(to === 'Up' && { ifStopped: 'Down' as const }),
    ...(PREPARING.includes(to) && { unlessAnotherIs: PREPARING }),
    // The order is for the process that runs now: it would end the next one.
    ...(to === 'ShuttingDown' && server.runId !== null && { runId: server.runId }),
  };
  const changed = await store.changeServerStateWithJobs(
    server.msid,
    change,
    jobs.map(job => newJob(job, asker)),
  );
  if (!changed.done) {
    const { another, state = 'removed' } = changed;
    if (another !== undefined) {
      throw refusedOperation(`management server ${another.serviceIp} is ${another.state} already`);
    }
    throw refusedOperation(
      from.some(one => one === state)
        ? `management server ${server.serviceIp} was started anew at the same time`
        : `management server ${server.serviceIp} is ${state}; ${from.join(' or ')} is needed`,
    );
  }
  const { type, what } = ORDERS[step];
  events.add({ type, level: 'INFO', description: `Management server ${server.serviceIp}: ${what}` });
  for (const { targetMsid } of changed.jobs) if (targetMsid !== null) tellOfJobs(targetMsid);
  await stateChanged();
  return changed.jobs;
}

function jobOf({ msid }: ServerRow, cmd: string, params: JobRequest['params']): JobRequest {
  return { cmd, params, targetMsid: msid, hostId: null };
}

/** The jobs by which agents return to a server that is put back to Up. @throws StoreError */
async function returningJobs(
  { readServers }: ServerOperationParts,
  { serviceIp }: ServerRow,
): Promise<readonly JobRequest[]> {
  return rebalanceJobs(await readServers(), serviceIp);
}

function oneJob([job]: readonly JobRow[]): JobRow {
  if (job === undefined) throw new Error('the store made no job');
  return job;
}

/** It was not stopped in good order. Whether it lives shows by its heartbeat. */
function isRunning({ runId }: ServerRow): boolean {
  return runId !== null;
}

function otherPreparing(servers: readonly ServerRow[], { msid }: ServerRow): ServerRow | undefined {
  return servers.find(one => one.msid !== msid && PREPARING.includes(one.state));
}
