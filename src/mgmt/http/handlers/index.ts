import type { CommandName } from '../../../api/commands/index.js';
import type { Params, Response } from '../../../api/types.js';
import { listApis } from './apis.js';
import {
  issueCertificate,
  listCAProviders,
  listCaCertificate,
  provisionCertificate,
  revokeCertificate,
} from './certificates.js';
import { listConfigurations, updateConfiguration } from './configurations.js';
import { listEvents } from './events.js';
import type { Handler, HandlerParts } from './handler.js';
import { deleteHost, listHosts, reconnectHost } from './hosts.js';
import { listAsyncJobs, queryAsyncJobResult } from './jobs.js';
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
import { listManagementServers, removeManagementServer } from './servers.js';
import { listClusters, listPods, listZones } from './zones.js';

/** The handler of each command of the API's table. */
const HANDLERS: { readonly [N in CommandName]: Handler<N> } = {
  listManagementServers,
  removeManagementServer,
  listHosts,
  reconnectHost,
  deleteHost,
  listZones,
  listPods,
  listClusters,
  listConfigurations,
  updateConfiguration,
  listEvents,
  listApis,
  queryAsyncJobResult,
  listAsyncJobs,
  listAgentLinks,
  prepareForMaintenance,
  cancelMaintenance,
  prepareForShutdown,
  cancelShutdown,
  readyForShutdown,
  triggerShutdown,
  rebalanceAgents,
  previewHostList,
  listCAProviders,
  listCaCertificate,
  issueCertificate,
  provisionCertificate,
  revokeCertificate,
};

/** Carries out any command. Its parameters are checked. @throws ApiError, OperationError, StoreError */
export type Handlers = <N extends CommandName>(command: N, params: Params<N>) => Promise<Response<N>>;

export function handlersFor(parts: HandlerParts): Handlers {
  return (command, params) => HANDLERS[command](parts, params);
}
