import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { untilAborted } from '../../lib/abort.js';
import { type Clock, systemClock } from '../../lib/clock.js';
import { type Log, silentLog } from '../../lib/logger.js';
import { connectTls, type FramedTlsClientOptions, type RemoteEnd, type Transport } from '../../protocol/index.js';
import { isUnacknowledged } from './kernel-tcp.js';
import { KnownAddresses } from './known-addresses.js';
import { Names } from './names.js';
import { systemLookup } from './system-lookup.js';

/** A connection before TLS: by TCP, or in a program's own way. */
export interface Wire {
  /** The server's end. */
  readonly remote: RemoteEnd;
  /**
   * Carries out the TLS handshake. Called once; from then on the transport ends the connection.
   * @throws as `connectTls`; the connection has ended then
   */
  secure(options: Omit<FramedTlsClientOptions, 'remote'>): Promise<Transport>;
  /**
   * Whether what was sent is repeated, and the server's machine does not acknowledge it. False when nobody can tell; what it
   * throws counts as that.
   */
  isUnacknowledged(): Promise<boolean>;
  /** Ends the connection at once, before `secure`. */
  destroy(): void;
}

/** Opens connections to management servers. `tcpDialer` makes the real one; a test may have its own. */
export interface Dialer {
  /**
   * Looks up a host, in `LIMITS.lookupMs` at most.
   * @returns all its addresses; the host itself when it is an address
   * @throws the resolver's error, such as ENOTFOUND
   */
  addresses(host: string): Promise<readonly string[]>;
  /**
   * Connects to an address. Sends nothing.
   * @param signal ends the attempt @throws its reason, or the system's error
   */
  connect(address: string, port: number, signal: AbortSignal): Promise<Wire>;
}

/** How a dialer looks names up. */
export interface TcpDialerOptions {
  /** Where the addresses of names are kept, for the next start. @default undefined: in memory only */
  readonly addressFile?: string;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default silentLog */
  readonly log?: Log;
}

/** After this, Node's keepalive probes 10 times, 1 s apart: a server that is gone is noticed within 15 s. */
const KEEPALIVE_IDLE_MS = 5_000;

/**
 * Opens TCP connections with keepalive. Agents that share a dialer share its name lookups.
 * @example
 * const dialer = tcpDialer();
 * const [address = ''] = await dialer.addresses('localhost');
 * const wire = await dialer.connect(address, 8250, new AbortController().signal);
 */
export function tcpDialer(options: TcpDialerOptions = {}): Dialer {
  const { addressFile, clock = systemClock, log = silentLog } = options;
  const names = new Names({ clock, known: new KnownAddresses(addressFile, log), lookup: systemLookup(clock) });
  return { addresses: host => names.addresses(host), connect: connectTcp };
}

/**
 * The wire over a stream.
 * @param local this end of the connection, in the kernel's table of TCP connections
 * @example
 * const wire = wireOver(socket, { local: { address: '192.0.2.7', port: 40_000 }, remote: { address: '192.0.2.1', port: 8250 } });
 */
export function wireOver(
  socket: Duplex,
  { local, remote }: { readonly local: RemoteEnd; readonly remote: RemoteEnd },
): Wire {
  // Until TLS listens to it.
  socket.on('error', () => {});
  return {
    remote,
    secure: options => connectTls(socket, { ...options, remote }),
    isUnacknowledged: () =>
      isUnacknowledged({
        localAddress: local.address,
        localPort: local.port,
        remoteAddress: remote.address,
        remotePort: remote.port,
      }),
    destroy: () => void socket.destroy(),
  };
}

async function connectTcp(address: string, port: number, signal: AbortSignal): Promise<Wire> {
  const socket = await openTcp({ address, port }, signal);
  return wireOver(socket, {
    local: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    remote: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? port },
  });
}

/**
 * Opens a TCP connection with keepalive.
 * @param from the address of this machine that it comes from; undefined: the system chooses
 * @throws the signal's reason, or the system's error
 */
export async function openTcp(
  { address, port, from }: RemoteEnd & { readonly from?: string | undefined },
  signal: AbortSignal,
): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect({
    host: address,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_IDLE_MS,
    ...(from !== undefined && { localAddress: from }),
  });
  try {
    await untilAborted(once(socket, 'connect'), signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
