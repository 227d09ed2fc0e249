import type { HostDescription } from '../../src/mgmt/store/store.js';

/** What an agent of a common host says at Startup. */
export function hostDescription(guid: string, zoneId: number, more: Partial<HostDescription> = {}): HostDescription {
  return {
    guid,
    name: `name of ${guid}`,
    type: 'Routing',
    zoneId,
    pod: 'pod',
    cluster: 'cluster',
    privateIpAddress: '192.0.2.7',
    version: '4.23.0.0',
    hypervisorType: 'KVM',
    arch: 'x86_64',
    cpus: 16,
    speed: 2400,
    ram: 2 ** 40,
    implicitTags: [],
    ...more,
  };
}
