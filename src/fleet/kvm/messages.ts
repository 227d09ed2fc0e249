// What a CloudStack management server asks a KVM host on connect and for its statistics, and the answers; fields and their
// order are those of CloudStack's classes. What is about the agent itself, the agent answers.
import {
  answer,
  command,
  flag,
  integer,
  list,
  object,
  optionalInteger,
  record,
  text,
  textList,
} from '../../protocol/index.js';

const API = 'com.cloud.agent.api.';

const pool = object({ id: optionalInteger, uuid: text, host: text, path: text, port: optionalInteger, type: text });
const ofPool = { add: flag, pool, localPath: text } as const;

export const ModifyStoragePoolCommand = command(`${API}ModifyStoragePoolCommand`, ofPool);
export const ModifyStoragePoolAnswer = answer(`${API}ModifyStoragePoolAnswer`, {
  poolInfo: record,
  templateInfo: record,
  datastoreClusterChildren: list,
});
export const CreateStoragePoolCommand = command(`${API}CreateStoragePoolCommand`, ofPool);
export const DeleteStoragePoolCommand = command(`${API}DeleteStoragePoolCommand`, ofPool);
export const GetStorageStatsCommand = command(`${API}GetStorageStatsCommand`, {
  id: text,
  localPath: text,
  pooltype: text,
});
export const GetStorageStatsAnswer = answer(`${API}GetStorageStatsAnswer`, {
  usedBytes: integer,
  capacityBytes: integer,
});
export const GetVolumeStatsCommand = command(`${API}GetVolumeStatsCommand`, {
  poolType: text,
  poolUuid: text,
  volumeUuids: textList,
});
export const GetVolumeStatsAnswer = answer(`${API}GetVolumeStatsAnswer`, {
  poolUuid: text,
  poolType: text,
  volumeStats: record,
});

const ofVms = { vmNames: textList, hostGuid: text, hostName: text } as const;
export const GetVmStatsCommand = command(`${API}GetVmStatsCommand`, ofVms);
export const GetVmStatsAnswer = answer(`${API}GetVmStatsAnswer`, { vmStatsMap: record });
export const GetVmDiskStatsCommand = command(`${API}GetVmDiskStatsCommand`, ofVms);
export const GetVmDiskStatsAnswer = answer(`${API}GetVmDiskStatsAnswer`, { hostName: text, vmDiskStatsMap: record });
export const GetVmNetworkStatsCommand = command(`${API}GetVmNetworkStatsCommand`, ofVms);
export const GetVmNetworkStatsAnswer = answer(`${API}GetVmNetworkStatsAnswer`, {
  hostName: text,
  vmNetworkStatsMap: record,
});

const vm = object({ name: text, cpus: optionalInteger, minRam: optionalInteger, maxRam: optionalInteger });
/** Its VM is sent back as it came. */
export const StartCommand = command(`${API}StartCommand`, { vm });
export const StartAnswer = answer(`${API}StartAnswer`, { vm: record });
export const StopCommand = command(`${API}StopCommand`, { vmName: text, checkBeforeCleanup: flag });
export const StopAnswer = answer(`${API}StopAnswer`, {});
export const RebootCommand = command(`${API}RebootCommand`, { vmName: text });
export const RebootAnswer = answer(`${API}RebootAnswer`, { vncPort: optionalInteger });
export const CheckVirtualMachineCommand = command(`${API}CheckVirtualMachineCommand`, { vmName: text });
export const CheckVirtualMachineAnswer = answer(`${API}CheckVirtualMachineAnswer`, {
  vncPort: optionalInteger,
  state: text,
});
export const GetVncPortCommand = command(`${API}GetVncPortCommand`, { name: text });
export const GetVncPortAnswer = answer(`${API}GetVncPortAnswer`, { address: text, port: integer });

export const SecurityGroupRulesCmd = command(`${API}SecurityGroupRulesCmd`, {
  vmName: text,
  seqNum: optionalInteger,
  vmId: optionalInteger,
});
export const SecurityGroupRuleAnswer = answer(`${API}SecurityGroupRuleAnswer`, {
  logSequenceNumber: optionalInteger,
  vmId: optionalInteger,
  reason: text,
});
export const FenceCommand = command(`${API}FenceCommand`, {});
export const FenceAnswer = answer(`${API}FenceAnswer`, {});

/** Classes whose answer says no more than that it is done. */
export const DONE = [
  `${API}CleanupNetworkRulesCmd`,
  `${API}PingTestCommand`,
  `${API}PvlanSetupCommand`,
  `${API}UpdateHostPasswordCommand`,
] as const;
export const CheckOnHostCommand = command(`${API}CheckOnHostCommand`, {});
