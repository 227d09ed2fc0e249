import { Semaphore } from '../../lib/semaphore.js';
import {
  type CanaryParts,
  commitCanary,
  deleteCanary,
  listCanaries,
  startCanary,
  verifyCanary,
} from '../canary/canary-operations.js';
import { eventsAskedBy } from '../cluster/events.js';
import { type CommandOperationParts, cancelCommand, sendCommand } from '../commands/command-operations.js';
import {
  type ChangeConfigurationParts,
  changeConfiguration,
  resetConfiguration,
} from '../lists/change-configuration.js';
import { type ChangeSilencesParts, deleteAlertSilence, silenceAlert } from '../lists/change-silences.js';
import { type PreviewChangeParts, previewChange } from '../lists/preview-change.js';
import { type ApiKeyOperationParts, createApiKey, deleteApiKey, listApiKeys } from './api-key-operations.js';
import {
  type AuthorityOperationParts,
  dropAuthority,
  introduceAuthority,
  listAuthorities,
  switchAuthority,
} from './authority-operations.js';
import {
  type CertificateOperationParts,
  issueCertificate,
  provisionCertificate,
  revokeCertificate,
} from './certificate-operations.js';
import {
  createEnrollmentToken,
  deleteEnrollmentToken,
  type EnrollmentOperationParts,
} from './enrollment-operations.js';
import {
  diagnoseHost,
  type HostOperationParts,
  migrateHost,
  reconnectHost,
  removeHost,
  updateHost,
} from './host-operations.js';
import type { JobRequest } from './job-request.js';
import { type RebalanceParts, rebalanceAgents } from './rebalance-agents.js';
import {
  cancelMaintenance,
  cancelShutdown,
  prepareForMaintenance,
  prepareForShutdown,
  removeServer,
  type ServerOperationParts,
  triggerShutdown,
} from './server-operations.js';
import { type ServerStatusParts, serverStatus } from './server-status.js';

/** All that the operations need of a server. */
export type OperationParts = ChangeConfigurationParts &
  PreviewChangeParts &
  CanaryParts &
  HostOperationParts &
  CertificateOperationParts &
  ServerOperationParts &
  RebalanceParts &
  ServerStatusParts &
  ApiKeyOperationParts &
  AuthorityOperationParts &
  CommandOperationParts &
  EnrollmentOperationParts &
  ChangeSilencesParts;

/** An operation that has its parts already. */
type Bound<F> = F extends (parts: never, args: infer A, ...more: never[]) => infer R ? (args: A) => R : never;

/**
 * What operators can ask of a cluster, through any of its servers: the HTTP API, the command line and programs that
 * embed a server share these calls. Ids of hosts, servers and clusters are UUIDs.
 *
 * All of them reject with an `OperationError` when they are refused or an argument is invalid, and with a `StoreError`
 * when the store cannot be reached. A call that returns a job returns its row at once; `Store.job` tells its outcome.
 * @example
 * const [server] = await store.servers();
 * const job = await node.operations.prepareForMaintenance({ serverId: server.uuid });
 * const { status, progress } = (await store.job(job.uuid)) ?? job;
 */
export interface Operations {
  /**
   * Changes a value of the global configuration, or a cluster's own value.
   * @returns the value as it is kept, and how many agents have another preferred host by it
   * @throws OperationError CONFIGURATION_NAME_UNKNOWN, ARGUMENT_INVALID (`value`, `clusterId`), OPERATION_REFUSED
   */
  readonly changeConfiguration: Bound<typeof changeConfiguration>;
  /**
   * Sets a value back to its default, or has the global value hold again for a cluster.
   * @returns as `changeConfiguration`
   * @throws OperationError CONFIGURATION_NAME_UNKNOWN; ARGUMENT_INVALID (`name`: it has no default, as `host`; `value`,
   *   `clusterId`), OPERATION_REFUSED
   */
  readonly resetConfiguration: Bound<typeof resetConfiguration>;
  /**
   * Computes what a change of the host list or of the algorithm would do. Nothing is changed.
   * @throws OperationError ARGUMENT_INVALID (`host`, `algorithm`)
   */
  readonly previewChange: Bound<typeof previewChange>;
  /**
   * Has a change of the host list, the algorithm or the weights hold for a few hosts first, which dial the servers that they
   * are told.
   * @throws OperationError ARGUMENT_INVALID (`host`, `algorithm`, `weights`, `percent`); OPERATION_REFUSED: another one
   *   stands, or no agent would get another list
   */
  readonly startCanary: Bound<typeof startCanary>;
  /** The canary that stands, and how far it is. */
  readonly listCanaries: () => ReturnType<typeof listCanaries>;
  /** Has the hosts of a canary dial once more. @throws OperationError ARGUMENT_INVALID (`id`), OPERATION_REFUSED */
  readonly verifyCanary: Bound<typeof verifyCanary>;
  /**
   * Has the change of a canary hold for all agents.
   * @throws OperationError ARGUMENT_INVALID (`id`, `host`); OPERATION_REFUSED: dials have failed or not ended, and `forced`
   *   is false
   */
  readonly commitCanary: Bound<typeof commitCanary>;
  /** Takes a canary back: its hosts are told what all others are. @throws OperationError ARGUMENT_INVALID (`id`) */
  readonly deleteCanary: Bound<typeof deleteCanary>;
  /**
   * Removes a host, after its agent was told not to come back, for up to a minute. The id is never used again.
   * @throws OperationError ARGUMENT_INVALID (`hostId`); OPERATION_REFUSED: the agent could not be told, and `forced` is false
   */
  readonly removeHost: Bound<typeof removeHost>;
  /**
   * Gives a host tags, in place of those that operators have given it before, or an annotation. The tags of its agent stay.
   * @returns its row as it is then
   * @throws OperationError ARGUMENT_INVALID (`hostId`, `tags`, `annotation`)
   */
  readonly updateHost: Bound<typeof updateHost>;
  /**
   * Ends the link of a host. The job succeeds when the host is Ready again, at any server.
   * @throws OperationError ARGUMENT_INVALID (`hostId`); OPERATION_REFUSED: the host is not Up
   */
  readonly reconnectHost: Bound<typeof reconnectHost>;
  /**
   * Has the agent of a host go to another server of `host`, without a gap. The job succeeds when it is Ready there. It goes
   * back when it next checks its preferred host.
   * @throws OperationError ARGUMENT_INVALID (`hostId`, `serverId`); OPERATION_REFUSED: the host is not Up, or is there
   *   already, or the server takes no agents
   */
  readonly migrateHost: Bound<typeof migrateHost>;
  /**
   * Has the agent of a host look at its files, its certificates and the servers of its list, or dial given servers. The job's
   * result has what was found.
   * @throws OperationError ARGUMENT_INVALID (`hostId`, `hosts`); OPERATION_REFUSED: the host is not Up
   */
  readonly diagnoseHost: Bound<typeof diagnoseHost>;
  /**
   * Has the agent of a host get a new certificate, by a job of the server that has it.
   * @throws OperationError ARGUMENT_INVALID (`hostId`); OPERATION_REFUSED: it is not Up, or its certificate was revoked and
   *   `forced` is false
   */
  readonly provisionCertificate: Bound<typeof provisionCertificate>;
  /**
   * Issues a certificate for a certificate request. The job's result has it.
   * @throws OperationError ARGUMENT_INVALID (`csr`, `domain`, `ipaddress`, `duration`)
   */
  readonly issueCertificate: Bound<typeof issueCertificate>;
  /** Has every server refuse a certificate from now on. @throws OperationError ARGUMENT_INVALID (`serial`) */
  readonly revokeCertificate: Bound<typeof revokeCertificate>;
  /**
   * Has commands sent to the agents of many hosts, by a job that goes on when a server ends. `Store.commandResults` has what
   * became of them.
   * @throws OperationError ARGUMENT_INVALID, OPERATION_REFUSED
   */
  readonly sendCommand: Bound<typeof sendCommand>;
  /** Takes back what of such a job was not sent yet. @throws OperationError ARGUMENT_INVALID (`jobId`) */
  readonly cancelCommand: Bound<typeof cancelCommand>;
  /** The CAs, oldest first, and the hosts that have not come so far as they have. */
  readonly listAuthorities: () => ReturnType<typeof listAuthorities>;
  /**
   * Has agents trust another CA beside the present one: a new one, or one that is given.
   * @throws OperationError ARGUMENT_INVALID (`certificate`), OPERATION_REFUSED
   */
  readonly introduceAuthority: Bound<typeof introduceAuthority>;
  /**
   * Has servers issue with the introduced CA. They do so by themselves when the hosts that are Up trust it.
   * @throws OperationError OPERATION_REFUSED
   */
  readonly switchAuthority: Bound<typeof switchAuthority>;
  /**
   * Has servers and agents trust a former CA no longer, or one that was introduced.
   * @throws OperationError ARGUMENT_INVALID (`fingerprint`), OPERATION_REFUSED
   */
  readonly dropAuthority: Bound<typeof dropAuthority>;
  /**
   * Has agents that are not on their preferred host go there, by one job for each server that is Up. With `rendezvous`,
   * all assignments are computed anew first.
   * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED
   */
  readonly rebalanceAgents: Bound<typeof rebalanceAgents>;
  /** The state, the hosts and the pending jobs of a server. @throws OperationError ARGUMENT_INVALID (`serverId`) */
  readonly serverStatus: Bound<typeof serverStatus>;
  /**
   * Takes a server out of service. The job moves its agents to others, for up to
   * `management.server.maintenance.timeout` minutes.
   * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED
   */
  readonly prepareForMaintenance: Bound<typeof prepareForMaintenance>;
  /** Takes a server back into service. @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED */
  readonly cancelMaintenance: Bound<typeof cancelMaintenance>;
  /**
   * The job moves the agents of a server to others, so that it can be shut down.
   * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED
   */
  readonly prepareForShutdown: Bound<typeof prepareForShutdown>;
  /**
   * Takes a server that was prepared for its shutdown back into service.
   * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED
   */
  readonly cancelShutdown: Bound<typeof cancelShutdown>;
  /**
   * Ends the process of a server in good order.
   * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED
   */
  readonly triggerShutdown: Bound<typeof triggerShutdown>;
  /**
   * Removes a server that is Down and will not come back, and what waits for it.
   * @returns its row as it was
   * @throws OperationError ARGUMENT_INVALID (`serverId`); OPERATION_REFUSED: it is not Down
   */
  readonly removeServer: Bound<typeof removeServer>;
  /**
   * Makes an API key, which all servers know within two seconds. Its secret is told once, by what this returns.
   * @throws OperationError ARGUMENT_INVALID (`name`, `role`), OPERATION_REFUSED
   */
  readonly createApiKey: Bound<typeof createApiKey>;
  /** The API keys without their secrets, oldest first. */
  readonly listApiKeys: () => ReturnType<typeof listApiKeys>;
  /**
   * Deletes an API key, which all servers refuse within two seconds.
   * @throws OperationError ARGUMENT_INVALID (`id`); OPERATION_REFUSED: it is the last one of an operator, or
   *   alerts are signed with it
   */
  readonly deleteApiKey: Bound<typeof deleteApiKey>;
  /**
   * Makes a token by which agents get their first certificate. Its text is told once, by what this returns.
   * @throws OperationError ARGUMENT_INVALID (`zone`, `cluster`, `guid`, `uses`, `validity`)
   */
  readonly createEnrollmentToken: Bound<typeof createEnrollmentToken>;
  /** Deletes a token: no agent can use it any more. @throws OperationError ARGUMENT_INVALID (`id`) */
  readonly deleteEnrollmentToken: Bound<typeof deleteEnrollmentToken>;
  /**
   * Keeps alerts of a kind or a subject from the webhooks until a moment, in place of a silence that it has.
   * @returns the silence as it is kept: its end in whole minutes
   * @throws OperationError ARGUMENT_INVALID (`subject`, `end`, `reason`), OPERATION_REFUSED
   */
  readonly silenceAlert: Bound<typeof silenceAlert>;
  /** Has alerts posted again. @throws OperationError ARGUMENT_INVALID (`subject`), OPERATION_REFUSED */
  readonly deleteAlertSilence: Bound<typeof deleteAlertSilence>;
}

/** The operations as somebody asks for them. @param key the name of an API key. Undefined: a program that embeds the server */
export type OperationsFor = (key?: string) => Operations;

/** The operations of one server, from its parts. Events and jobs tell who has asked. */
export function operationsOf(parts: Omit<OperationParts, 'asker'> & { readonly address: string }): OperationsFor {
  // Two at a time would each find the other's change, and begin again.
  const changes = new Semaphore();
  return key =>
    boundOperations({ ...parts, asker: key ?? parts.address, ...(key !== undefined && askedBy(parts, key)) }, changes);
}

function askedBy({ events, startJob }: Pick<OperationParts, 'events' | 'startJob'>, username: string) {
  return { events: eventsAskedBy(username, events), startJob: (job: JobRequest) => startJob(job, username) };
}

function boundOperations(parts: OperationParts, changes: Semaphore): Operations {
  return {
    changeConfiguration: change => changes.run(() => changeConfiguration(parts, change)),
    resetConfiguration: reset => changes.run(() => resetConfiguration(parts, reset)),
    previewChange: change => previewChange(parts, change),
    startCanary: args => changes.run(() => startCanary(parts, args)),
    listCanaries: () => listCanaries(parts),
    verifyCanary: args => verifyCanary(parts, args),
    commitCanary: args => changes.run(() => commitCanary(parts, args)),
    deleteCanary: args => changes.run(() => deleteCanary(parts, args)),
    removeHost: args => removeHost(parts, args),
    updateHost: args => updateHost(parts, args),
    reconnectHost: args => reconnectHost(parts, args),
    migrateHost: args => migrateHost(parts, args),
    diagnoseHost: args => diagnoseHost(parts, args),
    provisionCertificate: args => provisionCertificate(parts, args),
    issueCertificate: args => issueCertificate(parts, args),
    revokeCertificate: args => revokeCertificate(parts, args),
    rebalanceAgents: args => changes.run(() => rebalanceAgents(parts, args)),
    serverStatus: args => serverStatus(parts, args),
    prepareForMaintenance: args => prepareForMaintenance(parts, args),
    cancelMaintenance: args => cancelMaintenance(parts, args),
    prepareForShutdown: args => prepareForShutdown(parts, args),
    cancelShutdown: args => cancelShutdown(parts, args),
    triggerShutdown: args => triggerShutdown(parts, args),
    removeServer: args => removeServer(parts, args),
    sendCommand: args => sendCommand(parts, args),
    cancelCommand: args => cancelCommand(parts, args),
    listAuthorities: () => listAuthorities(parts),
    introduceAuthority: args => introduceAuthority(parts, args),
    switchAuthority: args => switchAuthority(parts, args),
    dropAuthority: args => dropAuthority(parts, args),
    createApiKey: args => createApiKey(parts, args, parts.asker),
    listApiKeys: () => listApiKeys(parts),
    deleteApiKey: args => deleteApiKey(parts, args),
    createEnrollmentToken: args => createEnrollmentToken(parts, args, parts.asker),
    deleteEnrollmentToken: args => deleteEnrollmentToken(parts, args),
    silenceAlert: args => changes.run(() => silenceAlert(parts, args)),
    deleteAlertSilence: args => changes.run(() => deleteAlertSilence(parts, args)),
  };
}
