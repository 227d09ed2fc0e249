import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { reasonOf } from '../../lib/errors.js';
import { certificatesIn, pemOf } from '../../lib/pem.js';
import { secureContext } from '../../protocol/index.js';
import type { CertificateFile, FileFound, Folder } from './folder.js';

/** The certificate of this host, with its key. */
export interface OwnCertificate {
  /** The certificate itself, followed by those that lead to its CA. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]];
  readonly certPem: string;
  readonly keyPem: string;
  /** For handshakes: it presents the certificate, and knows the CA that was given. */
  readonly context: SecureContext;
}

/** Why the certificate of a folder cannot be used. */
export interface Unusable {
  readonly file: CertificateFile;
  readonly why: string;
  /** What to do about it. */
  readonly remedy: string;
}

/**
 * Looks whether a certificate and a key can be presented: the key can be read, only by its owner, is not encrypted, and is
 * that of the certificate. PKCS#1, PKCS#8 and SEC1 are read. Dates do not count: a server decides about them.
 * @param files of which folder entries the certificate and the key are
 * @param ca a bundle in PEM
 * @returns undefined when there is no certificate
 */
export function ownCertificateOf(
  folder: Folder,
  files: { readonly certificate: CertificateFile; readonly key: CertificateFile } = IN_USE,
  ca = '',
): { own: OwnCertificate } | { unusable: Unusable } | undefined {
  const found = folder[files.certificate];
  if (found === undefined) return undefined;
  const unusable = (file: CertificateFile, why: string, remedy: string) => ({ unusable: { file, why, remedy } });
  let chain: readonly X509Certificate[];
  try {
    if (found.unreadable !== undefined) throw new Error(`cannot be read: ${found.unreadable}`);
    chain = certificatesIn(found.text);
  } catch (error) {
    return unusable(files.certificate, reasonOf(error), ANEW);
  }
  const [leaf, ...others] = chain;
  if (leaf === undefined) return unusable(files.certificate, 'has no certificate in it: PEM is expected', ANEW);
  const key = privateKeyOf(folder[files.key]);
  if ('why' in key) return unusable(files.key, key.why, key.remedy);
  if (!leaf.checkPrivateKey(key.key)) {
    return unusable(files.key, `does not fit ${files.certificate}: it is the key of another certificate`, ANEW);
  }
  const certPem = pemOf(chain);
  const keyPem = pemOfKey(key.key);
  try {
    const context = secureContext({ ca, cert: certPem, key: keyPem });
    return { own: { chain: [leaf, ...others], certPem, keyPem, context } };
  } catch (error) {
    return unusable(files.certificate, `OpenSSL does not take it: ${reasonOf(error)}`, ANEW);
  }
}

export const IN_USE = { certificate: 'cloud.crt', key: 'cloud.key' } as const;
const ANEW = 'put the right pair there, or remove cloud.crt and cloud.key to be given new ones';

/** A private key that a file has, or why it cannot be used. */
export function privateKeyOf(
  found: FileFound | undefined,
): { readonly key: KeyObject } | { readonly why: string; readonly remedy: string } {
  if (found === undefined) return { why: 'there is none', remedy: ANEW };
  if (found.unreadable !== undefined) {
    return { why: `cannot be read: ${found.unreadable}`, remedy: "chown it to the agent's user" };
  }
  if ((found.mode & 0o077) !== 0) {
    return {
      why: 'others than its owner may read it',
      remedy: 'chmod 600; if others have read it, have a new one made',
    };
  }
  if (/ENCRYPTED/.test(found.text)) {
    return { why: 'is encrypted', remedy: 'decrypt it: openssl pkey -in cloud.key -out …' };
  }
  try {
    return { key: createPrivateKey(found.text) };
  } catch (error) {
    return { why: `cannot be read: ${reasonOf(error)}`, remedy: ANEW };
  }
}

/** PKCS#8. */
export function pemOfKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
