// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { CaParts } from './ca.js';
import { BACKDATE_MS, EC_P256, generateKeys, pemOf, privatePem, serialNumber } from './signing-ca.js';

const VALID_MS = 24 * 3_600_000;

/**
 * A certificate that nobody has signed, for a server that has not reached the store with its CA yet. Clients that verify
 * refuse it; a look at the health of the server need not verify. Texts are PEM.
 */
export async function temporaryCertificate({ clock, random }: CaParts): Promise<{ cert: string; key: string }> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(random),
      name: 'CN=Muster management server that is starting',
      notBefore: new Date(clock.wallTime() - BACKDATE_MS),
      notAfter: new Date(clock.wallTime() + VALID_MS),
      signingAlgorithm: { ...EC_P256, hash: 'SHA-256' },
      keys,
    },
    webcrypto,
  );
  return { cert: pemOf(certificate), key: await privatePem(keys) };
}
