import type { ListenOptions, Server } from 'node:net';
import { formatHostPort } from './address.js';
import { codeOf, FatalError, reasonOf } from './errors.js';

/**
 * Opens a server's port.
 * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED
 */
export function listenAt(
  server: Server,
  at: ListenOptions & { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    outliveAccept(server);
    server.once('error', cause => reject(cannotListen(at.host, at.port, cause)));
    server.listen(at, resolve);
  });
}

/**
 * A server goes on when a connection fails before it is accepted: accept(2) hands over pending network errors of connections,
 * and Node ends a process for an `error` that nobody hears.
 */
export function outliveAccept(server: Server): void {
  server.on('error', () => {});
}

/** The error for a port on which this program cannot listen, in words for an operator. */
export function cannotListen(address: string, port: number, cause: Error): FatalError {
  const where = formatHostPort(address, port);
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return new FatalError('PORT_IN_USE', `cannot listen on ${where}: the port is in use by another process`, {
        cause,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new FatalError('ADDRESS_NOT_AVAILABLE', `cannot listen on ${where}: this machine has no such address`, {
        cause,
      });
    default:
      return new FatalError('LISTEN_FAILED', `cannot listen on ${where}: ${reasonOf(cause)}`, { cause });
  }
}
