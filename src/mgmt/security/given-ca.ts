// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { type KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { isSignedInOrder } from '../../lib/chain.js';
import { ConfigError } from '../../lib/errors.js';
import type { CaFiles } from '../config/settings.js';
import type { CaParts } from './ca.js';
import { certificatesOf, outOfDate, privateKeyOf } from './certificate-files.js';
import { type SigningCa, signingCa } from './signing-ca.js';

const CURVES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384' };
const LEAST_RSA_BITS = 2_048;

/** An operator's own CA, and sentences about what agents will refuse. */
export interface GivenCa {
  readonly ca: SigningCa;
  readonly warnings: readonly string[];
}

/**
 * Reads an operator's own CA, which may be an intermediate one: what leads from it to its root comes behind it.
 * @throws ConfigError that names the setting
 */
export async function loadGivenCa({ certFile, keyFile }: CaFiles, parts: CaParts): Promise<GivenCa> {
  const [[signer, ...issuers], key] = await Promise.all([
    certificatesOf('ca.cert', certFile),
    privateKeyOf('ca.key', keyFile),
  ]);
  if (!signer.checkPrivateKey(key)) {
    throw new ConfigError('ca.key', keyFile, `is not the key of the first certificate in ca.cert=${certFile}`);
  }
  if (!signer.ca) throw new ConfigError('ca.cert', certFile, 'its first certificate is not that of a CA');
  if (!isSignedInOrder([signer, ...issuers])) {
    throw new ConfigError('ca.cert', certFile, 'each certificate has to be signed by the one behind it');
  }
  const certificate = new x509.X509Certificate(signer.raw);
  const ca = signingCa(
    {
      certificate,
      key: await signingKey(key, keyFile),
      issuers: issuers.map(({ raw }) => new x509.X509Certificate(raw)),
    },
    parts,
  );
  const now = parts.clock.wallTime();
  return { ca, warnings: [signer, ...issuers].flatMap(one => outOfDate(`ca.cert=${certFile}`, one, now)) };
}

/** @throws ConfigError */
async function signingKey(key: KeyObject, keyFile: string): Promise<webcrypto.CryptoKey> {
  const { asymmetricKeyType, asymmetricKeyDetails } = key;
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const namedCurve = CURVES[asymmetricKeyDetails?.namedCurve ?? ''];
  if (asymmetricKeyType === 'ec' && namedCurve !== undefined) {
    return webcrypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve }, false, ['sign']);
  }
  if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= LEAST_RSA_BITS) {
    return webcrypto.subtle.importKey('pkcs8', pkcs8, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, ['sign']);
  }
  throw new ConfigError('ca.key', keyFile, 'is no EC key of P-256 or P-384, and no RSA key of 2048 bits or more');
}
