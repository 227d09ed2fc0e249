import { isIP, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The most entries of a host list. */
export const HOST_LIST_MAX = 256;

/** A text is not an address, or not a list of addresses. The message says which entry, why, and what is allowed. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
  readonly code = 'ADDRESS_INVALID';
}

/**
 * Reads `A,B,C` as canonical addresses, in their order. Blanks around the commas are dropped.
 * @throws AddressError
 */
export function parseHostList(text: string): string[] {
  const {
    hosts,
    faults: [fault],
  } = readHostList(text);
  if (fault !== undefined) throw new AddressError(fault);
  return hosts;
}

/**
 * Reads what can be used of `A,B,C`: an entry that is empty, wrong or there already is left out.
 * @returns canonical addresses in their order, and what is wrong with the list, a sentence for each fault
 */
export function readHostList(text: string): { hosts: string[]; faults: string[] } {
  if (text.trim() === '') return { hosts: [], faults: [`the list is empty: ${ALLOWED}, separated by commas`] };
  const entries = text.split(',');
  const faults: string[] = [];
  if (entries.length > HOST_LIST_MAX) {
    faults.push(`${entries.length} entries: at most ${HOST_LIST_MAX} are allowed`);
  }
  const seen = new Map<string, number>();
  for (const [index, entry] of entries.slice(0, HOST_LIST_MAX).entries()) {
    const position = index + 1;
    const trimmed = entry.trim();
    const reason = trimmed === '' ? undefined : whyNot(trimmed);
    if (trimmed === '') faults.push(`entry ${position} of ${entries.length} is empty`);
    else if (reason !== undefined) faults.push(`entry ${position}, ${quote(trimmed)}, ${reason}`);
    else {
      const address = canonical(trimmed);
      const earlier = seen.get(address);
      if (earlier === undefined) seen.set(address, position);
      else faults.push(`entries ${earlier} and ${position} are the same: ${address}`);
    }
  }
  return { hosts: [...seen.keys()], faults };
}

/**
 * The canonical form of an address, in which it is stored, sent and compared: lower case, IPv6 as in RFC 5952 and
 * without brackets, names without a final dot.
 * @throws AddressError
 */
export function canonicalAddress(text: string): string {
  const reason = whyNot(text);
  if (reason !== undefined) throw new AddressError(`${quote(text)} ${reason}`);
  return canonical(text);
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * What one peer can have many addresses of: an IPv4 address itself, or the /64 of an IPv6 address. Bounds for one address
 * count by it.
 * @param address as a socket shows it. What is no address is returned as it is
 */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const parsed = ipaddr.IPv6.parse(withoutDots(plain));
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  return `${new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toRFC5952String()}/64`;
}

/** Whether only this machine reaches an address, or is behind it. @param address canonical, or as a socket shows it */
export function isLoopback(address: string): boolean {
  if (address === 'localhost' || address === '::1') return true;
  const plain = address.replace(/^::ffff:/, '');
  return isIP(plain) === 4 && plain.startsWith('127.');
}

const ALLOWED = 'allowed are IPv4 and IPv6 addresses and DNS names, without ports';
const MAX_NAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;

/** Why a text is not an address, as the end of a sentence; undefined when it is one. */
function whyNot(text: string): string | undefined {
  if (text === '') return `is empty: ${ALLOWED}`;
  if (/\s/.test(text)) return `has a blank in it: ${ALLOWED}`;
  if (/^(?:\[.*\]|[^:]*):\d*$/.test(text)) return 'has a port: ports do not belong in the list';
  if (/[:[\]%]/.test(text)) return whyNotIPv6(text);
  return whyNotName(text);
}

function whyNotIPv6(text: string): string | undefined {
  if (text.includes('%')) return 'has a zone id: those mean something on one machine only';
  // ipaddr.js would accept leading zeros in an IPv4 part.
  return isIPv6(withoutBrackets(text)) ? undefined : `is not an IPv6 address: ${ALLOWED}`;
}

/** Checks names and IPv4 addresses: an IPv4 address has the form of a name, except for its last label. */
function whyNotName(text: string): string | undefined {
  const name = withoutLastDot(text);
  if (name.length > MAX_NAME_LENGTH) return `is too long: at most ${MAX_NAME_LENGTH} characters are allowed`;
  const labels = name.split('.');
  for (const label of labels) {
    if (label === '') return 'has an empty part between dots';
    if (label.length > MAX_LABEL_LENGTH) {
      return `has a part that is too long: at most ${MAX_LABEL_LENGTH} characters are allowed between dots`;
    }
    if (!/^[a-z\d_-]+$/i.test(label)) {
      return 'has a character that no name has: letters, digits, hyphens and underscores are allowed (others as xn--)';
    }
    if (label.startsWith('-') || label.endsWith('-')) return 'has a part that starts or ends with a hyphen';
  }
  // Resolvers read numeric names as IPv4 addresses: 10.1 as 10.0.0.1, 0x7f.1 and 127.1 as 127.0.0.1.
  const looksNumeric = /^(?:\d+|0x[\da-f]*)$/i.test(labels.at(-1) ?? '');
  if (!looksNumeric || ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return 'is not an IPv4 address: four numbers from 0 to 255 without leading zeros are allowed';
}

function canonical(text: string): string {
  if (!text.includes(':')) return withoutLastDot(text).toLowerCase();
  const address = ipaddr.IPv6.parse(withoutDots(withoutBrackets(text)));
  // RFC 5952, section 5: a mapped address ends in the IPv4 form, as in Node's sockets.
  return address.isIPv4MappedAddress() ? `::ffff:${address.toIPv4Address()}` : address.toRFC5952String();
}

/** `::1.2.3.4` as `::102:304`: ipaddr.js would read it as `::ffff:1.2.3.4`, which is another address. */
function withoutDots(text: string): string {
  return text.replace(/[\d.]+\.\d+$/, dotted => {
    const [high = 0, low = 0] = ipaddr.IPv4.parse(dotted).toIPv4MappedAddress().parts.slice(6);
    return `${high.toString(16)}:${low.toString(16)}`;
  });
}

function withoutBrackets(text: string): string {
  return text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
}

function withoutLastDot(text: string): string {
  return text.endsWith('.') ? text.slice(0, -1) : text;
}

/** A text for an error message: as JSON, so that control characters can be seen, and cut at 80 characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** Whether a socket that is bound to it listens on all addresses. */
export function isAnyAddress(address: string): boolean {
  return /^(0\.0\.0\.0|::)$/.test(address);
}
