import { codeOf } from '../../lib/errors.js';
import { TrustError } from './judge.js';

const ALERT =
  /ALERT_(?:BAD_CERTIFICATE|NO_CERTIFICATE|\w*CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/;

/** Whether a dial has failed because of certificates: the server is not trusted, or it has refused ours by a TLS alert. */
export function isAboutCertificates(error: unknown): boolean {
  return error instanceof TrustError || (error instanceof Error && ALERT.test(codeOf(error.cause) ?? ''));
}
