import { type Message, StartupRoutingCommand, StartupStorageCommand } from '../../protocol/index.js';

/** A simulated machine: what does not change. */
export interface KvmHost {
  readonly name: string;
  /** From 1. */
  readonly number: number;
  readonly address: string;
  readonly netmask: string;
  readonly hardwareAddress: string;
}

export const CPUS = 32;
export const MEMORY_BYTES = 128 * 2 ** 30;
const SPEED_MHZ = 2_400;
const GIB = 2 ** 30;
export const LOCAL_POOL_BYTES = 2_000 * GIB;
const LOCAL_PATH = '/var/lib/libvirt/images';
const OS = {
  'Host.OS.Kernel.Version': '5.15.0-91-generic',
  'com.cloud.network.Networks.RouterPrivateIpStrategy': 'HostLocal',
  'Host.OS.Version': '22.04',
  'host.volume.encryption': 'false',
  'host.instance.conversion': 'false',
  secured: 'false',
  'Host.OS': 'Ubuntu',
} as const;

/** Its local storage. The uuid is the same at each start, so that servers know it again. */
export function localPoolOf({ number }: KvmHost): string {
  return `4d757374-6572-4000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** What a KVM host sends first: itself, and its local storage. The agent adds who it is and where it belongs. */
export function startupOf(host: KvmHost): readonly Message[] {
  const { name, address, netmask, hardwareAddress } = host;
  const pool = localPoolOf(host);
  return [
    StartupRoutingCommand.encode({
      cpuSockets: 2,
      cpus: CPUS,
      speed: SPEED_MHZ,
      cpuArch: 'x86_64',
      memory: MEMORY_BYTES,
      dom0MinMemory: GIB,
      caps: 'hvm,snapshot',
      pool: '/root',
      hypervisorType: 'KVM',
      hostDetails: OS,
      hostTags: [],
      groupDetails: {},
      gpuDevices: [],
      type: 'Routing',
      name,
      iqn: `iqn.1993-08.org.debian:01:${name}`,
      privateIpAddress: address,
      privateMacAddress: hardwareAddress,
      privateNetmask: netmask,
      storageIpAddress: address,
      storageNetmask: netmask,
      storageMacAddress: hardwareAddress,
      gatewayIpAddress: address,
      arch: 'x86_64',
    }),
    {
      type: StartupStorageCommand.type,
      fields: {
        totalSize: LOCAL_POOL_BYTES,
        poolInfo: {
          uuid: pool,
          host: address,
          localPath: LOCAL_PATH,
          hostPath: LOCAL_PATH,
          poolType: 'Filesystem',
          capacityBytes: LOCAL_POOL_BYTES,
          availableBytes: LOCAL_POOL_BYTES - usedBytes(pool, LOCAL_POOL_BYTES),
        },
        resourceType: 'STORAGE_POOL',
        hostDetails: {},
        type: 'Storage',
        name,
        contextMap: {},
        wait: 0,
        bypassHostMaintenance: false,
      },
    },
  ];
}

/** How much of a pool is in use: a fifth to three fifths of it, by its uuid, so that all hosts say the same. */
export function usedBytes(uuid: string, capacityBytes: number): number {
  const part = 0.2 + (0.4 * (hashOf(uuid) % 1_000)) / 1_000;
  return Math.round(capacityBytes * part);
}

/** FNV-1a, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}
