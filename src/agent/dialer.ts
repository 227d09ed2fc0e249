import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { untilAborted } from '../lib/abort.js';
import type { RemoteEnd } from '../protocol/index.js';

/** A TCP connection, or what stands for one. */
export interface Wire {
  readonly socket: Duplex;
  readonly local: RemoteEnd;
  readonly remote: RemoteEnd;
}

/** The way to a management server's port. The real one is `tcpDialer`; tests have one of their own. */
export interface Dialer {
  /** All addresses of a host; the address itself when it is one. */
  addresses(host: string): Promise<readonly string[]>;
  /** Tries all of the addresses. `signal` gives up. */
  connect(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Wire>;
}

/** Node then probes 10 times, 1 s apart: a server that is gone is noticed within 15 s. */
const KEEPALIVE_IDLE_MS = 5_000;
/** While the first address swallows our SYN, the next one is tried as well. */
const NEXT_ADDRESS_AFTER_MS = 1_000;

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
      // With several addresses Node asks for all of them and goes through them by itself.
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
