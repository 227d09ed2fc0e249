/**
 * The management server: agents register with it, and get their host list from it.
 *
 * `startNode` runs one as `node dist/mgmt.js` does, with its files and sockets. `composeNode` puts one together from
 * parts of one's own: a clock, a store, a port.
 *
 * @example
 * import { readSettings, silentLog, startNode } from 'muster/mgmt';
 *
 * const { settings, initial } = readSettings(new Map([['db.url', 'sqlite:data/muster.db']]), new Map());
 * const running = await startNode({
 *   settings,
 *   initial,
 *   log: silentLog,
 *   onFatal: error => console.error(error.message),
 *   onShutdown: () => void running.stop('SIGTERM'),
 * });
 * await running.node.operations.changeConfiguration({ name: 'ping.interval', value: '30' });
 * await running.stop('SIGTERM');
 */
export { type Clock, systemClock, type Timer } from '../lib/clock.js';
export { ConfigError, FatalError, type FatalErrorCode } from '../lib/errors.js';
export { type Log, type LogFields, type LogOptions, silentLog } from '../lib/logger.js';
export { OperationError, type OperationErrorCode } from '../lib/operation-error.js';
export { type Random, systemRandom } from '../lib/random.js';
export type { RemoteEnd } from '../protocol/index.js';
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
export type { Operations } from './jobs/operations.js';
export { type NodeOptions, type RunningNode, startNode } from './node.js';
export { type OpenStoreParts, openStore } from './open-store.js';
export {
  type ApiKey,
  type ApiKeyPair,
  ApiKeys,
  type ApiKeysParts,
  type CreateApiKeyArguments,
} from './security/api-keys.js';
export type { Ca } from './security/ca.js';
export { newCa } from './security/cluster-ca.js';
export { type SealingKey, sealUnder } from './security/sealing-key.js';
export type { Store } from './store/store.js';
export { StoreError, type StoreErrorCode } from './store/store-error.js';
