import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

/** What the TLS below the frames is allowed to be. */
export interface Credentials {
  /** PEM: our certificate, followed by what leads from it to the root. */
  readonly cert?: string;
  readonly key?: string;
  /** PEM: whom we trust. */
  readonly ca?: string;
}

/** AEAD suites only: their records have a constant overhead, which tells where a packet ends. */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** @throws Error of OpenSSL when the PEM texts do not fit together */
export function secureContext(credentials: Credentials): SecureContext {
  return createSecureContext({
    ...credentials,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    // With 1.3 a Java server sends NewSessionTicket unframed, and a Java client does not speak it.
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  });
}

/** How much longer a record of application data is than its plaintext, its 5-byte header aside. */
export function recordOverhead(cipherName: string): number {
  // GCM: 8 bytes of explicit nonce and a tag of 16 (RFC 5288). ChaCha20-Poly1305: the tag (RFC 7905).
  return cipherName.includes('CHACHA20') ? 16 : 24;
}
