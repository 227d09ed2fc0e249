// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../../lib/clock.js';

const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const HOUR_MS = 3_600_000;

/**
 * A certificate that nobody has signed, for a server that has not reached the store with its CA yet. Clients that verify
 * refuse it; a look at the health of the server need not verify. Texts are PEM.
 */
export async function temporaryCertificate({
  clock,
}: {
  readonly clock: Clock;
}): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: `40${randomBytes(15).toString('hex')}`,
      name: 'CN=Muster management server that is starting',
      notBefore: new Date(clock.wallTime() - 24 * HOUR_MS),
      notAfter: new Date(clock.wallTime() + 24 * HOUR_MS),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      keys,
    },
    webcrypto,
  );
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}
