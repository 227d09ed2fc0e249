import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.js';
import { cannotListen } from '../../lib/listen-error.js';
import type { RemoteEnd } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';

/**
 * Where agents connect: a TCP port, or connections from elsewhere.
 * @example
 * const port: AgentsPort = {
 *   async open(serve) {
 *     tunnel.on('connection', stream => serve(stream, { address: '192.0.2.7', port: 0 }));
 *     return { address: 'tunnel', port: 0 };
 *   },
 *   close: () => tunnel.close(),
 * };
 */
export interface AgentsPort {
  /**
   * Listens, and hands over each connection before its TLS handshake. After `close` it may be called again.
   * @param serve called with each connection, and with the address and port of its other end
   * @returns where it listens; the real port, where the setting says 0
   * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED
   */
  open(serve: (socket: Duplex, remote: RemoteEnd) => void): Promise<RemoteEnd>;
  /** Takes no new connections. Resolves when those that are open have ended, or after 6 s. Never rejects. */
  close(): Promise<void>;
}

/**
 * The agents' TCP port.
 * @param at where to listen; port 0 lets the system choose one
 * @param clock for the time limit of `close`
 * @example
 * const agentsPort = tcpAgentsPort({ address: '0.0.0.0', port: 8250 }, systemClock);
 */
export function tcpAgentsPort({ address, port }: RemoteEnd, clock: Clock): AgentsPort {
  let listener: Server | undefined;
  return {
    async open(serve) {
      const server = createServer(
        // A dead machine is noticed after 15 s: after `keepAliveMs`, Node probes ten times, a second apart.
        { noDelay: true, keepAlive: true, keepAliveInitialDelay: MGMT_LIMITS.keepAliveMs },
        socket => {
          const { remoteAddress = 'unknown', remotePort = 0 } = socket;
          serve(socket, { address: withoutMapping(remoteAddress), port: remotePort });
        },
      );
      await bound(server, { address, port });
      listener = server;
      const at = server.address();
      return { address, port: typeof at === 'object' && at !== null ? at.port : port };
    },

    close() {
      const server = listener;
      listener = undefined;
      if (server === undefined) return Promise.resolve();
      return new Promise(resolve => {
        const limit = clock.after(MGMT_LIMITS.stopMs, resolve);
        server.close(() => {
          limit.cancel();
          resolve();
        });
      });
    },
  };
}

function bound(server: Server, { address, port }: RemoteEnd): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', cause => reject(cannotListen(address, port, cause)));
    server.listen({ host: address, port, backlog: MGMT_LIMITS.backlog }, resolve);
  });
}

/** A socket for both families shows an IPv4 address as `::ffff:192.0.2.1`. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
