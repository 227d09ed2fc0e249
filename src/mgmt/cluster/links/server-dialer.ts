import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { untilAborted } from '../../../lib/abort.js';
import { connectTls, type FramedTlsClientOptions, type RemoteEnd, type Transport } from '../../../protocol/index.js';
import { MGMT_LIMITS } from '../../config/limits.js';

/** How other servers are reached, below TLS: by TCP, or in a program's own way. */
export interface ServerDialer {
  /**
   * Opens a connection to the agents' port of another server.
   * @param signal ends the attempt @throws its reason, or the system's error
   */
  connect(address: string, port: number, signal: AbortSignal): Promise<ServerWire>;
}

/** A connection to another server before TLS. */
export interface ServerWire {
  /**
   * Carries out the TLS handshake. Called once; from then on the transport ends the connection.
   * @param options `judge` decides about the other server's certificate, and what it throws ends the connection
   * @throws as `connectTls`; the connection has ended then
   */
  secure(
    options: Omit<FramedTlsClientOptions, 'remote' | 'judge'> & {
      judge(certificate: X509Certificate | undefined): void;
    },
  ): Promise<Transport>;
  /** Ends the connection at once, in the handshake as well. */
  destroy(): void;
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
      return serverWireOver(socket, { address: host, port });
    },
  };
}

/** The wire over a stream. @param remote the other server's end */
export function serverWireOver(socket: Duplex, remote: RemoteEnd): ServerWire {
  return {
    secure: ({ judge, ...options }) =>
      connectTls(socket, { ...options, remote, judge: peer => judge(peer.getPeerX509Certificate()) }),
    destroy: () => void socket.destroy(),
  };
}
