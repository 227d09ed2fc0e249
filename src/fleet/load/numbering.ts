import ipaddr from 'ipaddr.js';

/** IPv4 addresses of a network, of which each agent has one. */
export interface AddressRange {
  /** As a number of 32 bits. */
  readonly network: number;
  /** Bits of the network. */
  readonly prefix: number;
}

export const RANGE_FORM = 'a network such as 127.1.0.0/16';

/** @returns undefined when it is no network */
export function addressRange(text: string): AddressRange | undefined {
  if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(text)) return undefined;
  const [address, prefix] = ipaddr.IPv4.parseCIDR(text);
  const number = address.toByteArray().reduce((sum, byte) => sum * 256 + byte, 0);
  return { network: number - (number % 2 ** (32 - prefix)), prefix };
}

/** Without the first and the last address, which name the network and all of it. */
export function roomOf({ prefix }: AddressRange): number {
  return Math.max(0, 2 ** (32 - prefix) - 2);
}

/** @param agent from 1 */
export function addressOf({ network }: AddressRange, agent: number): string {
  return dotted(network + agent);
}

export function netmaskOf({ prefix }: AddressRange): string {
  return dotted(2 ** 32 - 2 ** (32 - prefix));
}

/** @param agent from 1 */
export function guidOf(prefix: string, agent: number): string {
  return `${prefix}-${agent}`;
}

/** A hardware address of its own for each agent. Its first byte says that nobody has sold it. */
export function hardwareAddressOf(agent: number): string {
  const bytes = [0x02, 0x4d, 0, (agent >> 16) & 0xff, (agent >> 8) & 0xff, agent & 0xff];
  return bytes.map(byte => byte.toString(16).padStart(2, '0')).join(':');
}

function dotted(number: number): string {
  return [24, 16, 8, 0].map(bits => Math.floor(number / 2 ** bits) % 256).join('.');
}

const TEMPLATE = /\{n(?:([/%])([1-9]\d{0,5}))?\}/g;

/**
 * A value of an agent's own: `{n}` is its number, `{n/40}` the rack when 40 agents are in each, from 1, and `{n%3}` the
 * remainder.
 * @example
 * ofAgent('rack-{n/40}', 41); // 'rack-2'
 */
export function ofAgent(template: string, agent: number): string {
  return template.replace(TEMPLATE, (_, operator: string | undefined, operand: string) => {
    if (operator === '/') return String(Math.floor((agent - 1) / Number(operand)) + 1);
    return String(operator === '%' ? agent % Number(operand) : agent);
  });
}
