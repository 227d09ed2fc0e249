import type { X509Certificate } from 'node:crypto';
import type { Clock } from '../../lib/clock.js';
import type { Random } from '../../lib/random.js';
import type { NewAuthority } from '../store/store.js';
import type { CertificateRequest } from './certificate-request.js';

/**
 * The certificate authority of the cluster, as it is now: one may take the place of another while servers run. Every server
 * has its key, and can issue. Texts are PEM, fingerprints SHA-256 in hex.
 */
export interface Ca extends Issuing {
  /** Of the certificate that signs. */
  readonly fingerprint: string;
  /** Whether it is the one that the cluster issues with: servers that are given one in files may be behind or ahead. */
  readonly isCurrent: boolean;
  /** What a server presents behind its own certificate. */
  readonly chainPem: string;
  /** The last signing certificate of what servers present: enrolment tokens name it. */
  readonly anchorFingerprint: string;
  /** Whose certificates are let in, agents' and servers'. */
  readonly signers: readonly X509Certificate[];
  /** They, and what leads from them to their roots, PEM. */
  readonly signersPem: string;
  /** What agents and clients trust. */
  readonly bundle: CaBundle;
  /**
   * A CA that can take the place of this one, and its key, if it is not given.
   * @param given its certificate, and what leads to its root, PEM. @default one is made
   * @throws Error: this CA has no successor
   */
  successor(given?: string): Promise<NewAuthority>;
  /**
   * Reads what the store has, when that is newer.
   * @param generation `Configuration.authorities`
   * @returns whether something has changed
   * @throws StoreError
   */
  follow(generation: number): Promise<boolean>;
  /** @param listener called after each change */
  onChange(listener: () => void): void;
}

/** All whom agents shall trust. */
export interface CaBundle {
  /** What agents get as `cloud.ca.crt`. */
  readonly pem: string;
  /** Which one it is: a later one is greater. */
  readonly generation: number;
}

/** What a CA signs. */
export interface Issuing {
  /**
   * Reads a certificate request, and verifies that its sender has the key.
   * @param pem what a peer or an operator has sent @throws CertificateRequestError
   */
  readRequest(pem: string): Promise<CertificateRequest>;
  /** A certificate and its new key, valid for a year. */
  issueServerCertificate(server: ServerIdentity): Promise<IssuedServerCertificate>;
  /** For one of Muster's agents: it names its host, and nothing of what the request says but the common name. */
  issueHostCertificate(request: CertificateRequest, host: HostIdentity): Promise<Issued>;
  /**
   * As CloudStack issues them: without usages, because libvirt serves with the same files, for addresses and names that are
   * given; those of the request are not taken over.
   */
  issueAddressCertificate(request: CertificateRequest, subject: AddressIdentity): Promise<Issued>;
}

/** What a server's certificate says. */
export interface ServerIdentity {
  /** Addresses and names under which agents dial the server; at least one. */
  readonly addresses: readonly string[];
  readonly msid: number;
}

export interface HostIdentity {
  readonly uuid: string;
  /** The common name, if the request has none. */
  readonly name: string;
  readonly validityDays: number;
}

export interface AddressIdentity {
  /** IP addresses. CloudStack's rule admits an agent that comes from one of them. */
  readonly addresses: readonly string[];
  /** DNS names; an address among them is one of the names as well, as in CloudStack. */
  readonly names: readonly string[];
  /** The common name, if the request has none. */
  readonly name: string;
  readonly validityDays: number;
}

/** A certificate that was signed. Moments are milliseconds since 1970. */
export interface Issued {
  readonly certPem: string;
  /** Hex, lower case, without leading zeros. */
  readonly serial: string;
  readonly cn: string;
  /** SHA-256 of the public key (SPKI), hex. */
  readonly keyFingerprint: string;
  /** SHA-256 of the certificate that signed it, hex. */
  readonly issuerFingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface IssuedServerCertificate extends Issued {
  /** What a server presents: its certificate, and what leads from it to what agents trust or pin. */
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface CaParts {
  readonly clock: Clock;
  readonly random: Random;
}
