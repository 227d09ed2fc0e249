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

/** Registers an agent with a server: the first packet of every link. */
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
  /** The zone's name or id. */
  dataCenter: text,
  pod: text,
  cluster: text,
  /** `<guid>-<resource name>` */
  guid: text,
  name: text,
  /** The host id, when known. */
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
  /** `A,B,C@algorithm` as the agent keeps it, or `A,B` at first. */
  msHostList: text,
  /** The agent moves here because its former server asked it to. */
  connectionTransferred: flag,
  arch: text,
  /** Muster's own: random, made once per process. Tells two agents with one guid from one that moves. */
  instanceId: text,
  /** Muster's own: links lost since the process started, and why the last one was. */
  failovers: optionalInteger,
  lastLoss: text,
});

export const StartupAnswer = answer('com.cloud.agent.api.StartupAnswer', {
  hostId: integer,
  hostName: text,
  hostUuid: text,
  /** seconds */
  pingInterval: integer,
});

/** Seen beside StartupRoutingCommand in one packet, from agents with local storage. */
export const StartupStorageCommand = command('com.cloud.agent.api.StartupStorageCommand', {});

export const ReadyCommand = command('com.cloud.agent.api.ReadyCommand', {
  /** Set: refused, and why. */
  _details: text,
  dcId: optionalInteger,
  hostId: optionalInteger,
  hostUuid: text,
  hostName: text,
  msHostList: textList,
  /** Advice: addresses not to dial. */
  avoidMsHostList: textList,
  lbAlgorithm: text,
  /** seconds */
  lbCheckInterval: optionalInteger,
  enableHumanReadableSizes: optionalFlag,
  arch: text,
});

export const ReadyAnswer = answer('com.cloud.agent.api.ReadyAnswer', { detailsMap: record });
