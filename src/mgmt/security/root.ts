// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { CaParts } from './ca.js';
import {
  BACKDATE_MS,
  caExtensions,
  EC_P256,
  generateKeys,
  pemOf,
  privatePem,
  type Signer,
  serialNumber,
} from './signing-ca.js';

const ROOT_YEARS = 10;

/** The common name of the first CA of a cluster. */
export const CA_NAME = 'Muster CA';

/**
 * A new root CA.
 * @param commonName of its subject
 * @returns certificate and key in one PEM text: the store keeps both of one server, or none
 */
export async function makeRoot(commonName: string, { clock, random }: CaParts): Promise<string> {
  const keys = await generateKeys();
  const now = clock.wallTime();
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + ROOT_YEARS);
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(random),
      name: [{ CN: [commonName] }],
      notBefore: new Date(now - BACKDATE_MS),
      notAfter,
      signingAlgorithm: { ...EC_P256, hash: 'SHA-256' },
      keys,
      extensions: [
        ...caExtensions(),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return pemOf(root) + (await privatePem(keys));
}

/** The root of a text that `makeRoot` has made. */
export async function rootIn(pem: string): Promise<Signer> {
  const certificate = new x509.X509Certificate(blockOf(pem, 'CERTIFICATE'));
  const key = await webcrypto.subtle.importKey('pkcs8', blockOf(pem, 'PRIVATE KEY'), EC_P256, false, ['sign']);
  return { certificate, key, issuers: [] };
}

function blockOf(text: string, type: string): ArrayBuffer {
  const block = x509.PemConverter.decodeWithHeaders(text).find(({ type: found }) => found === type);
  if (block === undefined) throw new Error(`the CA in the store has no ${type}`);
  return block.rawData;
}
