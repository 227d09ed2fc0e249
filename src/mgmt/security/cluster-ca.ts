// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { ConfigError } from '../../lib/errors.js';
import { certificatesIn, pemOf } from '../../lib/pem.js';
import type { AuthorityRow, NewAuthority, Store } from '../store/store.js';
import { viewOf } from './authorities.js';
import type {
  AddressIdentity,
  Ca,
  CaBundle,
  CaParts,
  HostIdentity,
  Issued,
  IssuedServerCertificate,
  ServerIdentity,
} from './ca.js';
import type { CertificateRequest } from './certificate-request.js';
import { sha256Hex } from './fingerprint.js';
import { CA_NAME, makeRoot, rootIn } from './root.js';
import type { SealingKey } from './sealing-key.js';
import { type SigningCa, signingCa } from './signing-ca.js';

export interface ClusterCaParts extends CaParts {
  readonly store: Pick<Store, 'configuration' | 'secret' | 'createSecret' | 'authorities' | 'addFirstAuthority'>;
  readonly sealingKey: SealingKey;
  /** The CA in this server's files. @default none: that of the store */
  readonly given?: SigningCa | undefined;
  /** Whom agents shall trust besides, PEM. @default nobody */
  readonly alsoTrusted?: string | undefined;
}

/** What is made of the rows, once for each generation. */
interface Snapshot {
  readonly signing: SigningCa;
  readonly isCurrent: boolean;
  readonly chainPem: string;
  readonly anchorFingerprint: string;
  readonly signers: readonly X509Certificate[];
  readonly signersPem: string;
  readonly bundle: CaBundle;
}

/** The secret of the first CA. */
const FIRST_SECRET = 'ca';

/**
 * The CA of a cluster, which the servers share through the store: its rows say which CAs count, and sealed secrets are their
 * keys. The first server makes the first one. An operator's own CA has its key in files of the servers.
 */
export class ClusterCa implements Ca {
  readonly #parts: ClusterCaParts;
  readonly #listeners: (() => void)[] = [];
  #now: Snapshot;

  private constructor(parts: ClusterCaParts, now: Snapshot) {
    this.#parts = parts;
    this.#now = now;
  }

  /** @throws StoreError; FatalError KEY_FILE_UNUSABLE; ConfigError: this server is given none, or another one than it needs */
  static async open(parts: ClusterCaParts): Promise<ClusterCa> {
    const { store, given } = parts;
    const { authorities } = await store.configuration();
    let rows = await store.authorities();
    if (rows.length === 0) {
      await addFirst(parts);
      rows = await store.authorities();
    }
    const now = await snapshotOf(rows, authorities, parts);
    if (now !== undefined) return new ClusterCa(parts, now);
    const issuing = rows.find(({ state }) => state === 'issuing')?.fingerprint ?? '';
    if (given === undefined) {
      throw new ConfigError(
        'ca.cert',
        '',
        `the cluster's CA is given in files: the one with SHA-256 ${issuing} is needed`,
      );
    }
    const remedy = 'introduceCertificateAuthority introduces another one';
    throw new ConfigError('ca.cert', given.fingerprint, `agents trust the CA with SHA-256 ${issuing}: ${remedy}`);
  }

  get fingerprint(): string {
    return this.#now.signing.fingerprint;
  }

  get isCurrent(): boolean {
    return this.#now.isCurrent;
  }

  get chainPem(): string {
    return this.#now.chainPem;
  }

  get anchorFingerprint(): string {
    return this.#now.anchorFingerprint;
  }

  get signers(): readonly X509Certificate[] {
    return this.#now.signers;
  }

  get signersPem(): string {
    return this.#now.signersPem;
  }

  get bundle(): CaBundle {
    return this.#now.bundle;
  }

  readRequest(pem: string): Promise<CertificateRequest> {
    return this.#now.signing.readRequest(pem);
  }

  async issueServerCertificate(server: ServerIdentity): Promise<IssuedServerCertificate> {
    const { signing, chainPem } = this.#now;
    const issued = await signing.issueServerCertificate(server);
    return { ...issued, chainPem: issued.certPem + chainPem };
  }

  issueHostCertificate(request: CertificateRequest, host: HostIdentity): Promise<Issued> {
    return this.#now.signing.issueHostCertificate(request, host);
  }

  issueAddressCertificate(request: CertificateRequest, subject: AddressIdentity): Promise<Issued> {
    return this.#now.signing.issueAddressCertificate(request, subject);
  }

  async successor(given?: string): Promise<NewAuthority> {
    const { clock, sealingKey } = this.#parts;
    const { signing } = this.#now;
    const created = clock.wallTime();
    if (given !== undefined) {
      const chain = certificatesIn(given);
      return { ...(await crossed(signing, chain)), secret: null, sealed: null, created };
    }
    // Two CAs with one name are hard to tell apart, for people and for some programs.
    const root = await makeRoot(`${CA_NAME} ${new Date(created).toISOString().slice(0, 10)}`, this.#parts);
    const authority = await crossed(signing, certificatesIn(root));
    const secret = `${FIRST_SECRET}.${authority.fingerprint}`;
    return { ...authority, secret, sealed: sealingKey.seal(secret, Buffer.from(root)), created };
  }

  async follow(generation: number): Promise<boolean> {
    if (generation <= this.#now.bundle.generation) return false;
    const next = await snapshotOf(await this.#parts.store.authorities(), generation, this.#parts, this.#now.signing);
    if (next === undefined) return false;
    this.#now = next;
    for (const listener of this.#listeners) listener();
    return true;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

/** The CA that is given, or one that is made and whose key the store keeps. */
async function addFirst({ store, sealingKey, given, ...parts }: ClusterCaParts): Promise<void> {
  const created = parts.clock.wallTime();
  if (given !== undefined) {
    const { fingerprint, chainPem } = given;
    return store.addFirstAuthority({ fingerprint, chainPem, secret: null, created });
  }
  const sealed =
    (await store.secret(FIRST_SECRET)) ??
    // Another server may make one at the same time: the store keeps the first.
    (await store.createSecret(
      FIRST_SECRET,
      sealingKey.seal(FIRST_SECRET, Buffer.from(await makeRoot(CA_NAME, parts))),
    ));
  const { fingerprint, chainPem } = await unsealed(FIRST_SECRET, sealed, sealingKey, parts);
  await store.addFirstAuthority({ fingerprint, chainPem, secret: FIRST_SECRET, created });
}

async function crossed(signing: SigningCa, chain: readonly X509Certificate[]) {
  const [certificate] = chain;
  if (certificate === undefined) throw new Error('there is no certificate');
  return {
    fingerprint: sha256Hex(certificate.raw),
    chainPem: pemOf(chain),
    crossPem: await signing.crossSign(new x509.X509Certificate(certificate.raw)),
  };
}

/** @param former what is not unsealed again @returns undefined: this server can sign with none that counts */
async function snapshotOf(
  rows: readonly AuthorityRow[],
  generation: number,
  { store, sealingKey, given, alsoTrusted = '', ...parts }: ClusterCaParts,
  former?: SigningCa,
): Promise<Snapshot | undefined> {
  const view = viewOf(rows, given?.fingerprint);
  if (view === undefined) return undefined;
  const { signing: row, isCurrent, trusted, voucher } = view;
  let signing = [given, former].find(known => known?.fingerprint === row.fingerprint);
  if (signing === undefined && row.secret !== null) {
    const sealed = await store.secret(row.secret);
    // It was dropped just now: the next generation says so.
    if (sealed === undefined) return undefined;
    signing = await unsealed(row.secret, sealed, sealingKey, parts);
  }
  if (signing === undefined) return undefined;
  const signersPem = trusted.map(({ chainPem }) => chainPem).join('');
  return {
    ...{ signing, isCurrent, signersPem },
    chainPem: voucher === undefined ? row.chainPem : `${row.crossPem}${voucher.chainPem}`,
    anchorFingerprint: (voucher ?? row).fingerprint,
    signers: trusted.map(({ chainPem }) => new X509Certificate(chainPem)),
    bundle: { pem: distinct(signersPem + alsoTrusted), generation },
  };
}

async function unsealed(name: string, sealed: Uint8Array, key: SealingKey, parts: CaParts): Promise<SigningCa> {
  return signingCa(await rootIn(Buffer.from(key.unseal(name, sealed)).toString()), parts);
}

/** The same PEM text, with each certificate once. */
function distinct(pem: string): string {
  const certificates = certificatesIn(pem);
  return pemOf(certificates.filter((one, index) => certificates.findIndex(({ raw }) => raw.equals(one.raw)) === index));
}
