import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { untilAborted } from '../lib/abort.js';
import type { RemoteEnd } from '../protocol/index.js';

/** A TCP connection. In tests, a stream in memory. */
export interface Wire {
  readonly socket: Duplex;
  /** This end of the connection. */
  readonly local: RemoteEnd;
  /** The server's end. */
  readonly remote: RemoteEnd;
}

/** Opens connections to management servers. `tcpDialer` is the real one; a test may have its own. */
export interface Dialer {
  /**
   * Looks up a host.
   * @returns all its addresses; the host itself when it is an address
   * @throws the system's error, such as ENOTFOUND
   */
  addresses(host: string): Promise<readonly string[]>;
  /**
   * Connects to one of the addresses, and tries all of them.
   * @param signal ends the attempt @throws its reason, or the system's error
   */
  connect(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Wire>;
}

/** After this, Node's keepalive probes 10 times, 1 s apart: a server that is gone is noticed within 15 s. */
const KEEPALIVE_IDLE_MS = 5_000;
/** When an address has not answered for this long, the next one is tried as well. */
const NEXT_ADDRESS_AFTER_MS = 1_000;

/**
 * Opens TCP connections, with keepalive, to the addresses that the system's resolver gives.
 * @example
 * const wire = await tcpDialer.connect(await tcpDialer.addresses('localhost'), 8250, AbortSignal.timeout(5_000));
 */
export const tcpDialer: Dialer = {
  async addresses(host) {
    if (isIP(host)) return [host];
    const found = await new Promise<LookupAddress[]>((resolve, reject) =>
      dnsLookup(host, { all: true }, (error, list) => (error ? reject(error) : resolve(list))),
    );
    return found.map(({ address }) => address);
  },

  async connect(addresses, port, signal) {
    signal.throwIfAborted();
    const list = addresses.map(address => ({ address, family: isIP(address) }));
    const [first] = list;
    const socket = connect({
      port,
      // With several addresses, Node calls `lookup` for this name and then tries each of them.
      host: list.length === 1 && first ? first.address : 'several-addresses.invalid',
      lookup: (_host, _options, callback) => callback(null, list),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_IDLE_MS,
    });
    try {
      await untilAborted(once(socket, 'connect'), signal);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return {
      socket,
      local: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
      remote: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? port },
    };
  },
};
