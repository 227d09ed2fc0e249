// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import { sha256Hex } from './fingerprint.js';

/** A certificate request whose sender has proved that it has the key. */
export interface CertificateRequest {
  /** The public key, SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array;
  /** SHA-256 of the public key (SPKI), hex. */
  readonly keyFingerprint: string;
  /** Of the subject: at most 64 characters each; undefined where it has none. */
  readonly subject: Readonly<Partial<Record<SubjectField, string>>>;
}

/** What is taken over from a subject. */
export type SubjectField = 'CN' | 'OU' | 'O' | 'C';
const SUBJECT_FIELDS: readonly SubjectField[] = ['CN', 'OU', 'O', 'C'];

/** A certificate request that is not signed. The message is for its sender. */
export class CertificateRequestError extends Error {
  override readonly name = 'CertificateRequestError';
  readonly code = 'CERTIFICATE_REQUEST_INVALID';
}

/** In characters of PEM. */
const REQUEST_LENGTH = 16_384;
/** RFC 5280: the upper bound of a common name. */
export const NAME_LENGTH = 64;
const RSA_BITS = { least: 2_048, most: 4_096 };
/** A larger exponent only costs the verifier time. */
const MOST_EXPONENT = 2n ** 32n;
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1']);
const HASHES: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
/** keytool writes NEW. */
const BLOCKS = /-----BEGIN (NEW )?CERTIFICATE REQUEST-----([^-]*)-----END (NEW )?CERTIFICATE REQUEST-----/g;

/**
 * Reads a certificate request, and verifies that its sender has the key. The size and the kind of the key are checked
 * before anything is computed with it.
 * @param pem what a peer or an operator has sent
 * @throws CertificateRequestError
 */
export async function readCertificateRequest(pem: string): Promise<CertificateRequest> {
  if (pem.length > REQUEST_LENGTH) {
    throw refused(`${pem.length} characters; at most ${REQUEST_LENGTH} are allowed`);
  }
  const [block, ...others] = [...pem.matchAll(BLOCKS)];
  if (block === undefined) throw refused('there is no certificate request in PEM form');
  if (others.length > 0) throw refused('there are several; one is allowed');
  const request = parsed(block[2] ?? '');
  const spki = Buffer.from(request.publicKey.rawData);
  checkKey(keyOf(spki));
  if (!HASHES.has(request.signatureAlgorithm.hash?.name)) {
    throw refused('it is signed by another hash than SHA-256, SHA-384 or SHA-512');
  }
  if (!(await isSignedByItself(request))) throw refused('its signature is not that of its key');
  return { spki, keyFingerprint: sha256Hex(spki), subject: subjectOf(request) };
}

function parsed(base64: string): x509.Pkcs10CertificateRequest {
  try {
    return new x509.Pkcs10CertificateRequest(Buffer.from(base64, 'base64'));
  } catch (cause) {
    throw refused('it cannot be read', cause);
  }
}

function keyOf(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw refused('its key cannot be read', cause);
  }
}

/** @throws CertificateRequestError */
function checkKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'ec' && CURVES.has(namedCurve)) return;
  if (asymmetricKeyType === 'rsa') {
    const { least, most } = RSA_BITS;
    if (modulusLength >= least && modulusLength <= most && publicExponent < MOST_EXPONENT) return;
    throw refused(`its RSA key has ${modulusLength} bits; ${least} to ${most} are allowed`);
  }
  throw refused(`its key is ${namedCurve ?? asymmetricKeyType}; EC P-256, EC P-384 and RSA are allowed`);
}

async function isSignedByItself(request: x509.Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify(webcrypto);
  } catch {
    // A signature algorithm that does not fit the key.
    return false;
  }
}

function subjectOf({ subjectName }: x509.Pkcs10CertificateRequest): CertificateRequest['subject'] {
  const fields: Partial<Record<SubjectField, string>> = {};
  for (const field of SUBJECT_FIELDS) {
    const [value] = subjectName.getField(field);
    const text = value === undefined ? '' : peerText(value, NAME_LENGTH).trim();
    if (text !== '') fields[field] = text;
  }
  return fields;
}

function refused(reason: string, cause?: unknown): CertificateRequestError {
  const why = cause === undefined ? reason : `${reason}: ${peerText(reasonOf(cause))}`;
  return new CertificateRequestError(`the certificate request is refused: ${why}`, { cause });
}
