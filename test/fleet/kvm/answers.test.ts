import t from 'tap';
import { answerOf } from '../../../src/fleet/kvm/answers.js';
import { type KvmHost, LOCAL_POOL_BYTES, localPoolOf, MEMORY_BYTES, startupOf } from '../../../src/fleet/kvm/host.js';
import { initialKvmState, type KvmState } from '../../../src/fleet/kvm/kvm-state.js';
import { DONE } from '../../../src/fleet/kvm/messages.js';
import type { Message } from '../../../src/protocol/index.js';

const HOST: KvmHost = {
  ...{ name: 'kvm-7', number: 7, address: '10.1.0.7', netmask: '255.255.0.0', hardwareAddress: '02:4d:00:00:00:07' },
};
const API = 'com.cloud.agent.api.';

/** A host that is asked one thing after another. */
class Asked {
  state: KvmState;
  now = 0;

  constructor(vms = 0) {
    this.state = initialKvmState(HOST.number, vms, 0);
  }

  /** @param name of the class, without its package */
  ask(name: string, fields: Readonly<Record<string, unknown>> = {}): Message | undefined {
    const command = { type: `${API}${name}`, fields: { ...fields, contextMap: {}, wait: 0 } };
    const answered = answerOf(command, HOST, this.state, this.now);
    this.state = answered?.state ?? this.state;
    return answered?.answer;
  }
}

const POOL = { id: 1, uuid: 'pool-1', host: 'nfs.example.org', path: '/export', port: 2049, type: 'NetworkFilesystem' };

t.test('kvm: a storage pool is mounted, known by its statistics, and gone again', async t => {
  const host = new Asked();
  t.match(host.ask('GetStorageStatsCommand', { id: 'pool-1' }), { fields: { result: false, details: /pool-1/ } });
  const modified = host.ask('ModifyStoragePoolCommand', { add: true, pool: POOL, localPath: '/mnt/1' });
  t.equal(modified?.type, `${API}ModifyStoragePoolAnswer`);
  const info = modified?.fields.poolInfo as { capacityBytes: number; availableBytes: number };
  t.match(modified?.fields, {
    result: true,
    templateInfo: {},
    poolInfo: { host: 'nfs.example.org', localPath: '/mnt/1', hostPath: '/export', poolType: 'NetworkFilesystem' },
  });
  const stats = host.ask('GetStorageStatsCommand', { id: 'pool-1', pooltype: 'NetworkFilesystem' });
  t.equal(stats?.type, `${API}GetStorageStatsAnswer`);
  const { usedBytes, capacityBytes } = (stats?.fields ?? {}) as { usedBytes: number; capacityBytes: number };
  t.equal(capacityBytes, info.capacityBytes);
  t.equal(usedBytes, capacityBytes - info.availableBytes);
  t.ok(usedBytes > 0.2 * capacityBytes && usedBytes < 0.6 * capacityBytes);
  t.match(host.ask('ModifyStoragePoolCommand', { add: false, pool: POOL }), { fields: { result: true } });
  t.match(host.ask('GetStorageStatsCommand', { id: 'pool-1' }), { fields: { result: false } });
  t.match(host.ask('CreateStoragePoolCommand', { add: true, pool: POOL }), {
    type: `${API}Answer`,
    fields: { result: true },
  });
  t.match(
    host.ask('GetStorageStatsCommand', { id: 'pool-1' }),
    { fields: { result: true, usedBytes } },
    'all hosts say the same',
  );
  t.match(host.ask('DeleteStoragePoolCommand', { pool: POOL }), { fields: { result: true } });
  t.match(host.ask('GetStorageStatsCommand', { id: 'pool-1' }), { fields: { result: false } });
});

t.test('kvm: its local storage is there from the start, as Startup says', async t => {
  const [, storage] = startupOf(HOST);
  const pool = storage?.fields.poolInfo as { uuid: string; availableBytes: number };
  t.equal(pool.uuid, localPoolOf(HOST));
  t.match(new Asked().ask('GetStorageStatsCommand', { id: pool.uuid }), {
    fields: { result: true, capacityBytes: LOCAL_POOL_BYTES, usedBytes: LOCAL_POOL_BYTES - pool.availableBytes },
  });
  t.not(localPoolOf({ ...HOST, number: 8 }), pool.uuid);
});

t.test('kvm: volumes have their sizes', async t => {
  const answer = new Asked().ask('GetVolumeStatsCommand', {
    poolType: 'Filesystem',
    poolUuid: 'p',
    volumeUuids: ['v'],
  });
  t.match(answer, {
    type: `${API}GetVolumeStatsAnswer`,
    fields: {
      poolUuid: 'p',
      poolType: 'Filesystem',
      volumeStats: { v: { volumeUuid: 'v', virtualSize: 50 * 2 ** 30 } },
    },
  });
});

t.test('kvm: a VM that is started runs, has statistics, and stops', async t => {
  const host = new Asked();
  const vm = { id: 3, name: 'i-2-3-VM', cpus: 4, maxRam: 2 ** 32, disks: [{ path: 'x' }] };
  t.match(host.ask('CheckVirtualMachineCommand', { vmName: 'i-2-3-VM' }), { fields: { state: 'PowerOff' } });
  t.strictSame(host.ask('StartCommand', { vm, hostIp: '10.1.0.7' })?.fields.vm, vm, 'it comes back whole');
  const vncPort = 5_900;
  t.match(host.ask('CheckVirtualMachineCommand', { vmName: 'i-2-3-VM' }), { fields: { state: 'PowerOn', vncPort } });
  t.match(host.ask('GetVncPortCommand', { name: 'i-2-3-VM' }), { fields: { address: '10.1.0.7', port: vncPort } });
  t.match(host.ask('RebootCommand', { vmName: 'i-2-3-VM' }), { fields: { result: true, vncPort } });
  host.ask('StartCommand', { vm: { name: 'i-2-4-VM' } });
  t.match(host.ask('GetVncPortCommand', { name: 'i-2-4-VM' }), { fields: { port: vncPort + 1 } });
  host.now = 60_000;
  const names = { vmNames: ['i-2-3-VM', 'i-2-9-VM'], hostName: 'kvm-7' };
  const { vmStatsMap } = (host.ask('GetVmStatsCommand', names)?.fields ?? {}) as {
    vmStatsMap: Record<string, { numCPUs: number }>;
  };
  t.strictSame(Object.keys(vmStatsMap), ['i-2-3-VM'], 'of those that run');
  t.match(vmStatsMap['i-2-3-VM'], { numCPUs: 4, memoryKBs: 2 ** 22, entityType: 'vm' });
  t.match(host.ask('GetVmDiskStatsCommand', names)?.fields, {
    hostName: 'kvm-7',
    vmDiskStatsMap: { 'i-2-3-VM': [{ vmName: 'i-2-3-VM', bytesRead: /^\d+$/ }] },
  });
  t.match(host.ask('GetVmNetworkStatsCommand', names)?.fields, {
    vmNetworkStatsMap: { 'i-2-3-VM': [{ vmName: 'i-2-3-VM', macAddress: /^02:00:4c(:[\da-f]{2}){3}$/ }] },
  });
  t.match(host.ask('StopCommand', { vmName: 'i-2-3-VM', checkBeforeCleanup: true }), { fields: { result: false } });
  t.match(host.ask('StopCommand', { vmName: 'i-2-3-VM' }), { type: `${API}StopAnswer`, fields: { result: true } });
  t.match(host.ask('RebootCommand', { vmName: 'i-2-3-VM' }), { fields: { result: false } });
  t.match(host.ask('GetVncPortCommand', { name: 'i-2-3-VM' }), { fields: { result: false } });
  t.match(host.ask('StopCommand', { vmName: 'i-2-3-VM', checkBeforeCleanup: true }), { fields: { result: true } });
});

t.test('kvm: figures are plausible at any time, move with it, and grow with VMs', async t => {
  const [idle, busy] = [new Asked(), new Asked(20)];
  t.equal(busy.state.vms.size, 20);
  const wrong: string[] = [];
  const seen = new Set<number>();
  let counters = 0;
  for (let minute = 0; minute < 120; minute++) {
    const of = (host: Asked) => {
      host.now = minute * 60_000;
      const { hostStats } = (host.ask('GetHostStatsCommand', { hostId: 7 })?.fields ?? {}) as {
        hostStats: Record<string, number>;
      };
      const { cpuUtilization = -1, freeMemoryKBs = -1, totalMemoryKBs = -1, networkReadKBs = -1, hostId } = hostStats;
      const isPlausible =
        hostId === 7 &&
        cpuUtilization > 0 &&
        cpuUtilization <= 100 &&
        freeMemoryKBs > 0 &&
        freeMemoryKBs < totalMemoryKBs &&
        totalMemoryKBs === MEMORY_BYTES / 1_024 &&
        networkReadKBs > 0;
      if (!isPlausible) wrong.push(JSON.stringify(hostStats));
      return hostStats;
    };
    const [idleStats, busyStats] = [of(idle), of(busy)];
    if ((busyStats.cpuUtilization ?? 0) <= (idleStats.cpuUtilization ?? 0))
      wrong.push(`minute ${minute}: idle is busier`);
    seen.add(busyStats.cpuUtilization ?? 0);
    const [name = ''] = busy.state.vms.keys();
    const disks = busy.ask('GetVmDiskStatsCommand', { vmNames: [name] })?.fields.vmDiskStatsMap as Record<
      string,
      readonly { bytesRead: number }[]
    >;
    const bytes = disks[name]?.[0]?.bytesRead ?? -1;
    if (bytes < counters) wrong.push('a counter has gone back');
    counters = bytes;
  }
  t.strictSame(wrong, []);
  t.ok(seen.size > 50, 'they move');
  t.ok(counters > 0);
});

t.test('kvm: security groups, fences and other hosts', async t => {
  const host = new Asked();
  t.match(host.ask('SecurityGroupRulesCmd', { vmName: 'v', seqNum: 5, vmId: 3 }), {
    type: `${API}SecurityGroupRuleAnswer`,
    fields: { logSequenceNumber: 5, vmId: 3, reason: 'NONE', result: true },
  });
  t.match(host.ask('CheckOnHostCommand'), { fields: { result: false, details: /beating/ } }, 'it is alive');
  t.match(host.ask('FenceCommand'), { type: `${API}FenceAnswer`, fields: { result: true } });
  t.strictSame(
    DONE.filter(type => host.ask(type.slice(API.length))?.fields.result !== true),
    [],
  );
  t.equal(host.ask('PlugNicCommand'), undefined, 'unknown');
});

t.test('kvm: a field of a wrong type is an error that names it', async t => {
  const host = new Asked();
  t.throws(() => host.ask('ModifyStoragePoolCommand', { add: true, pool: 'p' }), { code: 'MESSAGE_FIELD' });
  t.throws(() => host.ask('GetVmStatsCommand', { vmNames: [7] }), { code: 'MESSAGE_FIELD' });
});
