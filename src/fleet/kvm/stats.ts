import { CPUS, hashOf, type KvmHost, MEMORY_BYTES } from './host.js';
import type { KvmState, Vm } from './kvm-state.js';

// Figures that look like those of a machine at work: they rise and fall with the time, each in its own way, and grow with the
// VMs that run. They are the same for the same moment.

const MINUTE_MS = 60_000;
const KB = 1_024;

/** In [0, 1]: rises and falls within some minutes. @param what whose figure it is */
function wave(what: string, now: number): number {
  const hash = hashOf(what);
  const periodMs = (3 + (hash % 5)) * MINUTE_MS;
  return 0.5 + 0.5 * Math.sin((2 * Math.PI * now) / periodMs + hash);
}

export function hostStats(host: KvmHost, { vms }: KvmState, now: number) {
  const running = [...vms.entries()];
  const cpu = 1 + 2 * wave(host.name, now) + sum(running, ([name, vm]) => (vmCpu(name, now) * vm.cpus) / CPUS);
  const network = sum(running, ([name]) => vmNetworkKBs(name, now));
  const usedKBs = 2 * KB * KB + sum(running, ([, vm]) => vm.memoryBytes / KB);
  return {
    entityType: 'host',
    cpuUtilization: rounded(Math.min(100, cpu)),
    averageLoad: rounded((Math.min(100, cpu) * CPUS) / 100),
    networkReadKBs: rounded(5 + network),
    networkWriteKBs: rounded(5 + network / 2),
    totalMemoryKBs: MEMORY_BYTES / KB,
    freeMemoryKBs: Math.max(0, Math.round(MEMORY_BYTES / KB - usedKBs)),
  };
}

export function vmStats(name: string, { cpus, memoryBytes }: Vm, now: number) {
  const [memoryKBs, network] = [memoryBytes / KB, vmNetworkKBs(name, now)];
  const disk = 20 * wave(`${name} disk`, now);
  return {
    vmId: 0,
    cpuUtilization: rounded(vmCpu(name, now)),
    networkReadKBs: rounded(network),
    networkWriteKBs: rounded(network / 2),
    diskReadIOs: rounded(disk),
    diskWriteIOs: rounded(disk / 2),
    diskReadKBs: rounded(disk * 16),
    diskWriteKBs: rounded(disk * 8),
    memoryKBs,
    intFreeMemoryKBs: Math.round(memoryKBs * (0.3 + 0.4 * wave(`${name} memory`, now))),
    targetMemoryKBs: memoryKBs,
    numCPUs: cpus,
    entityType: 'vm',
  };
}

/** Since the VM was started: they only grow. */
export function vmDiskStats(name: string, { since }: Vm, now: number) {
  const seconds = Math.max(0, Math.floor((now - since) / 1_000));
  const operations = seconds * (1 + (hashOf(name) % 10));
  return [
    {
      vmName: name,
      path: `${name}-root`,
      ioRead: operations,
      ioWrite: operations * 2,
      bytesWrite: operations * 2 * 8_192,
      bytesRead: operations * 16_384,
    },
  ];
}

/** Likewise. */
export function vmNetworkStats(name: string, { since }: Vm, now: number) {
  const seconds = Math.max(0, Math.floor((now - since) / 1_000));
  const hash = hashOf(name);
  const bytes = [hash >>> 16, hash >>> 8, hash].map(byte => (byte & 0xff).toString(16).padStart(2, '0'));
  const received = seconds * KB * (1 + (hash % 40));
  return [
    {
      vmName: name,
      macAddress: `02:00:4c:${bytes.join(':')}`,
      bytesSent: Math.floor(received / 2),
      bytesReceived: received,
    },
  ];
}

function vmCpu(name: string, now: number): number {
  return 5 + 60 * wave(name, now) ** 2;
}

function vmNetworkKBs(name: string, now: number): number {
  return 200 * wave(`${name} network`, now) ** 2;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
