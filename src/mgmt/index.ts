/**
 * The management server: agents register with it, and get their host list from it.
 *
 * `startManagementServer` runs one as `node dist/mgmt.js` does, with its files and sockets. `composeNode` puts one together
 * from parts of one's own: a clock, a store, a port.
 *
 * @example
 * import { CheckHealthCommand } from 'muster';
 * import { silentLog, startManagementServer } from 'muster/mgmt';
 *
 * const server = await startManagementServer({ overrides: { 'db.url': 'sqlite:data/muster.db' }, log: silentLog });
 * for (const { id, name, where } of server.hosts()) {
 *   const outcome = await server.send(id, [CheckHealthCommand.encode({})], { wait: 10 });
 *   console.log(name, where, outcome.kind);
 * }
 * await server.stop();
 */
export { type Clock, systemClock, type Timer } from '../lib/clock.js';
export type { Events } from '../lib/emitter.js';
export { ConfigError, FatalError, type FatalErrorCode } from '../lib/errors.js';
export { type Log, type LogFields, type LogOptions, silentLog } from '../lib/logger.js';
export { OperationError, type OperationErrorCode } from '../lib/operation-error.js';
export { type Random, systemRandom } from '../lib/random.js';
export { PrometheusMetrics } from '../metrics/prometheus.js';
export type { Message, RemoteEnd } from '../protocol/index.js';
export { type AgentsPort, tcpAgentsPort } from './agents/agents-port.js';
export type { AskOptions, Attache } from './agents/attache.js';
export type { AttacheRegistry } from './agents/attache-registry.js';
export type { Agents } from './agents/compose-agents.js';
export { type ServerDialer, tcpServerDialer } from './cluster/links/server-dialer.js';
export type { CommandOutcome } from './commands/outcome.js';
export type { SendOptions } from './commands/sender.js';
export { composeNode, type ManagementNode, type NodeParts } from './compose-node.js';
export {
  ALGORITHM_NAMES,
  type AlgorithmName,
  type Configuration,
  type InvalidParameter,
  PARAMETERS,
  type Parameter,
  type ParameterName,
  type ParameterValues,
  readConfiguration,
} from './config/parameters.js';
export {
  type ApiPemFiles,
  type CaFiles,
  type MgmtSettings,
  type PemFiles,
  type ReadSettings,
  readSettings,
  SETTING_HELP,
} from './config/settings.js';
export type { HostEvents, HostMoment } from './hosts/host-presence.js';
export type { ManagedHost } from './hosts/managed-hosts.js';
export type { Operations } from './jobs/operations.js';
export {
  type ManagementServer,
  type ManagementServerOptions,
  startManagementServer,
} from './management-server.js';
export { NODE_METRICS, type NodeReadings, type ServerMeters } from './metrics/server-metrics.js';
export { type OpenStoreParts, openStore } from './open-store.js';
export {
  type ApiKey,
  type ApiKeyPair,
  ApiKeys,
  type ApiKeysParts,
  type CreateApiKeyArguments,
} from './security/api-keys.js';
export type { Ca } from './security/ca.js';
export { newCa } from './security/new-ca.js';
export { type SealingKey, sealUnder } from './security/sealing-key.js';
export type { HostStatus } from './store/host-store.js';
export type { Store } from './store/store.js';
export { StoreError, type StoreErrorCode } from './store/store-error.js';
