// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Store } from '../store/store.js';
import type { Ca, CaParts } from './ca.js';
import type { SealingKey } from './sealing-key.js';
import {
  BACKDATE_MS,
  caOf,
  EC_P256,
  generateKeys,
  pemOf,
  privatePem,
  type Signer,
  serialNumber,
} from './signing-ca.js';

const SECRET = 'ca';
const ROOT_YEARS = 10;

/** The CA whose key is in the store, sealed. The first server makes it. @throws StoreError; FatalError KEY_FILE_UNUSABLE */
export async function openStoreCa(
  store: Pick<Store, 'secret' | 'createSecret'>,
  sealingKey: SealingKey,
  parts: CaParts,
): Promise<Ca> {
  const sealed =
    (await store.secret(SECRET)) ??
    // Another server may make one at the same time: the store keeps the first.
    (await store.createSecret(SECRET, sealingKey.seal(SECRET, Buffer.from(await makeRoot(parts)))));
  return caOf(await signerOf(Buffer.from(sealingKey.unseal(SECRET, sealed)).toString()), parts);
}

/**
 * A CA that no store keeps, for programs that put a server together from parts of their own.
 * @example
 * const ca = await newCa({ clock: systemClock, random: systemRandom });
 */
export async function newCa(parts: CaParts): Promise<Ca> {
  return caOf(await signerOf(await makeRoot(parts)), parts);
}

async function signerOf(rootPem: string): Promise<Signer> {
  const certificate = new x509.X509Certificate(blockOf(rootPem, 'CERTIFICATE'));
  const key = await webcrypto.subtle.importKey('pkcs8', blockOf(rootPem, 'PRIVATE KEY'), EC_P256, false, ['sign']);
  return { certificate, key, issuers: [] };
}

/** @returns certificate and key in one PEM text: the store keeps both of one server, or none */
async function makeRoot({ clock, random }: CaParts): Promise<string> {
  const keys = await generateKeys();
  const now = clock.wallTime();
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + ROOT_YEARS);
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(random),
      name: 'CN=Muster CA',
      notBefore: new Date(now - BACKDATE_MS),
      notAfter,
      signingAlgorithm: { ...EC_P256, hash: 'SHA-256' },
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return pemOf(root) + (await privatePem(keys));
}

function blockOf(text: string, type: string): ArrayBuffer {
  const block = x509.PemConverter.decodeWithHeaders(text).find(({ type: found }) => found === type);
  if (block === undefined) throw new Error(`the CA in the store has no ${type}`);
  return block.rawData;
}
