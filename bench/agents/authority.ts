import { systemClock } from '#dist/lib/clock.js';
import { systemRandom } from '#dist/lib/random.js';
import type { CertificateRequest } from '#dist/mgmt/security/certificate-request.js';
import { sha256Hex } from '#dist/mgmt/security/fingerprint.js';
import { makeRoot, rootIn } from '#dist/mgmt/security/root.js';
import { generateKeys, privatePem, signingCa } from '#dist/mgmt/security/signing-ca.js';
import type { TlsCertificates } from '#dist/protocol/index.js';

const PARTS = { clock: systemClock, random: systemRandom };
const VALIDITY_DAYS = 365;

/** A CA in one PEM text, its certificate and its key: the settings `ca.cert` and `ca.key` of a management server. */
export function newAuthority(): Promise<string> {
  return makeRoot('The bench', PARTS);
}

/** What a management server of this CA presents. */
export async function serverCertificate(authority: string): Promise<Required<TlsCertificates>> {
  const ca = signingCa(await rootIn(authority), PARTS);
  const { chainPem, keyPem } = await ca.issueServerCertificate({ addresses: ['127.0.0.1'], msid: 1 });
  return { cert: chainPem, key: keyPem, ca: ca.chainPem };
}

/** Of each of these hosts, as the CA gives them to Muster's agents. One key for all of them. */
export async function hostCertificates(
  authority: string,
  uuids: readonly string[],
): Promise<readonly Required<TlsCertificates>[]> {
  const ca = signingCa(await rootIn(authority), PARTS);
  const { request, key } = await newKey();
  const certificates: Required<TlsCertificates>[] = [];
  for (const uuid of uuids) {
    const { certPem } = await ca.issueHostCertificate(request, { uuid, name: uuid, validityDays: VALIDITY_DAYS });
    certificates.push({ cert: certPem, key, ca: ca.chainPem });
  }
  return certificates;
}

/** As CloudStack's agents have, for whoever comes from 127.0.0.1. */
export async function addressCertificate(authority: string): Promise<Required<TlsCertificates>> {
  const ca = signingCa(await rootIn(authority), PARTS);
  const { request, key } = await newKey();
  const subject = { addresses: ['127.0.0.1'], names: [], name: 'bench', validityDays: VALIDITY_DAYS };
  return { cert: (await ca.issueAddressCertificate(request, subject)).certPem, key, ca: ca.chainPem };
}

async function newKey(): Promise<{ request: CertificateRequest; key: string }> {
  const keys = await generateKeys();
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
  return { request: { spki, keyFingerprint: sha256Hex(spki), subject: {} }, key: await privatePem(keys) };
}

/** What an agent trusts that has no certificate of its own. */
export async function trusted(authority: string): Promise<TlsCertificates> {
  return { ca: signingCa(await rootIn(authority), PARTS).chainPem };
}
