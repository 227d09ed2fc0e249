import type { Params, Response, ResponseObject } from '../../../api/types.js';
import type { ServerStatus } from '../../jobs/server-status.js';
import type { HandlerParts } from './handler.js';

export async function prepareForMaintenance(
  { operations }: HandlerParts,
  { managementserverid: serverId, algorithm, forced }: Params<'prepareForMaintenance'>,
): Promise<Response<'prepareForMaintenance'>> {
  const job = await operations.prepareForMaintenance({ serverId, algorithm, forced });
  return { ...stateObject(await operations.serverStatus({ serverId })), jobid: job.uuid };
}

export async function cancelMaintenance(
  { operations }: HandlerParts,
  { managementserverid: serverId, rebalance }: Params<'cancelMaintenance'>,
): Promise<Response<'cancelMaintenance'>> {
  await operations.cancelMaintenance({ serverId, rebalance });
  return stateObject(await operations.serverStatus({ serverId }));
}

export async function prepareForShutdown(
  { operations }: HandlerParts,
  { managementserverid: serverId }: Params<'prepareForShutdown'>,
): Promise<Response<'prepareForShutdown'>> {
  const job = await operations.prepareForShutdown({ serverId });
  return { ...stateObject(await operations.serverStatus({ serverId })), jobid: job.uuid };
}

export async function cancelShutdown(
  { operations }: HandlerParts,
  { managementserverid: serverId }: Params<'cancelShutdown'>,
): Promise<Response<'cancelShutdown'>> {
  await operations.cancelShutdown({ serverId });
  return stateObject(await operations.serverStatus({ serverId }));
}

export async function readyForShutdown(
  { operations }: HandlerParts,
  { managementserverid: serverId }: Params<'readyForShutdown'>,
): Promise<Response<'readyForShutdown'>> {
  return stateObject(await operations.serverStatus({ serverId }));
}

export async function triggerShutdown(
  { operations }: HandlerParts,
  { managementserverid: serverId, forced }: Params<'triggerShutdown'>,
): Promise<Response<'triggerShutdown'>> {
  await operations.triggerShutdown({ serverId, forced });
  return stateObject(await operations.serverStatus({ serverId }));
}

export async function rebalanceAgents(
  { operations }: HandlerParts,
  { managementserverid: serverId }: Params<'rebalanceAgents'>,
): Promise<Response<'rebalanceAgents'>> {
  const { reassigned, jobs } = await operations.rebalanceAgents({ serverId });
  return { success: true, placed: reassigned, jobids: jobs.map(({ uuid }) => uuid) };
}

function stateObject(status: ServerStatus): ResponseObject<'readyForShutdown'> {
  return {
    managementserverid: status.server.uuid,
    state: status.state,
    maintenanceinitiated: status.isMaintenanceInitiated,
    shutdowntriggered: status.isShutdownTriggered,
    readyforshutdown: status.isReadyForShutdown,
    pendingjobscount: status.pendingJobs,
    agentscount: status.agents.length,
    agents: status.agents,
  };
}
