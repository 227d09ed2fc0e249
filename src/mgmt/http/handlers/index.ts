import type { CommandName } from '../../../api/commands/index.js';
import type { Params, Response } from '../../../api/types.js';
import type { OperationsFor } from '../../jobs/operations.js';
import { deleteAlertSilence, listAlertSilences, listAlerts, silenceAlert } from './alerts.js';
import { createApiKey, deleteApiKey, listApiKeys } from './api-keys.js';
import { listApis } from './apis.js';
import { commitCanary, deleteCanary, listCanaries, startCanary, verifyCanary } from './canaries.js';
import {
  dropCertificateAuthority,
  introduceCertificateAuthority,
  issueCertificate,
  listCAProviders,
  listCaCertificate,
  listCertificateAuthorities,
  provisionCertificate,
  revokeCertificate,
  switchCertificateAuthority,
} from './certificates.js';
import { listConfigurations, resetConfiguration, updateConfiguration } from './configurations.js';
import { createEnrollmentToken, deleteEnrollmentToken, listEnrollmentTokens } from './enrollment.js';
import { listEvents } from './events.js';
import type { Caller, Handler, HandlerParts } from './handler.js';
import {
  deleteHost,
  diagnoseHost,
  listHosts,
  listHostsMetrics,
  migrateHost,
  reconnectHost,
  updateHost,
} from './hosts.js';
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
import { listMoves, listMovesSummary } from './moves.js';
import { listPlacements } from './placements.js';
import { previewHostList } from './preview.js';
import { cancelCommand, listCommandResults, sendCommand } from './send.js';
import { listManagementServers, listManagementServersMetrics, removeManagementServer } from './servers.js';
import { listClusters, listPods, listZones } from './zones.js';

/** The handler of each command of the API's table. */
const HANDLERS: { readonly [N in CommandName]: Handler<N> } = {
  listManagementServers,
  listManagementServersMetrics,
  removeManagementServer,
  listHosts,
  listHostsMetrics,
  updateHost,
  reconnectHost,
  migrateHost,
  diagnoseHost,
  deleteHost,
  listZones,
  listPods,
  listClusters,
  listConfigurations,
  updateConfiguration,
  resetConfiguration,
  listEvents,
  listAlerts,
  silenceAlert,
  listAlertSilences,
  deleteAlertSilence,
  listMoves,
  listMovesSummary,
  listPlacements,
  listApis,
  queryAsyncJobResult,
  listAsyncJobs,
  listAgentLinks,
  sendCommand,
  listCommandResults,
  cancelCommand,
  prepareForMaintenance,
  cancelMaintenance,
  prepareForShutdown,
  cancelShutdown,
  readyForShutdown,
  triggerShutdown,
  rebalanceAgents,
  previewHostList,
  startCanary,
  listCanaries,
  verifyCanary,
  commitCanary,
  deleteCanary,
  createApiKey,
  listApiKeys,
  deleteApiKey,
  listCAProviders,
  listCaCertificate,
  listCertificateAuthorities,
  introduceCertificateAuthority,
  switchCertificateAuthority,
  dropCertificateAuthority,
  issueCertificate,
  provisionCertificate,
  revokeCertificate,
  createEnrollmentToken,
  listEnrollmentTokens,
  deleteEnrollmentToken,
};

/** Carries out any command. Its parameters are checked, and the caller may call it. @throws ApiError, OperationError, StoreError */
export type Handlers = <N extends CommandName>(command: N, params: Params<N>, caller: Caller) => Promise<Response<N>>;

export interface HandlersParts extends Omit<HandlerParts, 'operations' | 'caller'> {
  readonly operationsFor: OperationsFor;
}

export function handlersFor({ operationsFor, ...parts }: HandlersParts): Handlers {
  return (command, params, caller) =>
    HANDLERS[command]({ ...parts, caller, operations: operationsFor(caller.name) }, params);
}
