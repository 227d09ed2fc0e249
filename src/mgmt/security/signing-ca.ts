// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Random } from '../../lib/random.js';
import { peerText } from '../../lib/text/peer-text.js';
import { HOST_URI, SERVER_URI } from '../../protocol/certificate-names.js';
import type { CaParts, Issued, Issuing } from './ca.js';
import { NAME_LENGTH, readCertificateRequest } from './certificate-request.js';
import { sha256Hex } from './fingerprint.js';

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

/** A CA that signs. Texts are PEM. */
export interface SigningCa extends Issuing {
  /** SHA-256 of its certificate, hex. */
  readonly fingerprint: string;
  /** Its certificate, and what leads from it to its root. */
  readonly chainPem: string;
  /** The certificate of another CA, signed by this one, for those that trust this one alone. */
  crossSign(other: x509.X509Certificate): Promise<string>;
}

/** The CA of a certificate and its key. */
export function signingCa({ certificate: issuer, key, issuers }: Signer, { clock, random }: CaParts): SigningCa {
  const chainPem = [issuer, ...issuers].map(pemOf).join('');
  const issuerFingerprint = sha256Hex(new Uint8Array(issuer.rawData));

  async function sign(what: {
    readonly spki: webcrypto.BufferSource;
    readonly subject: x509.JsonName;
    readonly validityDays: number;
    readonly extensions: readonly x509.Extension[];
  }): Promise<Issued> {
    const publicKey = new x509.PublicKey(what.spki);
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
    chainPem,
    fingerprint: issuerFingerprint,

    async crossSign(other) {
      const now = clock.wallTime();
      const certificate = await x509.X509CertificateGenerator.create(
        {
          serialNumber: serialNumber(random),
          subject: other.subjectName,
          issuer: issuer.subjectName,
          notBefore: new Date(now - BACKDATE_MS),
          notAfter: new Date(Math.min(other.notAfter.getTime(), issuer.notAfter.getTime())),
          signingAlgorithm: { ...key.algorithm, hash: 'SHA-256' },
          publicKey: other.publicKey,
          signingKey: key,
          extensions: [
            ...caExtensions(),
            await x509.SubjectKeyIdentifierExtension.create(other.publicKey, false, webcrypto),
            await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
          ],
        },
        webcrypto,
      );
      return pemOf(certificate);
    },

    async issueServerCertificate({ addresses, msid }) {
      const keys = await generateKeys();
      const issued = await sign({
        spki: await webcrypto.subtle.exportKey('spki', keys.publicKey),
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

    readRequest: readCertificateRequest,

    issueHostCertificate: ({ spki, subject }, { uuid, name, validityDays }) =>
      sign({
        spki,
        subject: [{ CN: [subject.CN ?? commonName(name)] }],
        validityDays,
        extensions: [
          ...leafExtensions([x509.ExtendedKeyUsage.clientAuth]),
          new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `${HOST_URI}${uuid}` }]),
        ],
      }),

    issueAddressCertificate: ({ spki, subject }, { addresses, names, name, validityDays }) =>
      sign({
        spki,
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

export function caExtensions(): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
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
