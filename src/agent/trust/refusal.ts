import { codeOf } from '../../lib/errors.js';
import { TrustError } from './judge.js';

const ALERT =
  /ALERT_(?:BAD_CERTIFICATE|NO_CERTIFICATE|\w*CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/;

/** Whether a dial has failed because of certificates: the server is not trusted, or it has refused ours by a TLS alert. */
export function isAboutCertificates(error: unknown): boolean {
  return error instanceof TrustError || (error instanceof Error && ALERT.test(codeOf(error.cause) ?? ''));
}

/**
 * How sure it is that a server has refused the credentials of a dial. `unsaid`: it has refused the Startup in words, which
 * may be about the certificate, as that of a host that was removed.
 */
export type Refusal = 'certain' | 'possible' | 'unsaid';

/**
 * Whether a dial has ended as it does when a server of Muster refuses a certificate: it closes the connection once it has seen
 * that, at the end of the handshake. The network, or a server that is busy, may have done it as well.
 */
export function mayBeAboutCertificates(error: unknown): boolean {
  return ['HANDSHAKE_CLOSED', 'ECONNRESET'].includes(codeOf(error) ?? '');
}
