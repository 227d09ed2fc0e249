import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { DetailedPeerCertificate, SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '../lib/clock.js';
import { codeOf, reasonOf } from '../lib/errors.js';
import { writeFileAtomic } from '../lib/files/atomic-file.js';
import type { Log } from '../lib/logger.js';
import { peerText } from '../lib/peer-text.js';
import { certificatesIn, pemOf } from '../lib/pem.js';
import { secureContext } from '../protocol/index.js';

/**
 * The agent does not trust this server, or cannot use the file of the known CA. A dial ends with it.
 * @example
 * if (error instanceof TrustError) console.log('not trusted:', error.message);
 */
export class TrustError extends Error {
  override readonly name = 'TrustError';
  readonly code = 'SERVER_NOT_TRUSTED';
}

/** The certificates that a server has presented, and what OpenSSL says about them. */
export interface Presented {
  /** The server's own certificate, then the others in the order of the chain. */
  readonly chain: readonly X509Certificate[];
  /** OpenSSL has verified the chain against the bundle. */
  readonly verified: boolean;
  /** Why OpenSSL has not. */
  readonly objection: string | undefined;
}

/**
 * Decides whether a server is trusted: its certificate is byte for byte in the bundle and in date, or its chain
 * verifies against the bundle. Names in the certificate do not count. CloudStack's servers present the CA certificate
 * itself, whose key usage OpenSSL does not accept for a server; so the bytes are compared first.
 * @param wallTime milliseconds since 1970
 * @returns why the server is not trusted; undefined when it is
 */
export function objectionTo(
  presented: Presented,
  bundle: readonly X509Certificate[],
  wallTime: number,
): string | undefined {
  const [own] = presented.chain;
  if (own === undefined) return 'it presented no certificate';
  if (bundle.some(known => known.raw.equals(own.raw))) {
    return objectionToDates('its certificate', own, wallTime);
  }
  if (presented.verified) return undefined;
  const isAboutDates = /NOT_YET_VALID|HAS_EXPIRED/.test(presented.objection ?? '');
  for (const certificate of isAboutDates ? [...presented.chain, ...bundle] : []) {
    const objection = objectionToDates(`its certificate (${subjectOf(certificate)})`, certificate, wallTime);
    if (objection !== undefined) return objection;
  }
  return `its certificate (${subjectOf(own)}) does not verify against the known CA: ${presented.objection ?? 'unknown'}`;
}

/**
 * The certificate to pin when no CA is known: the last one of the chain.
 * @throws TrustError when a certificate is not in date, or not signed by the next one
 */
export function certificateToPin(chain: readonly X509Certificate[], wallTime: number): X509Certificate {
  for (const [index, certificate] of chain.entries()) {
    const objection = objectionToDates(`the certificate ${subjectOf(certificate)}`, certificate, wallTime);
    if (objection !== undefined) throw new TrustError(objection);
    const issuer = chain[index + 1];
    if (issuer !== undefined && !certificate.verify(issuer.publicKey)) {
      throw new TrustError(`the certificate ${subjectOf(certificate)} is not signed by the next one of its chain`);
    }
  }
  const last = chain.at(-1);
  if (last === undefined) throw new TrustError('it presented no certificate');
  return last;
}

/**
 * The CA that an agent trusts: that of `cloud.ca.crt` beside its properties. Without the file it pins the CA of the
 * first server, and writes it there.
 * @example
 * const trust = new Trust('conf/cloud.ca.crt', systemClock, silentLog);
 * await trust.load();
 */
export class Trust {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #bundle: readonly X509Certificate[] = [];
  #context: SecureContext = secureContext({});

  constructor(file: string, clock: Clock, log: Log) {
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
  }

  /** The TLS settings for a handshake, with the bundle as the CA. */
  get context(): SecureContext {
    return this.#context;
  }

  /**
   * Reads the file. Without one, the CA of the next server is pinned.
   * @throws TrustError when the file cannot be read or has no valid certificate; the former bundle is kept then
   */
  async load(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return;
      throw new TrustError(`cannot read ${this.#file}: ${reasonOf(cause)}`, { cause });
    }
    this.#use(bundleIn(text, this.#file));
  }

  /** Decides about a server, after the handshake and before the first packet. @throws TrustError */
  judge(peer: TLSSocket): void {
    const presented = presentedBy(peer);
    if (this.#bundle.length === 0) {
      this.#pin(certificateToPin(presented.chain, this.#clock.wallTime()));
      return;
    }
    const why = objectionTo(presented, this.#bundle, this.#clock.wallTime());
    if (why !== undefined) throw new TrustError(`${why}; the known CA is in ${this.#file}`);
  }

  #pin(certificate: X509Certificate): void {
    this.#use([certificate]);
    this.#log.warn('No CA known yet: pinned the one that this server presents; from now on only it is trusted', {
      subject: subjectOf(certificate),
      fingerprint: certificate.fingerprint256,
      file: this.#file,
    });
    writeFileAtomic(this.#file, certificate.toString(), { mode: 0o644 }).catch(error =>
      this.#log.error('Cannot write the pinned CA: it is kept in memory', {
        file: this.#file,
        reason: reasonOf(error),
      }),
    );
  }

  #use(bundle: readonly X509Certificate[]): void {
    this.#bundle = bundle;
    this.#context = secureContext({ ca: pemOf(bundle) });
  }
}

/** The certificates of a bundle. @throws TrustError when there is none in it, or one cannot be read */
export function bundleIn(pem: string, file: string): X509Certificate[] {
  let bundle: X509Certificate[];
  try {
    bundle = certificatesIn(pem);
  } catch (cause) {
    throw new TrustError(`${file}: ${reasonOf(cause)}`, { cause });
  }
  if (bundle.length === 0) throw new TrustError(`${file} has no certificate in it: PEM is expected`);
  return bundle;
}

/** The certificates that a peer has presented in the handshake. */
export function presentedBy(peer: TLSSocket): Presented {
  return {
    chain: chainOf(peer.getPeerCertificate(true)),
    verified: peer.authorized,
    objection: peer.authorizationError ? String(peer.authorizationError) : undefined,
  };
}

/** Node gives each certificate its issuer's; a self-signed one has itself. */
function chainOf(peer: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at: DetailedPeerCertificate | undefined = peer;
  while (at?.raw !== undefined) {
    chain.push(new X509Certificate(at.raw));
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return chain;
}

/** In every objection to a certificate whose time has not come. */
export const NOT_YET_VALID = 'is not valid before';

/** Why a certificate cannot be used at this time; undefined when it can. */
function objectionToDates(what: string, { validFrom, validTo }: X509Certificate, wallTime: number): string | undefined {
  if (wallTime < Date.parse(validFrom)) {
    const now = new Date(wallTime).toISOString();
    return `${what} ${NOT_YET_VALID} ${validFrom}: this machine's clock says ${now}; one of the two clocks is wrong`;
  }
  return wallTime > Date.parse(validTo) ? `${what} is not in date: it ended ${validTo}` : undefined;
}

/** Whom a certificate names, for a person to read. It may be a stranger's, who has written what he likes. */
export function subjectOf(certificate: X509Certificate): string {
  return distinguishedName(certificate.subject);
}

/** Likewise, who has issued it. */
export function issuerOf(certificate: X509Certificate): string {
  return distinguishedName(certificate.issuer);
}

function distinguishedName(lines: string): string {
  return peerText(lines.replaceAll('\n', ', '));
}
