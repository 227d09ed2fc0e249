import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { chainTo, includes, isIssuer, objectionToDates } from '../../lib/chain.js';
import { reasonOf } from '../../lib/errors.js';
import { certificatesIn } from '../../lib/pem.js';
import { hostUuidOf, namesServer, subjectOf } from '../../protocol/certificate-names.js';

/**
 * The agent does not trust this server, or cannot use the file of the known CA. A dial ends with it.
 * @example
 * if (error instanceof TrustError) console.log('not trusted:', error.message);
 */
export class TrustError extends Error {
  override readonly name = 'TrustError';
  /** What is wrong, for programs. docs/errors.md has every code. */
  readonly code = 'SERVER_NOT_TRUSTED';
}

/** The certificates that a server has presented, and what OpenSSL says about them. */
export interface Presented {
  /** The server's own certificate, then the others in the order of the handshake. */
  readonly chain: readonly X509Certificate[];
  /** OpenSSL has verified the chain against the bundle. */
  readonly verified: boolean;
  /** Why OpenSSL has not. */
  readonly objection: string | undefined;
}

/** What an agent judges servers by. */
export interface KnownCa {
  /** The certificates of `cloud.ca.crt`. */
  readonly bundle: readonly X509Certificate[];
  /** The agent's own certificate, followed by those that lead to its CA; empty without one. Hardly any judgement needs them. */
  own(): readonly X509Certificate[];
}

/**
 * Decides whether a server is trusted: its certificate is byte for byte in the bundle and in date, or its chain
 * verifies against the bundle. Names in the certificate do not count, with one exception: the CA that has issued a
 * certificate to this host says in its certificates who is a server, and an agent is none. CloudStack's servers present
 * the CA certificate itself, whose key usage OpenSSL does not accept for a server; so the bytes are compared first.
 * @param wallTime milliseconds since 1970
 * @returns why the server is not trusted; undefined when it is
 */
export function objectionTo(presented: Presented, { bundle, own }: KnownCa, wallTime: number): string | undefined {
  const [leaf, ...others] = presented.chain;
  if (leaf === undefined) return 'it presented no certificate';
  if (hostUuidOf(leaf) !== undefined) return isAgents(leaf);
  if (includes(bundle, leaf)) return objectionToDates('its certificate', leaf, wallTime);
  if (presented.verified) {
    const isOfOurCa =
      !namesServer(leaf) && chainTo(leaf, [...others, ...bundle], issuersOf(own(), bundle)) !== undefined;
    return isOfOurCa ? `its certificate (${subjectOf(leaf)}) is not one of a management server` : undefined;
  }
  const isAboutDates = /NOT_YET_VALID|HAS_EXPIRED/.test(presented.objection ?? '');
  for (const certificate of isAboutDates ? [...presented.chain, ...bundle] : []) {
    const objection = objectionToDates(`its certificate (${subjectOf(certificate)})`, certificate, wallTime);
    if (objection !== undefined) return objection;
  }
  return `its certificate (${subjectOf(leaf)}) does not verify against the known CA: ${presented.objection ?? 'unknown'}`;
}

/** The certificates of the CA that has issued this host's certificate, if that names the host. */
function issuersOf([leaf, ...others]: readonly X509Certificate[], bundle: readonly X509Certificate[]) {
  if (leaf === undefined || hostUuidOf(leaf) === undefined) return [];
  return [...bundle, ...others].filter(other => isIssuer(other, leaf));
}

function isAgents(leaf: X509Certificate): string {
  return `its certificate (${subjectOf(leaf)}) is one of an agent: this is no management server`;
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/**
 * Decides whether a server is one of the CA that an enrolment token names: the chain leads to that CA, is in date, and the
 * certificate is a server's.
 * @param isCa whether a certificate is that of the CA
 * @returns why it is not; undefined when it is
 */
export function objectionToFirstContact(
  chain: readonly X509Certificate[],
  isCa: (certificate: X509Certificate) => boolean,
  wallTime: number,
): string | undefined {
  const [leaf, ...others] = chain;
  if (leaf === undefined) return 'it presented no certificate';
  const path = chainTo(leaf, others, chain.filter(isCa));
  if (path === undefined) {
    return `its certificate (${subjectOf(leaf)}) does not lead to the CA that enrollment.token names; is the token one of these servers?`;
  }
  for (const certificate of path) {
    const objection = objectionToDates(`its certificate (${subjectOf(certificate)})`, certificate, wallTime);
    if (objection !== undefined) return objection;
  }
  if (hostUuidOf(leaf) !== undefined) return isAgents(leaf);
  const isServer = path.length === 1 || namesServer(leaf) || usagesOf(leaf).includes(SERVER_AUTH);
  return isServer ? undefined : `its certificate (${subjectOf(leaf)}) is not one of a management server`;
}

/** The extended key usages; none when the certificate has no such extension, which Node's types do not say. */
function usagesOf({ keyUsage }: { readonly keyUsage: readonly string[] | undefined }): readonly string[] {
  return keyUsage ?? [];
}

/**
 * The certificate to pin when no CA is known: the last one of the chain.
 * @throws TrustError when a certificate is not in date, or not signed by the next one, or the first one is an agent's
 */
export function certificateToPin(chain: readonly X509Certificate[], wallTime: number): X509Certificate {
  const [leaf] = chain;
  if (leaf !== undefined && hostUuidOf(leaf) !== undefined) throw new TrustError(isAgents(leaf));
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

/** The certificates that a server has presented in the handshake. Once for each: Node takes them out of its TLS socket. */
export function presentedBy(peer: TLSSocket): Presented {
  return {
    chain: chainOf(peer.getPeerX509Certificate()),
    verified: peer.authorized,
    objection: peer.authorizationError ? String(peer.authorizationError) : undefined,
  };
}

/**
 * The chain of the server's certificate as Node orders it: each is followed by its issuer, also one that was not presented and is known to
 * Node. Before `presentedBy`, which takes them out.
 */
export function issuerChainOf(peer: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at: DetailedPeerCertificate | undefined = peer.getPeerCertificate(true);
  while (at?.raw !== undefined) {
    chain.push(new X509Certificate(at.raw));
    // A self-signed one has itself.
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return chain;
}

/** What was presented in the order of the handshake: Node gives each certificate the next one as its issuer's. */
function chainOf(leaf: X509Certificate | undefined): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let at = leaf; at !== undefined; at = at.issuerCertificate) chain.push(at);
  return chain;
}
