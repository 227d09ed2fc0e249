// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../../lib/clock.js';
import type { Random } from '../../lib/random.js';
import type { Store } from '../store/store.js';
import type { SealingKey } from './sealing-key.js';

/** The cluster's own certificate authority. Its key is in the store, sealed, so that every server can issue. */
export interface Ca {
  /** The root's certificate, which agents trust. */
  readonly certPem: string;
  /** A certificate and its new key, valid for a year. */
  issueServerCertificate(server: ServerIdentity): Promise<IssuedCertificate>;
}

/** What a server's certificate says. */
export interface ServerIdentity {
  /** Addresses and names under which agents dial the server; at least one. */
  readonly addresses: readonly string[];
  readonly msid: number;
}

/** A certificate that the CA has issued. Texts are PEM. */
export interface IssuedCertificate {
  readonly certPem: string;
  /** What a server presents: its certificate and the root, because an agent without a CA pins the root that it gets. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

interface CaParts {
  readonly clock: Clock;
  readonly random: Random;
}

const SECRET = 'ca';
const ROOT_YEARS = 10;
const SERVER_YEARS = 1;
/** A new certificate must be valid for agents whose clocks are behind. */
const BACKDATE_MS = 24 * 3_600_000;

const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' };

/** Loads the CA from the store. The first server makes it. @throws StoreError; FatalError KEY_FILE_UNUSABLE */
export async function openCa(store: Store, sealingKey: SealingKey, parts: CaParts): Promise<Ca> {
  const sealed =
    (await store.secret(SECRET)) ??
    // Another server may make one at the same time: the store keeps the first.
    (await store.createSecret(SECRET, sealingKey.seal(SECRET, Buffer.from(await makeRoot(parts)))));
  const rootPem = Buffer.from(sealingKey.unseal(SECRET, sealed)).toString();
  const root = new x509.X509Certificate(blockOf(rootPem, 'CERTIFICATE'));
  const rootKey = await webcrypto.subtle.importKey('pkcs8', blockOf(rootPem, 'PRIVATE KEY'), EC_P256, false, ['sign']);
  const certPem = pem(root);
  return {
    certPem,
    async issueServerCertificate({ addresses, msid }) {
      const keys = await generateKeys();
      const leaf = await x509.X509CertificateGenerator.create(
        {
          serialNumber: serialNumber(parts.random),
          subject: `CN=Muster management server ${msid}`,
          issuer: root.subjectName,
          ...validity(parts.clock, SERVER_YEARS),
          signingAlgorithm: SIGNATURE,
          publicKey: keys.publicKey,
          signingKey: rootKey,
          extensions: [
            new x509.BasicConstraintsExtension(false, undefined, true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
            // Servers also connect to each other.
            new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
            new x509.SubjectAlternativeNameExtension(
              addresses.map(value => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
            ),
            await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
            await x509.AuthorityKeyIdentifierExtension.create(root, false, webcrypto),
          ],
        },
        webcrypto,
      );
      return {
        certPem: pem(leaf),
        chainPem: pem(leaf) + certPem,
        keyPem: await privatePem(keys),
        notAfter: leaf.notAfter.getTime(),
      };
    },
  };
}

/** @returns certificate and key in one PEM text: the store keeps both of one server, or none */
async function makeRoot({ clock, random }: CaParts): Promise<string> {
  const keys = await generateKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(random),
      name: 'CN=Muster CA',
      ...validity(clock, ROOT_YEARS),
      signingAlgorithm: SIGNATURE,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return pem(root) + (await privatePem(keys));
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
}

function validity(clock: Clock, years: number): { notBefore: Date; notAfter: Date } {
  const now = clock.wallTime();
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + years);
  return { notBefore: new Date(now - BACKDATE_MS), notAfter };
}

/** 128 bits. The first is 0, because DER's integers have a sign; the second is 1, so that all have the same length. */
function serialNumber(random: Random): string {
  const bytes = Uint8Array.from({ length: 16 }, () => random.int(256));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

async function privatePem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')}\n`;
}

function blockOf(text: string, type: string): ArrayBuffer {
  const block = x509.PemConverter.decodeWithHeaders(text).find(({ type: found }) => found === type);
  if (block === undefined) throw new Error(`the CA in the store has no ${type}`);
  return block.rawData;
}
