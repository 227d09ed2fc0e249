import type { ApiObject } from '../../../api/envelope.js';
import { type ServerStep, TRANSITIONS } from '../../cluster/server-state.js';
import { ALGORITHM_NAMES } from '../../config/parameters.js';
import { placeHosts } from '../../lists/reassign.js';
import type { JobRow, ServerRow } from '../../store/store.js';
import type { Administration, JobRequest } from '../administration.js';
import { invalidParameter, refused } from '../api-error.js';
import type { Handler } from './handler.js';
import { settingsOf } from './preview.js';

export function prepareForMaintenance(administration: Administration): Handler<'prepareForMaintenance'> {
  return async ({ managementserverid, algorithm, forced = false }) => {
    if (algorithm !== undefined && !ALGORITHM_NAMES.some(name => name === algorithm)) {
      throw refused(`the algorithm ${algorithm} is unknown: ${ALGORITHM_NAMES.join(', ')} are known`);
    }
    const server = await serverById(administration, 'prepareForMaintenance', managementserverid);
    await checkDrain(administration, server, forced);
    const params = { purpose: 'maintenance', forced, ...(algorithm !== undefined && { algorithm }) };
    const job = await startDrain(administration, server, 'prepareForMaintenance', params);
    return { kind: 'object', fields: { ...(await stateObject(administration, server)), jobid: job.uuid } };
  };
}

export function cancelMaintenance(administration: Administration): Handler<'cancelMaintenance'> {
  return async ({ managementserverid, rebalance = true }) => {
    const server = await serverById(administration, 'cancelMaintenance', managementserverid);
    await take(administration, server, 'cancelMaintenance');
    if (rebalance) await startRebalance(administration, server.serviceIp);
    return { kind: 'object', fields: await stateObject(administration, server) };
  };
}

export function prepareForShutdown(administration: Administration): Handler<'prepareForShutdown'> {
  return async ({ managementserverid }) => {
    const server = await serverById(administration, 'prepareForShutdown', managementserverid);
    await checkDrain(administration, server, false);
    const job = await startDrain(administration, server, 'prepareForShutdown', { purpose: 'shutdown' });
    return { kind: 'object', fields: { ...(await stateObject(administration, server)), jobid: job.uuid } };
  };
}

export function cancelShutdown(administration: Administration): Handler<'cancelShutdown'> {
  return async ({ managementserverid }) => {
    const server = await serverById(administration, 'cancelShutdown', managementserverid);
    await take(administration, server, 'cancelShutdown');
    await startRebalance(administration, server.serviceIp);
    return { kind: 'object', fields: await stateObject(administration, server) };
  };
}

export function readyForShutdown(administration: Administration): Handler<'readyForShutdown'> {
  return async ({ managementserverid }) => {
    const server = await serverById(administration, 'readyForShutdown', managementserverid);
    return { kind: 'object', fields: await stateObject(administration, server) };
  };
}

export function triggerShutdown(administration: Administration): Handler<'triggerShutdown'> {
  return async ({ managementserverid, forced = false }) => {
    const server = await serverById(administration, 'triggerShutdown', managementserverid);
    // Its next start would be its end.
    if (!isRunning(server)) throw refused(`management server ${server.serviceIp} is not running`);
    if (!forced) await checkTakers(administration, server, await administration.store.servers());
    await take(administration, server, 'triggerShutdown');
    await administration.startJob({ cmd: 'shutdown', params: {}, targetMsid: server.msid, hostId: null });
    return { kind: 'object', fields: await stateObject(administration, server) };
  };
}

export function rebalanceAgents(administration: Administration): Handler<'rebalanceAgents'> {
  return async ({ managementserverid }) => {
    const { clock, store, configuration } = administration;
    const target =
      managementserverid === undefined
        ? undefined
        : await serverById(administration, 'rebalanceAgents', managementserverid);
    const { version, values } = configuration();
    const settings = settingsOf(values, version);
    const placed =
      settings.algorithm === 'rendezvous' ? await placeHosts(store, await store.hosts(), settings, clock) : undefined;
    const jobs = await startRebalance(administration, target?.serviceIp);
    return { kind: 'plain', fields: { success: true, placed, jobids: jobs } };
  };
}

/** Each server that is Up has its own agents go where they belong. @returns the jobs */
async function startRebalance({ store, startJob }: Administration, address?: string): Promise<string[]> {
  const jobs: string[] = [];
  for (const { msid, state, serviceIp } of await store.servers()) {
    if (state !== 'Up' || serviceIp === address) continue;
    const params = address === undefined ? {} : { address };
    jobs.push((await startJob({ cmd: 'rebalance', params, targetMsid: msid, hostId: null })).uuid);
  }
  return jobs;
}

/** @throws ApiError 431 */
async function serverById({ store }: Administration, command: string, uuid: string): Promise<ServerRow> {
  const server = (await store.servers()).find(one => one.uuid === uuid);
  if (server === undefined) {
    throw invalidParameter(command, 'managementserverid', uuid, 'there is no management server with this id');
  }
  return server;
}

/** Whether the agents have anywhere to go. @throws ApiError 530 */
async function checkDrain({ store, configuration }: Administration, server: ServerRow, forced: boolean): Promise<void> {
  const servers = await store.servers();
  if (server.state !== 'Up') throw refused(`management server ${server.serviceIp} is ${server.state}, not Up`);
  const rival = preparing(servers, server);
  if (rival !== undefined) throw refused(`management server ${rival.serviceIp} is ${rival.state} already`);
  const others = servers.filter(({ msid, state }) => msid !== server.msid && state === 'Up');
  if (others.length === 0) throw refused('no other management server is Up');
  if (!forced) await checkTakers({ store, configuration }, server, servers);
}

/** Whether another server would take its agents. @throws ApiError 530 */
async function checkTakers(
  { store, configuration }: Pick<Administration, 'store' | 'configuration'>,
  server: ServerRow,
  servers: readonly ServerRow[],
): Promise<void> {
  const { host } = configuration().values;
  const others = servers.filter(({ msid, state }) => msid !== server.msid && state === 'Up');
  if (others.some(({ serviceIp }) => host.includes(serviceIp))) return;
  const { agents } = await store.agentsOfServer(server.msid);
  if (agents.length > 0) {
    throw refused(
      `no other management server of host (${host.join(',')}) is Up: its ${agents.length} agents would have nowhere to go`,
    );
  }
}

/** @throws ApiError 530 */
async function startDrain(
  administration: Administration,
  server: ServerRow,
  step: 'prepareForMaintenance' | 'prepareForShutdown',
  params: JobRequest['params'],
): Promise<JobRow> {
  const { store, startJob, stateChanged } = administration;
  await take(administration, server, step);
  try {
    // Of two that are asked for at the same moment at least one sees the other.
    const rival = preparing(await store.servers(), server);
    if (rival !== undefined) throw refused(`management server ${rival.serviceIp} is ${rival.state} at the same time`);
    return await startJob({ cmd: 'drain', params, targetMsid: server.msid, hostId: null });
  } catch (error) {
    // Nobody would move its agents, and it would take none.
    const { from, to } = TRANSITIONS[step];
    await store.changeServerState(server.msid, { from: [to], to: from[0] ?? 'Up' }).catch(() => {});
    await stateChanged();
    throw error;
  }
}

/** One step of the server's state. @throws ApiError 530 when it is in none of the states that the step starts from */
async function take({ store, stateChanged }: Administration, server: ServerRow, step: ServerStep): Promise<void> {
  const { from, to } = TRANSITIONS[step];
  // One that does not run comes Up when it is started; until then it is not to be taken for Up.
  const done = await store.changeServerState(server.msid, {
    from,
    to: to === 'Up' && !isRunning(server) ? 'Down' : to,
    by: 'operator',
  });
  if (!done) throw refused(`management server ${server.serviceIp} is ${server.state}; ${from.join(' or ')} is needed`);
  await stateChanged();
}

/** It was not stopped in good order; whether it lives shows by its heartbeat. */
function isRunning({ runId }: ServerRow): boolean {
  return runId !== null;
}

function preparing(servers: readonly ServerRow[], { msid }: ServerRow): ServerRow | undefined {
  return servers.find(one => one.msid !== msid && /^Preparing/.test(one.state));
}

async function stateObject({ store }: Administration, { msid, uuid }: ServerRow): Promise<ApiObject> {
  const [servers, jobs, { agents }] = await Promise.all([
    store.servers(),
    store.countPendingJobs(),
    store.agentsOfServer(msid),
  ]);
  const state = servers.find(server => server.msid === msid)?.state ?? 'Down';
  return {
    managementserverid: uuid,
    state,
    maintenanceinitiated: /Maintenance$/.test(state),
    shutdowntriggered: /Shut/.test(state),
    readyforshutdown: state === 'ReadyToShutDown' || (state !== 'Up' && agents.length === 0),
    pendingjobscount: jobs.get(msid) ?? 0,
    agentscount: agents.length,
    agents,
  };
}
