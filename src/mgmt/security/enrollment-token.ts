import { createHash, randomBytes } from 'node:crypto';
import { parseEnrollmentToken } from '../../protocol/enrollment-token.js';

/** An enrolment token. Whoever has `text` can enrol; the store keeps `hash` only. */
export interface EnrollmentToken {
  /** `<secret>.<ca>`: 32 random bytes, and the SHA-256 of the CA's certificate in DER, each in base64url. */
  readonly text: string;
  /** SHA-256 of the secret in hex, lower case. */
  readonly hash: string;
}

const SECRET_BYTES = 32;

/** A new token. @param caFingerprint SHA-256 of a certificate that servers present, hex: by it the agent verifies its first contact */
export function newEnrollmentToken(caFingerprint: string): EnrollmentToken {
  // Not from `Random`: secrets always come from the system's generator.
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const ca = Buffer.from(caFingerprint, 'hex').toString('base64url');
  return { text: `${secret}.${ca}`, hash: hashOf(secret) };
}

/** The hash under which the store has a token. @returns undefined when the text has not the form of one */
export function hashOfToken(text: string): string | undefined {
  const token = parseEnrollmentToken(text);
  return token && hashOf(token.secret);
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
