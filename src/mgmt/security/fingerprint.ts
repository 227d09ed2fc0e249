import { createHash } from 'node:crypto';

/** SHA-256 in hex, lower case: of a certificate's DER, or of a public key's SPKI. */
export function sha256Hex(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}
