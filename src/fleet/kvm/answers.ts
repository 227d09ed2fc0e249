import { Answer, GetHostStatsAnswer, GetHostStatsCommand, type Message } from '../../protocol/index.js';
import { type KvmHost, LOCAL_POOL_BYTES, localPoolOf, usedBytes } from './host.js';
import { type KvmState, type Vm, withoutPool, withoutVm, withPool, withVm } from './kvm-state.js';
import * as kvm from './messages.js';
import { hostStats, vmDiskStats, vmNetworkStats, vmStats } from './stats.js';

/** What a command leads to. */
export interface Answered {
  readonly answer: Message;
  /** Undefined: as before. */
  readonly state?: KvmState;
}

type Handler = (command: Message, host: KvmHost, state: KvmState, now: number) => Answered;

const GIB = 2 ** 30;
/** Of a pool that servers share: it does not say how large it is. */
const SHARED_POOL_BYTES = 10_000 * GIB;
const VOLUME_BYTES = 50 * GIB;

/**
 * What a simulated KVM host answers.
 * @param now milliseconds, of the host's clock
 * @returns undefined for a class that it does not know
 * @throws ProtocolError when a field has a wrong type
 */
export function answerOf(command: Message, host: KvmHost, state: KvmState, now: number): Answered | undefined {
  return HANDLERS.get(command.type)?.(command, host, state, now);
}

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  [GetHostStatsCommand.type, onGetHostStats],
  [kvm.ModifyStoragePoolCommand.type, onModifyStoragePool],
  [kvm.CreateStoragePoolCommand.type, onCreateStoragePool],
  [kvm.DeleteStoragePoolCommand.type, onDeleteStoragePool],
  [kvm.GetStorageStatsCommand.type, onGetStorageStats],
  [kvm.GetVolumeStatsCommand.type, onGetVolumeStats],
  [kvm.GetVmStatsCommand.type, onGetVmStats],
  [kvm.GetVmDiskStatsCommand.type, onGetVmDiskStats],
  [kvm.GetVmNetworkStatsCommand.type, onGetVmNetworkStats],
  [kvm.StartCommand.type, onStart],
  [kvm.StopCommand.type, onStop],
  [kvm.RebootCommand.type, onReboot],
  [kvm.CheckVirtualMachineCommand.type, onCheckVirtualMachine],
  [kvm.GetVncPortCommand.type, onGetVncPort],
  [kvm.SecurityGroupRulesCmd.type, onSecurityGroupRules],
  [kvm.CheckOnHostCommand.type, onCheckOnHost],
  [kvm.FenceCommand.type, () => ({ answer: kvm.FenceAnswer.encode({ result: true }) })],
  ...kvm.DONE.map(type => [type, () => ({ answer: Answer.encode({ result: true }) })] as const),
]);

function onGetHostStats(command: Message, host: KvmHost, state: KvmState, now: number): Answered {
  const { hostId } = GetHostStatsCommand.decode(command);
  return { answer: GetHostStatsAnswer.encode({ result: true, hostStats: { hostId, ...hostStats(host, state, now) } }) };
}

// ---- storage

function onModifyStoragePool(command: Message, _host: KvmHost, state: KvmState): Answered {
  const { add, pool = {}, localPath } = kvm.ModifyStoragePoolCommand.decode(command);
  const { uuid = '', host, path: hostPath, type: poolType = '' } = pool;
  if (!add) {
    return { answer: kvm.ModifyStoragePoolAnswer.encode({ result: true }), state: withoutPool(state, uuid) };
  }
  const capacityBytes = SHARED_POOL_BYTES;
  const availableBytes = capacityBytes - usedBytes(uuid, capacityBytes);
  return {
    answer: kvm.ModifyStoragePoolAnswer.encode({
      poolInfo: { host, localPath, hostPath, poolType, capacityBytes, availableBytes },
      templateInfo: {},
      datastoreClusterChildren: [],
      result: true,
    }),
    state: withPool(state, uuid, { type: poolType, capacityBytes }),
  };
}

function onCreateStoragePool(command: Message, _host: KvmHost, state: KvmState): Answered {
  const { pool = {} } = kvm.CreateStoragePoolCommand.decode(command);
  const { uuid = '', type = '' } = pool;
  return {
    answer: Answer.encode({ result: true }),
    state: withPool(state, uuid, { type, capacityBytes: SHARED_POOL_BYTES }),
  };
}

function onDeleteStoragePool(command: Message, _host: KvmHost, state: KvmState): Answered {
  const { pool = {} } = kvm.DeleteStoragePoolCommand.decode(command);
  return { answer: Answer.encode({ result: true }), state: withoutPool(state, pool.uuid ?? '') };
}

function onGetStorageStats(command: Message, host: KvmHost, state: KvmState): Answered {
  const { id = '' } = kvm.GetStorageStatsCommand.decode(command);
  const capacityBytes = id === localPoolOf(host) ? LOCAL_POOL_BYTES : state.pools.get(id)?.capacityBytes;
  if (capacityBytes === undefined) {
    return { answer: kvm.GetStorageStatsAnswer.encode({ result: false, details: `no storage pool ${id} is mounted` }) };
  }
  return {
    answer: kvm.GetStorageStatsAnswer.encode({ usedBytes: usedBytes(id, capacityBytes), capacityBytes, result: true }),
  };
}

function onGetVolumeStats(command: Message): Answered {
  const { poolUuid, poolType, volumeUuids = [] } = kvm.GetVolumeStatsCommand.decode(command);
  const volumeStats = Object.fromEntries(
    volumeUuids.map(volumeUuid => [
      volumeUuid,
      { volumeUuid, physicalsize: usedBytes(volumeUuid, VOLUME_BYTES), virtualSize: VOLUME_BYTES },
    ]),
  );
  return { answer: kvm.GetVolumeStatsAnswer.encode({ poolUuid, poolType, volumeStats, result: true }) };
}

// ---- VMs

/** Of those that were asked for, those that run. */
function ofVms<T>(names: readonly string[], { vms }: KvmState, of: (name: string, vm: Vm) => T): Record<string, T> {
  return Object.fromEntries(
    names.flatMap(name => {
      const vm = vms.get(name);
      return vm === undefined ? [] : [[name, of(name, vm)] as const];
    }),
  );
}

function onGetVmStats(command: Message, _host: KvmHost, state: KvmState, now: number): Answered {
  const { vmNames = [] } = kvm.GetVmStatsCommand.decode(command);
  const vmStatsMap = ofVms(vmNames, state, (name, vm) => vmStats(name, vm, now));
  return { answer: kvm.GetVmStatsAnswer.encode({ vmStatsMap, result: true }) };
}

function onGetVmDiskStats(command: Message, _host: KvmHost, state: KvmState, now: number): Answered {
  const { vmNames = [], hostName } = kvm.GetVmDiskStatsCommand.decode(command);
  const vmDiskStatsMap = ofVms(vmNames, state, (name, vm) => vmDiskStats(name, vm, now));
  return { answer: kvm.GetVmDiskStatsAnswer.encode({ hostName, vmDiskStatsMap, result: true }) };
}

function onGetVmNetworkStats(command: Message, _host: KvmHost, state: KvmState, now: number): Answered {
  const { vmNames = [], hostName } = kvm.GetVmNetworkStatsCommand.decode(command);
  const vmNetworkStatsMap = ofVms(vmNames, state, (name, vm) => vmNetworkStats(name, vm, now));
  return { answer: kvm.GetVmNetworkStatsAnswer.encode({ hostName, vmNetworkStatsMap, result: true }) };
}

function onStart(command: Message, _host: KvmHost, state: KvmState, now: number): Answered {
  const { vm = {} } = kvm.StartCommand.decode(command);
  const { name = '', cpus = 1, maxRam = GIB } = vm;
  return {
    answer: kvm.StartAnswer.encode({ vm, result: true }),
    state: withVm(state, name, { cpus, memoryBytes: maxRam, since: now }),
  };
}

function onStop(command: Message, _host: KvmHost, state: KvmState): Answered {
  const { vmName = '', checkBeforeCleanup } = kvm.StopCommand.decode(command);
  // The server only wants what a VM that has ended has left to be cleared away.
  if (checkBeforeCleanup && state.vms.has(vmName)) {
    return { answer: kvm.StopAnswer.encode({ result: false, details: `vm is still running on host: ${vmName}` }) };
  }
  return { answer: kvm.StopAnswer.encode({ result: true }), state: withoutVm(state, vmName) };
}

function onReboot(command: Message, _host: KvmHost, { vms }: KvmState): Answered {
  const { vmName = '' } = kvm.RebootCommand.decode(command);
  const vm = vms.get(vmName);
  if (vm === undefined) {
    return { answer: kvm.RebootAnswer.encode({ result: false, details: `no vm ${vmName} runs here` }) };
  }
  return { answer: kvm.RebootAnswer.encode({ vncPort: vm.vncPort, result: true }) };
}

function onCheckVirtualMachine(command: Message, _host: KvmHost, { vms }: KvmState): Answered {
  const vm = vms.get(kvm.CheckVirtualMachineCommand.decode(command).vmName ?? '');
  const state = vm === undefined ? { state: 'PowerOff' } : { state: 'PowerOn', vncPort: vm.vncPort };
  return { answer: kvm.CheckVirtualMachineAnswer.encode({ ...state, result: true }) };
}

function onGetVncPort(command: Message, { address }: KvmHost, { vms }: KvmState): Answered {
  const { name = '' } = kvm.GetVncPortCommand.decode(command);
  const vm = vms.get(name);
  if (vm === undefined) {
    return { answer: kvm.GetVncPortAnswer.encode({ result: false, details: `no vm ${name} runs here` }) };
  }
  return { answer: kvm.GetVncPortAnswer.encode({ address, port: vm.vncPort, result: true }) };
}

// ---- the rest

function onSecurityGroupRules(command: Message): Answered {
  const { seqNum: logSequenceNumber, vmId } = kvm.SecurityGroupRulesCmd.decode(command);
  const fields = { logSequenceNumber, vmId, reason: 'NONE', result: true };
  return { answer: kvm.SecurityGroupRuleAnswer.encode(fields) };
}

/** Of another host of the cluster. A KVM host says by result=false that it is alive. */
function onCheckOnHost(): Answered {
  return { answer: Answer.encode({ result: false, details: 'Heart is beating...' }) };
}
