import { Semaphore } from '../../lib/semaphore.js';
import { type ChangeConfigurationParts, changeConfiguration } from '../lists/change-configuration.js';
import { type PreviewChangeParts, previewChange } from '../lists/preview-change.js';
import { type HostOperationParts, reconnectHost, removeHost } from './host-operations.js';
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
  HostOperationParts &
  ServerOperationParts &
  RebalanceParts &
  ServerStatusParts;

/** An operation that has its parts already. */
type Bound<F> = F extends (parts: never, args: infer A) => infer R ? (args: A) => R : never;

/**
 * What operators can ask of a cluster, through any of its servers: the HTTP API, the command line and programs that
 * embed a server share these calls. Each is documented where it is defined.
 *
 * All of them reject with an `OperationError` when they are refused or an argument is invalid, and with a `StoreError`
 * when the store cannot be reached.
 */
export interface Operations {
  readonly changeConfiguration: Bound<typeof changeConfiguration>;
  readonly previewChange: Bound<typeof previewChange>;
  readonly removeHost: Bound<typeof removeHost>;
  readonly reconnectHost: Bound<typeof reconnectHost>;
  readonly rebalanceAgents: Bound<typeof rebalanceAgents>;
  readonly serverStatus: Bound<typeof serverStatus>;
  readonly prepareForMaintenance: Bound<typeof prepareForMaintenance>;
  readonly cancelMaintenance: Bound<typeof cancelMaintenance>;
  readonly prepareForShutdown: Bound<typeof prepareForShutdown>;
  readonly cancelShutdown: Bound<typeof cancelShutdown>;
  readonly triggerShutdown: Bound<typeof triggerShutdown>;
  readonly removeServer: Bound<typeof removeServer>;
}

/** The operations of one server, from its parts. */
export function operations(parts: OperationParts): Operations {
  // They would make each other do their work anew.
  const changes = new Semaphore();
  return {
    changeConfiguration: change => changes.run(() => changeConfiguration(parts, change)),
    previewChange: change => previewChange(parts, change),
    removeHost: args => removeHost(parts, args),
    reconnectHost: args => reconnectHost(parts, args),
    rebalanceAgents: args => changes.run(() => rebalanceAgents(parts, args)),
    serverStatus: args => serverStatus(parts, args),
    prepareForMaintenance: args => prepareForMaintenance(parts, args),
    cancelMaintenance: args => cancelMaintenance(parts, args),
    prepareForShutdown: args => prepareForShutdown(parts, args),
    cancelShutdown: args => cancelShutdown(parts, args),
    triggerShutdown: args => triggerShutdown(parts, args),
    removeServer: args => removeServer(parts, args),
  };
}
