import { createHash, type X509Certificate } from 'node:crypto';

/**
 * `<secret>.<ca>`: 32 random bytes, and the SHA-256 of the CA's certificate in DER, each in base64url. The first contact
 * with a server is verified by the second part.
 */
const TOKEN = /^[\w-]{43}\.[\w-]{43}$/;

/** Whether a text has the form of an enrolment token. */
export function isEnrolmentToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether a certificate is that of the CA which an enrolment token names. */
export function isCaOfToken(token: string, certificate: X509Certificate): boolean {
  return createHash('sha256').update(certificate.raw).digest('base64url') === token.split('.')[1];
}
