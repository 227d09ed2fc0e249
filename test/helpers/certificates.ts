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

interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const VALID: Validity = { notBefore: new Date(Date.UTC(2020, 0, 1)), notAfter: new Date(Date.UTC(2060, 0, 1)) };

/** A self-signed P-256 certificate that serves as CA and server alike. */
export function plainCertificate(name = 'test', validity: Partial<Validity> = {}): Promise<TestCertificate> {
  return selfSigned(name, EC, [], { ...VALID, ...validity });
}

/** What Muster's servers present: a leaf of a CA, for an address that no test dials, and the CA behind it. */
export async function leafAndRoot(
  name = 'muster',
  validity: Partial<Validity> = {},
): Promise<TestCertificate & { readonly leaf: string; readonly root: string }> {
  const [rootKeys, leafKeys] = await Promise.all([keyPair(EC), keyPair(EC)]);
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name} CA`,
      keys: rootKeys,
      ...VALID,
      signingAlgorithm: EC,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    },
    webcrypto,
  );
  const leaf = await x509.X509CertificateGenerator.create(
    {
      subject: `CN=${name}`,
      issuer: `CN=${name} CA`,
      publicKey: leafKeys.publicKey,
      signingKey: rootKeys.privateKey,
      ...VALID,
      ...validity,
      signingAlgorithm: EC,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '203.0.113.7' }])],
    },
    webcrypto,
  );
  const [leafPem, rootPem] = [`${leaf.toString('pem')}\n`, `${root.toString('pem')}\n`];
  return { cert: leafPem + rootPem, key: await pemOf(leafKeys), leaf: leafPem, root: rootPem };
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

function keyPair(algorithm: typeof EC | typeof RSA): Promise<webcrypto.CryptoKeyPair> {
  // Both are algorithms of key pairs.
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

async function pemOf({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}

async function selfSigned(
  name: string,
  algorithm: typeof EC | typeof RSA,
  extensions: x509.Extension[],
  validity = VALID,
): Promise<TestCertificate> {
  const keys = await keyPair(algorithm);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    { name: `CN=${name}`, keys, ...validity, signingAlgorithm: algorithm, extensions },
    webcrypto,
  );
  return { cert: certificate.toString('pem'), key: await pemOf(keys) };
}
