import { operations } from '../../jobs/operations.js';
import type { Administration } from '../administration.js';
import { listApis } from './apis.js';
import { listConfigurations, updateConfiguration } from './configurations.js';
import { listEvents } from './events.js';
import type { Handlers } from './handler.js';
import { deleteHost, listHosts, reconnectHost } from './hosts.js';
import { queryAsyncJobResult } from './jobs.js';
import { listAgentLinks } from './links.js';
import {
  cancelMaintenance,
  cancelShutdown,
  prepareForMaintenance,
  prepareForShutdown,
  readyForShutdown,
  rebalanceAgents,
  triggerShutdown,
} from './maintenance.js';
import { previewHostList } from './preview.js';
import { listManagementServers } from './servers.js';

/** The handler of each command. */
export function handlersFor(administration: Administration): Handlers {
  const { msid, store } = administration;
  const parts = { msid, store, operations: operations(administration), ownLinks: () => administration.ownLinks() };
  return {
    listManagementServers: listManagementServers(parts),
    listHosts: listHosts(parts),
    reconnectHost: reconnectHost(parts),
    deleteHost: deleteHost(parts),
    listConfigurations: listConfigurations(parts),
    updateConfiguration: updateConfiguration(parts),
    listEvents: listEvents(parts),
    listApis,
    queryAsyncJobResult: queryAsyncJobResult(parts),
    prepareForMaintenance: prepareForMaintenance(parts),
    cancelMaintenance: cancelMaintenance(parts),
    prepareForShutdown: prepareForShutdown(parts),
    cancelShutdown: cancelShutdown(parts),
    readyForShutdown: readyForShutdown(parts),
    triggerShutdown: triggerShutdown(parts),
    rebalanceAgents: rebalanceAgents(parts),
    listAgentLinks: listAgentLinks(parts),
    previewHostList: previewHostList(parts),
  };
}
