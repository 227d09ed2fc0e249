import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { untilAborted } from '../../../lib/abort.js';
import { MGMT_LIMITS } from '../../config/limits.js';

/** How other servers are reached, below TLS: by TCP, or in a program's own way. */
export interface ServerDialer {
  /**
   * Opens a connection to the agents' port of another server.
   * @param signal ends the attempt @throws its reason, or the system's error
   */
  connect(address: string, port: number, signal: AbortSignal): Promise<Duplex>;
}

/**
 * Reaches other servers by TCP.
 * @example
 * const serverDialer = tcpServerDialer();
 */
export function tcpServerDialer(): ServerDialer {
  return {
    async connect(host, port, signal) {
      signal.throwIfAborted();
      const keepAliveInitialDelay = MGMT_LIMITS.keepAliveMs;
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay });
      try {
        await untilAborted(once(socket, 'connect'), signal);
      } catch (error) {
        socket.destroy();
        throw error;
      }
      return socket;
    },
  };
}
