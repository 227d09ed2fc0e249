import { inReady, inReadyAnswer, inStartup } from './muster.js';
import {
  answer,
  command,
  flag,
  integer,
  list,
  optionalFlag,
  optionalInteger,
  record,
  text,
  textList,
} from './schema.js';

/** From an agent: registers it with a server. The first packet of every link. */
export const StartupRoutingCommand = command('com.cloud.agent.api.StartupRoutingCommand', {
  cpuSockets: optionalInteger,
  cpus: integer,
  /** MHz */
  speed: integer,
  cpuArch: text,
  /** bytes */
  memory: integer,
  dom0MinMemory: integer,
  poolSync: flag,
  supportsClonedVolumes: flag,
  caps: text,
  pool: text,
  hypervisorType: text,
  hostDetails: record,
  hostTags: list,
  groupDetails: record,
  gpuDevices: list,
  type: text,
  /** The name or the id of the zone. */
  dataCenter: text,
  pod: text,
  cluster: text,
  /** `<guid>-<resource name>` */
  guid: text,
  name: text,
  /** The host id, once a server has given it. */
  id: optionalInteger,
  version: text,
  iqn: text,
  privateIpAddress: text,
  privateMacAddress: text,
  privateNetmask: text,
  storageIpAddress: text,
  storageNetmask: text,
  storageMacAddress: text,
  resourceName: text,
  gatewayIpAddress: text,
  /** The agent's host list, in the form of `formatHostList`. */
  msHostList: text,
  /** The agent comes because its former server has asked it to move. */
  connectionTransferred: flag,
  arch: text,
  muster: inStartup,
  /** As in `muster`, from Muster's agents that are older than it. Read until version 0.2. */
  instanceId: text,
  failovers: optionalInteger,
  lastLoss: text,
});

/** `result` is false when the server refuses the agent; `details` says why. */
export const StartupAnswer = answer('com.cloud.agent.api.StartupAnswer', {
  /** 0 from CloudStack, whose Ready has the real one. */
  hostId: integer,
  hostName: text,
  hostUuid: text,
  /** Seconds between pings. */
  pingInterval: integer,
});

/**
 * From agents of a coming CloudStack version, before Startup and again until the answer says `lockAvailable`: may the
 * agent register now?
 */
export const AgentConnectStatusCommand = command('com.cloud.agent.api.AgentConnectStatusCommand', {
  /** The host id, once a server has given it. */
  id: optionalInteger,
  guid: text,
  name: text,
});
/** Whether the agent may register. */
export const AgentConnectStatusAnswer = answer('com.cloud.agent.api.AgentConnectStatusAnswer', {
  /** The agent may send its Startup. */
  lockAvailable: optionalFlag,
  /** The status of the host, as in the answer to listHosts. Missing: not known. */
  hostStatus: text,
});

/** From agents with local storage, in one packet with StartupRoutingCommand. */
export const StartupStorageCommand = command('com.cloud.agent.api.StartupStorageCommand', {});

/** From a server: the agent is registered, or refused. A server sends it twice; the second one has the host list. */
export const ReadyCommand = command('com.cloud.agent.api.ReadyCommand', {
  /** Why the agent is refused; missing when it is not. */
  _details: text,
  dcId: optionalInteger,
  hostId: optionalInteger,
  hostUuid: text,
  hostName: text,
  msHostList: textList,
  /** Addresses not to dial. */
  avoidMsHostList: textList,
  lbAlgorithm: text,
  /** Seconds between checks of the preferred host; 0 turns them off. */
  lbCheckInterval: optionalInteger,
  enableHumanReadableSizes: optionalFlag,
  arch: text,
  muster: inReady,
});

/** The answer of an agent to each ReadyCommand. */
export const ReadyAnswer = answer('com.cloud.agent.api.ReadyAnswer', {
  detailsMap: record,
  muster: inReadyAnswer,
});
