import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

/** Certificates and key of one side, in PEM. A server needs `cert` and `key`. */
export interface TlsCertificates {
  /** Its own certificate, followed by those that lead to the root. */
  readonly cert?: string;
  /** The private key of the first certificate, not encrypted. */
  readonly key?: string;
  /** The certificates that it trusts. */
  readonly ca?: string;
}

/** AEAD suites only: their records have a constant overhead, by which the encoder knows where a packet ends. */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/**
 * The TLS settings of the protocol: TLS 1.2, AEAD suites, no session tickets, no renegotiation.
 * @example
 * const context = secureContext({ cert, key, ca });
 * @throws Error of OpenSSL when the PEM texts cannot be read or do not belong together
 */
export function secureContext(certificates: TlsCertificates): SecureContext {
  return createSecureContext({
    ...certificates,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    // With 1.3, CloudStack's server sends NewSessionTicket without a frame. CloudStack's agent does not speak 1.3.
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  });
}

/**
 * Bytes by which the payload of a record is longer than its plaintext.
 * @param cipherName OpenSSL's name of one of the protocol's suites, as `TLSSocket.getCipher()` gives it
 * @example
 * const overhead = recordOverhead(socket.getCipher().name);
 */
export function recordOverhead(cipherName: string): number {
  // GCM: an explicit nonce of 8 bytes and a tag of 16 (RFC 5288). ChaCha20-Poly1305: the tag alone (RFC 7905).
  return cipherName.includes('CHACHA20') ? 16 : 24;
}
