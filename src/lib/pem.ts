import { X509Certificate } from 'node:crypto';
import { reasonOf } from './errors.js';

/** A certificate of a PEM text cannot be read. The cause is OpenSSL's error. */
export class PemError extends Error {
  override readonly name = 'PemError';
  readonly code = 'CERTIFICATE_UNREADABLE';
}

/**
 * The certificates of a PEM text, in their order; text between them is skipped.
 * @returns an empty array when there is none
 * @throws PemError
 */
export function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new PemError(`certificate ${index + 1} cannot be read: ${reasonOf(cause)}`, { cause });
    }
  });
}

/** One PEM text of several certificates. */
export function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map(certificate => `${certificate.toString().trimEnd()}\n`).join('');
}
