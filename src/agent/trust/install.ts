import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { chainTo, objectionToDates } from '../../lib/chain.js';
import { reasonOf } from '../../lib/errors.js';
import { certificatesIn, pemOf } from '../../lib/pem.js';
import { peerText } from '../../lib/text/peer-text.js';
import { subjectOf } from '../../protocol/certificate-names.js';
import { isKeyForRequest } from './certificate-request.js';
import type { CertificateFile, FileStep, Folder } from './folder.js';
import { ownCertificateOf, pemOfKey, privateKeyOf } from './own-certificate.js';

// What is written in which order. A process may end between any two steps: `recovery` then says, at the next start, what
// is still to be done.
//
//   installation    copies of what is in use, the bundle, the certificate, the key
//   confirmation    the copies go, once a server has accepted the new files
//   takingBack      the copies come back, when it has not

/** What a server sends with SetupCertificateCommand. Texts are PEM. */
export interface CertificateOffer {
  readonly certificate: string;
  /** Empty when the agent has made the key itself. */
  readonly privateKey: string;
  readonly caCertificates: string;
}

/** The offered certificate cannot be used. The message says why; the server is told. */
export class OfferError extends Error {
  override readonly name = 'OfferError';
  readonly code = 'CERTIFICATE_REFUSED';
}

/** A bundle has a few certificates: old and new ones during a rotation, and those between. */
const MOST_CA_CERTIFICATES = 64;

type KeyFile = 'cloud.key' | 'cloud.key.new';

/**
 * The key for a certificate request: one that is there and good, or a new one. A key that is in use, or cannot be used, is
 * not replaced before there is a certificate for the new one.
 * @returns where the key is, and its PEM text when it is there already
 */
export function keyForRequest(folder: Folder): { readonly file: KeyFile; readonly pem: string | undefined } {
  const own = ownCertificateOf(folder);
  const isFree = folder['cloud.key'] === undefined || (!isInUse(own) && goodKey(folder, 'cloud.key') !== undefined);
  const file = isFree ? 'cloud.key' : 'cloud.key.new';
  return { file, pem: goodKey(folder, file) };
}

function goodKey(folder: Folder, file: KeyFile): string | undefined {
  const found = privateKeyOf(folder[file]);
  return 'key' in found && isKeyForRequest(found.key) ? pemOfKey(found.key) : undefined;
}

function isInUse(own: ReturnType<typeof ownCertificateOf>): boolean {
  return own !== undefined && 'own' in own;
}

/** How a new key and its certificate request are written. @param key undefined when it is there already */
export function requestSteps(file: KeyFile, key: string | undefined, csr: string): readonly FileStep[] {
  // Removed first: a file that is replaced keeps its mode.
  const made: readonly FileStep[] = key === undefined ? [] : [...remove(file), { kind: 'write', file, text: key }];
  return [...made, { kind: 'write', file: 'cloud.csr', text: csr }];
}

/**
 * Checks an offered certificate: it fits a key of this host, is in date, and verifies against the CA that came with it.
 * @param wallTime milliseconds since 1970
 * @returns the steps that take it into use
 * @throws OfferError
 */
export function installation(folder: Folder, offer: CertificateOffer, wallTime: number): readonly FileStep[] {
  const [leaf, ...others] = certificatesOf('certificate', offer.certificate);
  const bundle = certificatesOf('caCertificates', offer.caCertificates);
  const chain = chainTo(leaf, others, bundle);
  if (chain === undefined) throw new OfferError(`${nameOf(leaf)} does not verify against the caCertificates`);
  for (const certificate of chain) {
    const objection = objectionToDates(nameOf(certificate), certificate, wallTime);
    if (objection !== undefined) throw new OfferError(objection);
  }
  for (const file of ['cloud.ca.crt', 'cloud.crt', 'cloud.key'] as const) {
    const isReadOnly = ((folder[file]?.mode ?? 0o200) & 0o200) === 0;
    if (isReadOnly) throw new OfferError(`${file} is read-only (its owner has no write permission)`);
  }
  return [
    ...(isUnconfirmed(folder) ? [] : copies(folder)),
    ...keyGiven(leaf, offer.privateKey),
    { kind: 'write', file: 'cloud.ca.crt', text: pemOf(bundle) },
    { kind: 'write', file: 'cloud.crt', text: pemOf([leaf, ...others]) },
    ...keySteps(folder, leaf, offer.privateKey),
  ];
}

function certificatesOf(field: keyof CertificateOffer, pem: string): [X509Certificate, ...X509Certificate[]] {
  let found: readonly X509Certificate[];
  try {
    found = certificatesIn(pem);
  } catch (error) {
    throw new OfferError(`${field}: ${reasonOf(error)}`, { cause: error });
  }
  const [first, ...others] = found;
  if (first === undefined) throw new OfferError(`${field} has no certificate in it: PEM is expected`);
  if (found.length > MOST_CA_CERTIFICATES) {
    throw new OfferError(`${field} has ${found.length} certificates: at most ${MOST_CA_CERTIFICATES} are allowed`);
  }
  return [first, ...others];
}

const nameOf = (certificate: X509Certificate) => `the certificate ${subjectOf(certificate)}`;

/** A CA that makes the keys of its hosts itself. */
function keyGiven(leaf: X509Certificate, pem: string): readonly FileStep[] {
  if (pem === '') return [];
  try {
    const key = createPrivateKey(pem);
    if (!leaf.checkPrivateKey(key)) throw new Error('it does not fit the certificate');
    return [...remove('cloud.key.new'), { kind: 'write', file: 'cloud.key.new', text: pemOfKey(key) }];
  } catch (error) {
    throw new OfferError(`privateKey: ${peerText(reasonOf(error))}`, { cause: error });
  }
}

/** The last step: until it, the certificate and the key in use do not fit if the key is a new one. */
function keySteps(folder: Folder, leaf: X509Certificate, given: string): readonly FileStep[] {
  const fits = (file: KeyFile) => {
    const found = privateKeyOf(folder[file]);
    return 'key' in found && leaf.checkPrivateKey(found.key);
  };
  if (given !== '' || fits('cloud.key.new')) return [{ kind: 'move', file: 'cloud.key.new', to: 'cloud.key' }];
  if (fits('cloud.key')) return [];
  throw new OfferError(`${nameOf(leaf)} fits no key of this agent`);
}

/** What is there now, kept until the new files have worked. */
function copies(folder: Folder): readonly FileStep[] {
  const copy = (file: CertificateFile, to: CertificateFile): readonly FileStep[] => {
    const found = folder[file];
    return found === undefined ? [] : [{ kind: 'write', file: to, text: found.text }];
  };
  return [
    ...remove('cloud.key.old', 'cloud.crt.old'),
    ...copy('cloud.key', 'cloud.key.old'),
    ...copy('cloud.crt', 'cloud.crt.old'),
    { kind: 'write', file: 'cloud.ca.crt.old', text: folder['cloud.ca.crt']?.text ?? '' },
  ];
}

/** Whether no server has accepted the last installed files yet. */
export function isUnconfirmed(folder: Folder): boolean {
  return folder['cloud.ca.crt.old'] !== undefined;
}

/** A server has accepted the new files. */
export function confirmation(folder: Folder): readonly FileStep[] {
  return isUnconfirmed(folder) ? remove('cloud.ca.crt.old', 'cloud.crt.old', 'cloud.key.old') : [];
}

/** The new files do not work: those before come back. Without a certificate before, there is none again. */
export function takingBack(folder: Folder): readonly FileStep[] {
  const bundle = folder['cloud.ca.crt.old'];
  if (bundle === undefined) return [];
  const certificate = folder['cloud.crt.old'];
  const steps: FileStep[] = [];
  if (certificate === undefined) steps.push(...remove('cloud.crt'));
  else steps.push({ kind: 'write', file: 'cloud.crt', text: certificate.text });
  const key = folder['cloud.key.old'];
  if (key !== undefined && key.text !== folder['cloud.key']?.text) {
    steps.push({ kind: 'move', file: 'cloud.key.old', to: 'cloud.key' });
  }
  if (bundle.text === '') steps.push(...remove('cloud.ca.crt'));
  else steps.push({ kind: 'write', file: 'cloud.ca.crt', text: bundle.text });
  return [...steps, ...remove('cloud.ca.crt.old', 'cloud.crt.old', 'cloud.key.old')];
}

/** What is to be done at the start of a process, after another one has ended at any moment. */
export function recovery(folder: Folder): readonly FileStep[] {
  const fits = (key: CertificateFile) => isInUse(ownCertificateOf(folder, { certificate: 'cloud.crt', key }));
  // Before the last step of an installation.
  if (!fits('cloud.key') && fits('cloud.key.new')) {
    return [{ kind: 'move', file: 'cloud.key.new', to: 'cloud.key' }];
  }
  // In the middle of an installation or of taking one back. Without a certificate before, there is no other sign of it.
  if (isUnconfirmed(folder)) return fits('cloud.key') ? [] : takingBack(folder);
  return folder['cloud.crt.old'] || folder['cloud.key.old'] ? remove('cloud.crt.old', 'cloud.key.old') : [];
}

function remove(...files: readonly CertificateFile[]): readonly FileStep[] {
  return files.map(file => ({ kind: 'remove', file }));
}
