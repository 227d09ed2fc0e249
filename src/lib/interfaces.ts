import { type NetworkInterfaceInfoIPv4, networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

/** The first IPv4 interface of this machine that is not the loopback one; undefined when there is none. */
export function firstIPv4(interfaces: Interfaces = networkInterfaces()): NetworkInterfaceInfoIPv4 | undefined {
  return infosOf(interfaces).find((info): info is NetworkInterfaceInfoIPv4 => info.family === 'IPv4' && !info.internal);
}

/** The machine's first address that others can reach, IPv4 before IPv6; the loopback address where there is none. */
export function firstAddress(interfaces: Interfaces = networkInterfaces()): string {
  const isReachable = ({ internal, address }: { internal: boolean; address: string }) =>
    !internal && !address.startsWith('fe80:');
  const first = firstIPv4(interfaces) ?? infosOf(interfaces).find(isReachable);
  return first?.address ?? '127.0.0.1';
}

function infosOf(interfaces: Interfaces) {
  return Object.values(interfaces).flatMap(infos => infos ?? []);
}
