import type { ApiObject } from '../../../api/envelope.js';
import type { JobRow } from '../../store/store.js';
import type { Handler, HandlerParts } from './handler.js';

export function prepareForMaintenance({ operations }: HandlerParts): Handler<'prepareForMaintenance'> {
  return async ({ managementserverid: serverId, algorithm, forced }) => {
    const job = await operations.prepareForMaintenance({ serverId, algorithm, forced });
    return { kind: 'object', fields: await stateObject(operations, serverId, job) };
  };
}

export function cancelMaintenance({ operations }: HandlerParts): Handler<'cancelMaintenance'> {
  return async ({ managementserverid: serverId, rebalance }) => {
    await operations.cancelMaintenance({ serverId, rebalance });
    return { kind: 'object', fields: await stateObject(operations, serverId) };
  };
}

export function prepareForShutdown({ operations }: HandlerParts): Handler<'prepareForShutdown'> {
  return async ({ managementserverid: serverId }) => {
    const job = await operations.prepareForShutdown({ serverId });
    return { kind: 'object', fields: await stateObject(operations, serverId, job) };
  };
}

export function cancelShutdown({ operations }: HandlerParts): Handler<'cancelShutdown'> {
  return async ({ managementserverid: serverId }) => {
    await operations.cancelShutdown({ serverId });
    return { kind: 'object', fields: await stateObject(operations, serverId) };
  };
}

export function readyForShutdown({ operations }: HandlerParts): Handler<'readyForShutdown'> {
  return async ({ managementserverid: serverId }) => {
    return { kind: 'object', fields: await stateObject(operations, serverId) };
  };
}

export function triggerShutdown({ operations }: HandlerParts): Handler<'triggerShutdown'> {
  return async ({ managementserverid: serverId, forced }) => {
    await operations.triggerShutdown({ serverId, forced });
    return { kind: 'object', fields: await stateObject(operations, serverId) };
  };
}

export function rebalanceAgents({ operations }: HandlerParts): Handler<'rebalanceAgents'> {
  return async ({ managementserverid: serverId }) => {
    const { placed, jobs } = await operations.rebalanceAgents({ serverId });
    return { kind: 'plain', fields: { success: true, placed, jobids: jobs.map(({ uuid }) => uuid) } };
  };
}

async function stateObject(operations: HandlerParts['operations'], serverId: string, job?: JobRow): Promise<ApiObject> {
  const status = await operations.serverStatus({ serverId });
  return {
    managementserverid: status.server.uuid,
    state: status.state,
    maintenanceinitiated: status.isMaintenanceInitiated,
    shutdowntriggered: status.isShutdownTriggered,
    readyforshutdown: status.isReadyForShutdown,
    pendingjobscount: status.pendingJobs,
    agentscount: status.agents.length,
    agents: status.agents,
    jobid: job?.uuid,
  };
}
