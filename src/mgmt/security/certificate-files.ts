import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.js';
import { ConfigError, codeOf, reasonOf } from '../../lib/errors.js';
import { certificatesIn, PemError, pemOf } from '../../lib/pem.js';
import type { ApiPemFiles, PemFiles } from '../config/settings.js';

/** An operator's own certificates, as read from the files. Texts are PEM. */
export interface CertificateFiles {
  readonly certPem: string;
  /** What a server presents: the certificates of `certFile`, then those of `caFile` that are not among them. */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly caPem: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** Sentences about what agents will refuse: an expired certificate, or one that no certificate of `caFile` has signed. */
  readonly warnings: readonly string[];
}

/** Reads an operator's own certificates for agents. @throws ConfigError that names the setting */
export async function loadCertificateFiles(
  { certFile, keyFile, caFile }: PemFiles,
  { clock }: { readonly clock: Clock },
): Promise<CertificateFiles> {
  const [{ chain, leaf, key }, cas] = await Promise.all([
    chainAndKey('tls', { certFile, keyFile }),
    certificatesOf('tls.ca', caFile),
  ]);
  const presented = [...chain, ...cas.filter(ca => !chain.some(one => one.raw.equals(ca.raw)))];
  return {
    certPem: pemOf([leaf]),
    chainPem: pemOf(presented),
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    caPem: pemOf(cas),
    notAfter: Date.parse(leaf.validTo),
    warnings: [
      ...outOfDate(`tls.cert=${certFile}`, leaf, clock.wallTime()),
      ...cas.flatMap(ca => outOfDate(`tls.ca=${caFile}`, ca, clock.wallTime())),
      ...(isTrusted(leaf, presented, cas)
        ? []
        : [`tls.cert=${certFile}: signed by no certificate of tls.ca=${caFile}`]),
    ],
  };
}

/** Reads an operator's own certificate for the API. @throws ConfigError that names the setting */
export async function loadApiCertificateFiles(
  files: ApiPemFiles,
  { clock }: { readonly clock: Clock },
): Promise<Pick<CertificateFiles, 'chainPem' | 'keyPem' | 'notAfter' | 'warnings'>> {
  const { chain, leaf, key } = await chainAndKey('api.tls', files);
  return {
    chainPem: pemOf(chain),
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    notAfter: Date.parse(leaf.validTo),
    warnings: outOfDate(`api.tls.cert=${files.certFile}`, leaf, clock.wallTime()),
  };
}

async function chainAndKey(prefix: 'tls' | 'api.tls', { certFile, keyFile }: ApiPemFiles) {
  const [chain, key] = await Promise.all([
    certificatesOf(`${prefix}.cert`, certFile),
    privateKeyOf(`${prefix}.key`, keyFile),
  ]);
  const leaf = chain[0];
  if (!leaf.checkPrivateKey(key)) {
    const reason = `is not the key of the first certificate in ${prefix}.cert=${certFile}`;
    throw new ConfigError(`${prefix}.key`, keyFile, reason);
  }
  return { chain, leaf, key };
}

async function textOf(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = codeOf(error) === 'ENOENT' ? 'there is no such file' : `cannot be read: ${reasonOf(error)}`;
    throw new ConfigError(setting, path, reason, { cause: error });
  }
}

/** The certificates of a PEM file. @throws ConfigError */
export async function certificatesOf(
  setting: string,
  path: string,
): Promise<readonly [X509Certificate, ...X509Certificate[]]> {
  const text = await textOf(setting, path);
  let certificates: X509Certificate[];
  try {
    certificates = certificatesIn(text);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw new ConfigError(setting, path, `holds a certificate that cannot be read: ${reasonOf(error.cause)}`, {
      cause: error,
    });
  }
  const [first, ...others] = certificates;
  if (first === undefined) throw new ConfigError(setting, path, 'holds no certificate in PEM form');
  return [first, ...others];
}

/** The private key of a PEM file. @throws ConfigError */
export async function privateKeyOf(setting: string, path: string): Promise<KeyObject> {
  const text = await textOf(setting, path);
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new ConfigError(setting, path, 'holds no private key in PEM form');
  }
  if (/-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw new ConfigError(setting, path, 'is encrypted, and a server that starts by itself has nobody to ask');
  }
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new ConfigError(setting, path, `holds a key that cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** A sentence, if the certificate is not valid now. */
export function outOfDate(where: string, certificate: X509Certificate, now: number): string[] {
  if (now > Date.parse(certificate.validTo)) return [`${where}: expired on ${certificate.validTo}`];
  if (now < Date.parse(certificate.validFrom)) return [`${where}: not valid before ${certificate.validFrom}`];
  return [];
}

/** As agents decide: it is in the list, or a chain of presented certificates leads to one that is. */
function isTrusted(
  leaf: X509Certificate,
  presented: readonly X509Certificate[],
  cas: readonly X509Certificate[],
): boolean {
  const seen = new Set<X509Certificate>();
  for (let at: X509Certificate | undefined = leaf; at !== undefined && !seen.has(at); ) {
    const one: X509Certificate = at;
    if (cas.some(ca => ca.raw.equals(one.raw))) return true;
    seen.add(one);
    at = presented.find(other => other !== one && one.checkIssued(other) && one.verify(other.publicKey));
  }
  return false;
}
