import { formatHostPort } from './address.js';
import { codeOf, FatalError, reasonOf } from './errors.js';

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
