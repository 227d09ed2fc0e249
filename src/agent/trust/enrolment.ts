import { createHash, type X509Certificate } from 'node:crypto';
import { parseEnrollmentToken } from '../../protocol/enrollment-token.js';

/** Whether a certificate is that of the CA which an enrolment token names. */
export function isCaOfToken(token: string, certificate: X509Certificate): boolean {
  return createHash('sha256').update(certificate.raw).digest('base64url') === parseEnrollmentToken(token)?.ca;
}
