import { arch, cpus, hostname, release, totalmem, type } from 'node:os';
import { firstIPv4 } from '../../lib/interfaces.js';
import type { MachineDescription } from './resource.js';

/** Java's names of processor architectures, which CloudStack uses, by Node's names. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', s390x: 's390x' };

/** This machine, as StartupRoutingCommand describes one. */
export function describeMachine(): MachineDescription {
  const processors = cpus();
  const found = firstIPv4();
  const ip = found?.address ?? '127.0.0.1';
  const netmask = found?.netmask ?? '255.0.0.0';
  const mac = found?.mac ?? '00:00:00:00:00:00';
  const architecture = ARCHITECTURES[arch()] ?? arch();
  return {
    cpuSockets: 1,
    cpus: processors.length,
    speed: processors[0]?.speed ?? 0,
    cpuArch: architecture,
    memory: totalmem(),
    caps: 'hvm',
    pool: '/root',
    hypervisorType: 'KVM',
    hostDetails: { 'Host.OS': type(), 'Host.OS.Kernel.Version': release(), secured: 'false' },
    hostTags: [],
    groupDetails: {},
    gpuDevices: [],
    type: 'Routing',
    name: hostname(),
    privateIpAddress: ip,
    privateMacAddress: mac,
    privateNetmask: netmask,
    storageIpAddress: ip,
    storageNetmask: netmask,
    storageMacAddress: mac,
    gatewayIpAddress: ip,
    arch: architecture,
  };
}
