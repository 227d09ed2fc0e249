// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
};

/** A self-signed P-256 certificate that serves as CA and server alike. */
export function plainCertificate(name = 'test'): Promise<TestCertificate> {
  return selfSigned(name, EC, []);
}

/**
 * The profile of a real management server's: it presents the RSA CA certificate itself, with key usage CertSign and
 * CRLSign only, which OpenSSL calls INVALID_PURPOSE.
 */
export function cloudstackCa(name = 'ca.cloudstack.apache.org'): Promise<TestCertificate> {
  return selfSigned(name, RSA, [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ]);
}

async function selfSigned(name: string, algorithm: typeof EC | typeof RSA, extensions: x509.Extension[]) {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      keys,
      notBefore: new Date(Date.UTC(2020, 0, 1)),
      notAfter: new Date(Date.UTC(2060, 0, 1)),
      signingAlgorithm: algorithm,
      extensions,
    },
    webcrypto,
  );
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
}
