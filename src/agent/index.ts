/** The agent: keeps one Ready link to a management server of its host list, and answers what servers ask. */
export { type Clock, systemClock, type Timer } from '../lib/clock.js';
export type { Events } from '../lib/emitter.js';
export { ConfigError } from '../lib/errors.js';
export { type Log, type LogFields, type LogOptions, silentLog } from '../lib/logger.js';
export { type Random, systemRandom } from '../lib/random.js';
export type { HostList, RemoteEnd } from '../protocol/index.js';
export { Agent, type AgentParts } from './agent.js';
export { AgentProperties, readProperties } from './agent-properties.js';
export {
  type AgentState,
  type Check,
  type Dial,
  type IdleReason,
  type Joining,
  type LinkRef,
  type Move,
  type MoveReason,
  type Moving,
  type Phase,
  readyLink,
} from './agent-state.js';
export { CommandJournal, type CommandJournalParts } from './commands/command-journal.js';
export { openJournal } from './commands/open-journal.js';
export { type Dialer, type TcpDialerOptions, tcpDialer, type Wire, wireOver } from './dial/dialer.js';
export type { LinkEvents } from './link-events.js';
export type { AgentMeters } from './metrics/agent-metrics.js';
export { type BuiltInOptions, builtInResource, withMachineName } from './resources/built-in.js';
export {
  type AnswerFields,
  type CommandHandler,
  defineResource,
  type ResourceDefinition,
  type TypedAnswer,
  type TypedCommand,
  typedCommand,
} from './resources/define-resource.js';
export type { HostStatsSources } from './resources/host-stats.js';
export { loadResource } from './resources/load-resource.js';
export type {
  CommandContext,
  MachineDescription,
  PingReport,
  Resource,
  ResourceHandle,
  StartupDescription,
} from './resources/resource.js';
export { AGENT_KEYS, type AgentKey, type AgentSettings, readSettings } from './settings.js';
export { type RunningAgent, type StartAgentOptions, startAgent } from './start-agent.js';
export type { AgentRules } from './steps/step.js';
export { TrustError } from './trust/judge.js';
export { type AgentTrust, type Credentials, Trust, type TrustParts } from './trust/trust.js';
