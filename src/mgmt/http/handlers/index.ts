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

/** The commands of the API table, carried out with what the server lets the HTTP side do. */
export function handlersFor(administration: Administration): Handlers {
  return {
    listManagementServers: listManagementServers(administration),
    listHosts: listHosts(administration),
    reconnectHost: reconnectHost(administration),
    deleteHost: deleteHost(administration),
    listConfigurations: listConfigurations(administration),
    updateConfiguration: updateConfiguration(administration),
    listEvents: listEvents(administration),
    listApis,
    queryAsyncJobResult: queryAsyncJobResult(administration),
    prepareForMaintenance: prepareForMaintenance(administration),
    cancelMaintenance: cancelMaintenance(administration),
    prepareForShutdown: prepareForShutdown(administration),
    cancelShutdown: cancelShutdown(administration),
    readyForShutdown: readyForShutdown(administration),
    triggerShutdown: triggerShutdown(administration),
    rebalanceAgents: rebalanceAgents(administration),
    listAgentLinks: listAgentLinks(administration),
    previewHostList: previewHostList(administration),
  };
}
