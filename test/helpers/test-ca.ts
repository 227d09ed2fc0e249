// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { TestCertificate } from './certificates.js';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
const FROM = new Date(Date.UTC(2020, 0, 1));
const TO = new Date(Date.UTC(2060, 0, 1));

export interface LeafOptions {
  readonly name?: string;
  /** Among the alternative names. @default 10.9.9.9 */
  readonly address?: string;
  /** URIs among the alternative names. */
  readonly uris?: readonly string[];
  readonly usages?: readonly ('serverAuth' | 'clientAuth')[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** A CA that signs what a test wants. */
export class TestCa {
  readonly pem: string;
  readonly certificate: X509Certificate;
  readonly #root: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  readonly #algorithm: typeof EC | typeof RSA;

  constructor(root: x509.X509Certificate, key: webcrypto.CryptoKey, algorithm: typeof EC | typeof RSA) {
    this.#root = root;
    this.#key = key;
    this.#algorithm = algorithm;
    this.pem = `${root.toString('pem')}\n`;
    this.certificate = new X509Certificate(this.pem);
  }

  static async make(name = 'Muster CA', validity: { notBefore?: Date; notAfter?: Date } = {}): Promise<TestCa> {
    const keys = await generate();
    const root = await x509.X509CertificateGenerator.createSelfSigned(
      {
        name: `CN=${name}`,
        keys,
        notBefore: FROM,
        notAfter: TO,
        ...validity,
        signingAlgorithm: EC,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        ],
      },
      webcrypto,
    );
    return new TestCa(root, keys.privateKey, EC);
  }

  /** An RSA CA of which certificate and key are given, as a CloudStack server has them. */
  static async of(certPem: string, keyPem: string): Promise<TestCa> {
    const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
    const key = await webcrypto.subtle.importKey('pkcs8', der, RSA, false, ['sign']);
    return new TestCa(new x509.X509Certificate(certPem), key, RSA);
  }

  /** Its key, of one that was made. PEM. */
  async keyPem(): Promise<string> {
    return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', this.#key), 'PRIVATE KEY');
  }

  /** The CA's part of an enrolment token. */
  async token(secret = 'A'.repeat(43)): Promise<string> {
    const digest = await webcrypto.subtle.digest('SHA-256', this.#root.rawData);
    return `${secret}.${Buffer.from(digest).toString('base64url')}`;
  }

  /** A certificate with a new key. */
  async leaf(options: LeafOptions = {}): Promise<TestCertificate> {
    const keys = await generate();
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return { cert: await this.#sign(keys.publicKey, options), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
  }

  /** What a Muster server presents: its leaf and the root. */
  async server(options: LeafOptions = {}): Promise<TestCertificate> {
    const usages = ['serverAuth', 'clientAuth'] as const;
    const { cert, key } = await this.leaf({ name: 'server', uris: ['muster:server:1001'], usages, ...options });
    return { cert: cert + this.pem, key };
  }

  /** The certificate that a request asks for. It checks the request's signature. */
  async sign(csr: string, options: LeafOptions = {}): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(csr);
    if (!(await request.verify(webcrypto))) throw new Error('the request is not signed by its key');
    return this.#sign(await request.publicKey.export(webcrypto), {
      name: request.subjectName.getField('CN')[0] ?? '',
      ...options,
    });
  }

  async #sign(
    publicKey: webcrypto.CryptoKey,
    { name = 'leaf', address = '10.9.9.9', uris = [], usages, notBefore, notAfter }: LeafOptions,
  ) {
    const certificate = await x509.X509CertificateGenerator.create(
      {
        subject: `CN=${name}`,
        issuer: this.#root.subjectName,
        publicKey,
        signingKey: this.#key,
        notBefore: notBefore ?? FROM,
        notAfter: notAfter ?? TO,
        signingAlgorithm: this.#algorithm,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'ip', value: address },
            ...uris.map(value => ({ type: 'url' as const, value })),
          ]),
          ...(usages ? [new x509.ExtendedKeyUsageExtension(usages.map(usage => x509.ExtendedKeyUsage[usage]))] : []),
        ],
      },
      webcrypto,
    );
    return `${certificate.toString('pem')}\n`;
  }
}

function generate(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}
