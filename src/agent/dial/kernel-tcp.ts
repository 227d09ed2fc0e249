import { readFile } from 'node:fs/promises';
import ipaddr from 'ipaddr.js';
import type { Clock } from '../../lib/clock.js';

/** The addresses and ports of both ends of a TCP connection. */
export interface Connection {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'] as const;
/** Retransmissions without an acknowledgement: on a path with a short round trip, about 3 s of silence. */
const UNACKNOWLEDGED_RETRANSMISSIONS = 3;

/**
 * Whether the kernel repeats our bytes and gets no acknowledgement. That means that the peer's machine cannot be
 * reached: for a process that is stopped or busy, its kernel acknowledges. False where the kernel does not tell (other
 * systems than Linux).
 */
export async function isUnacknowledged(connection: Connection): Promise<boolean> {
  for (const table of TABLES) {
    const retransmissions = retransmissionsIn(await textOf(table), connection);
    if (retransmissions !== undefined) return retransmissions >= UNACKNOWLEDGED_RETRANSMISSIONS;
  }
  return false;
}

/** A table is as good as new for so long. */
const TABLE_MS = 1_000;

/** Answers as `isUnacknowledged` for many connections of one process: who asks within a second is answered from one reading. */
export class SharedTcpTable {
  readonly #clock: Clock;
  readonly #read: (path: string) => Promise<string>;
  #last: { readonly at: number; readonly repeating: Promise<ReadonlySet<string>> } | undefined;

  /** @param read the text of a file; empty when it cannot be read */
  constructor(clock: Clock, read = textOf) {
    this.#clock = clock;
    this.#read = read;
  }

  async isUnacknowledged(connection: Connection): Promise<boolean> {
    const now = this.#clock.now();
    if (this.#last === undefined || now - this.#last.at >= TABLE_MS) {
      this.#last = { at: now, repeating: this.#repeating() };
    }
    const repeating = await this.#last.repeating;
    return formsOf(connection).some(ends => repeating.has(ends));
  }

  /** Both ends of each connection whose bytes are repeated without an acknowledgement. */
  async #repeating(): Promise<ReadonlySet<string>> {
    const texts = await Promise.all(TABLES.map(table => this.#read(table)));
    const lines = texts.flatMap(text => [...linesIn(text)]);
    return new Set(
      lines.flatMap(({ ends, retransmissions }) => (retransmissions >= UNACKNOWLEDGED_RETRANSMISSIONS ? [ends] : [])),
    );
  }
}

/** Empty when the file cannot be read. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(() => '');
}

/**
 * Finds a connection in a table of /proc.
 * @returns the retransmissions; undefined when the connection is not in the table
 */
export function retransmissionsIn(table: string, connection: Connection): number | undefined {
  const forms = formsOf(connection);
  for (const { ends, retransmissions } of linesIn(table)) if (forms.includes(ends)) return retransmissions;
  return undefined;
}

/** Linux, net/ipv4/tcp_ipv4.c, get_tcp4_sock: `sl local_address rem_address st tx:rx tr:when retrnsmt …`. */
const LINE = /^ *\d+: (\S+) (\S+) \S+ \S+ \S+ +(\S+)/gm;

function* linesIn(table: string): Generator<{ readonly ends: string; readonly retransmissions: number }> {
  for (const [, local, remote, retransmissions = '0'] of table.matchAll(LINE))
    yield { ends: `${local} ${remote}`, retransmissions: Number.parseInt(retransmissions, 16) };
}

/** Both ends of a connection, local first, as a table may have them. */
function formsOf({ localAddress, localPort, remoteAddress, remotePort }: Connection): readonly string[] {
  const remote = endpoints(remoteAddress, remotePort);
  return endpoints(localAddress, localPort).flatMap(local => remote.map(end => `${local} ${end}`));
}

/** The table's forms of an endpoint: 32-bit words in the machine's byte order. In the IPv6 table, IPv4 is mapped. */
function endpoints(address: string, port: number): string[] {
  if (!ipaddr.isValid(address)) return [];
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const ip = ipaddr.process(address);
  const forms = ip instanceof ipaddr.IPv4 ? [ip, ip.toIPv4MappedAddress()] : [ip];
  return forms.map(form => words(form.toByteArray()) + suffix);
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function words(bytes: number[]): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4);
    if (isLittleEndian) word.reverse();
    text += word.map(byte => byte.toString(16).toUpperCase().padStart(2, '0')).join('');
  }
  return text;
}
