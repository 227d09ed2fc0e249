import { type NetworkInterfaceInfoIPv4, networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

/** The first IPv4 interface of this machine that is not the loopback one; undefined when there is none. */
export function firstIPv4(interfaces: Interfaces = networkInterfaces()): NetworkInterfaceInfoIPv4 | undefined {
  return infosOf(interfaces).find((info): info is NetworkInterfaceInfoIPv4 => info.family === 'IPv4' && !info.internal);
}

/** The machine's first address that others can reach, IPv4 before IPv6; the loopback address where there is none. */
export function firstAddress(interfaces: Interfaces = networkInterfaces()): string {
  return firstIPv4(interfaces)?.address ?? reachableAddresses(interfaces)[0] ?? '127.0.0.1';
}

/** All addresses of the machine except loopback and link-local ones. */
export function reachableAddresses(interfaces: Interfaces = networkInterfaces()): readonly string[] {
  return infosOf(interfaces)
    .filter(({ internal, address }) => !internal && !/^(?:fe[89ab].:|169\.254\.)/.test(address))
    .map(({ address }) => address);
}

function infosOf(interfaces: Interfaces) {
  return Object.values(interfaces).flatMap(infos => infos ?? []);
}
