// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../../lib/clock.js';
import type { Random } from '../../lib/random.js';
import { peerText } from '../../lib/text/peer-text.js';
import { HOST_URI, SERVER_URI } from '../../protocol/certificate-names.js';
import { type CertificateRequest, NAME_LENGTH } from './certificate-request.js';
import { sha256Hex } from './fingerprint.js';

/** The certificate authority of the cluster. Every server has its key, and can issue. Texts are PEM. */
export interface Ca {
  /** The certificate that signs. */
  readonly certPem: string;
  /** It, and what leads from it to its root: what a server presents behind its own certificate. */
  readonly chainPem: string;
  /** What agents get as `cloud.ca.crt`: all whom they shall trust. */
  readonly bundlePem: string;
  /** SHA-256 of the certificate that signs, hex. */
  readonly fingerprint: string;
  /** A certificate and its new key, valid for a year. */
  issueServerCertificate(server: ServerIdentity): Promise<IssuedServerCertificate>;
  /** For one of Muster's agents: it names its host, and nothing of what the request says but the common name. */
  issueHostCertificate(request: CertificateRequest, host: HostIdentity): Promise<Issued>;
  /**
   * As CloudStack issues them: without usages, because libvirt serves with the same files, for addresses and names that are
   * given; those of the request are not taken over.
   */
  issueAddressCertificate(request: CertificateRequest, subject: AddressIdentity): Promise<Issued>;
}

/** What a server's certificate says. */
export interface ServerIdentity {
  /** Addresses and names under which agents dial the server; at least one. */
  readonly addresses: readonly string[];
  readonly msid: number;
}

export interface HostIdentity {
  readonly uuid: string;
  /** The common name, if the request has none. */
  readonly name: string;
  readonly validityDays: number;
}

export interface AddressIdentity {
  /** IP addresses. CloudStack's rule admits an agent that comes from one of them. */
  readonly addresses: readonly string[];
  /** DNS names; an address among them is one of the names as well, as in CloudStack. */
  readonly names: readonly string[];
  /** The common name, if the request has none. */
  readonly name: string;
  readonly validityDays: number;
}

/** A certificate that was signed. Moments are milliseconds since 1970. */
export interface Issued {
  readonly certPem: string;
  /** Hex, lower case, without leading zeros. */
  readonly serial: string;
  readonly cn: string;
  /** SHA-256 of the public key (SPKI), hex. */
  readonly keyFingerprint: string;
  /** SHA-256 of the certificate that signed it, hex. */
  readonly issuerFingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface IssuedServerCertificate extends Issued {
  /** What a server presents: its certificate and the CA's, because an agent without a CA pins the one that it gets. */
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface CaParts {
  readonly clock: Clock;
  readonly random: Random;
}

/** A CA's certificate and key. */
export interface Signer {
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
  /** What leads from `certificate` to its root, the root included. */
  readonly issuers: readonly x509.X509Certificate[];
}

const SERVER_DAYS = 365;
const DAY_MS = 86_400_000;
/** A new certificate must be valid for agents whose clocks are behind. */
export const BACKDATE_MS = 24 * 3_600_000;

export const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256' };

/** The CA of a certificate and its key. */
export function caOf({ certificate: issuer, key, issuers }: Signer, { clock, random }: CaParts): Ca {
  const certPem = pemOf(issuer);
  const chainPem = certPem + issuers.map(pemOf).join('');
  const issuerFingerprint = sha256Hex(new Uint8Array(issuer.rawData));

  async function sign(what: {
    readonly publicKey: x509.PublicKey;
    readonly subject: x509.JsonName;
    readonly validityDays: number;
    readonly extensions: readonly x509.Extension[];
  }): Promise<Issued> {
    const { publicKey } = what;
    const serial = serialNumber(random);
    const now = clock.wallTime();
    // What outlives its CA is trusted by nobody.
    const notAfter = new Date(Math.min(now + what.validityDays * DAY_MS, issuer.notAfter.getTime()));
    const leaf = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serial,
        subject: what.subject,
        issuer: issuer.subjectName,
        notBefore: new Date(now - BACKDATE_MS),
        notAfter,
        signingAlgorithm: { ...key.algorithm, hash: 'SHA-256' },
        publicKey,
        signingKey: key,
        extensions: [
          ...what.extensions,
          await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
          await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return {
      certPem: pemOf(leaf),
      serial,
      cn: what.subject.flatMap(({ CN = [] }) => CN)[0] ?? '',
      keyFingerprint: sha256Hex(new Uint8Array(publicKey.rawData)),
      issuerFingerprint,
      notBefore: leaf.notBefore.getTime(),
      notAfter: leaf.notAfter.getTime(),
    };
  }

  return {
    certPem,
    chainPem,
    bundlePem: chainPem,
    fingerprint: issuerFingerprint,

    async issueServerCertificate({ addresses, msid }) {
      const keys = await generateKeys();
      const issued = await sign({
        publicKey: await x509.PublicKey.create(keys.publicKey),
        subject: [{ CN: [`Muster management server ${msid}`] }],
        validityDays: SERVER_DAYS,
        extensions: [
          ...leafExtensions(
            // Servers also connect to each other.
            [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
          ),
          new x509.SubjectAlternativeNameExtension([
            ...addresses.map(value => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
            { type: 'url', value: `${SERVER_URI}${msid}` },
          ]),
        ],
      });
      return { ...issued, chainPem: issued.certPem + chainPem, keyPem: await privatePem(keys) };
    },

    issueHostCertificate: ({ publicKey, subject }, { uuid, name, validityDays }) =>
      sign({
        publicKey,
        subject: [{ CN: [subject.CN ?? commonName(name)] }],
        validityDays,
        extensions: [
          ...leafExtensions([x509.ExtendedKeyUsage.clientAuth]),
          new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `${HOST_URI}${uuid}` }]),
        ],
      }),

    issueAddressCertificate: ({ publicKey, subject }, { addresses, names, name, validityDays }) =>
      sign({
        publicKey,
        subject: [
          { CN: [subject.CN ?? commonName(name)] },
          ...(['OU', 'O', 'C'] as const).flatMap(field => {
            const value = subject[field];
            return value === undefined ? [] : [{ [field]: [value] }];
          }),
        ],
        validityDays,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            ...addresses.map(value => ({ type: 'ip' as const, value })),
            ...names.map(value => ({ type: 'dns' as const, value })),
          ]),
        ],
      }),
  };
}

function leafExtensions(usages: x509.ExtendedKeyUsage[]): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages),
  ];
}

function commonName(name: string): string {
  return peerText(name, NAME_LENGTH).trim() || 'agent';
}

export function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
}

/** 128 bits. The first is 0, because DER's integers have a sign; the second is 1, so that all have the same length. */
export function serialNumber(random: Random): string {
  const bytes = Uint8Array.from({ length: 16 }, () => random.int(256));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

export function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

export async function privatePem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')}\n`;
}
