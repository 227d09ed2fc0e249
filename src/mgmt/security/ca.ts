import type { Clock } from '../../lib/clock.js';
import type { Random } from '../../lib/random.js';
import type { CertificateRequest } from './certificate-request.js';

/** The certificate authority of the cluster. Every server has its key, and can issue. Texts are PEM. */
export interface Ca {
  /** The certificate that signs. */
  readonly certPem: string;
  /** It, and what leads from it to its root: what a server presents behind its own certificate. */
  readonly chainPem: string;
  /** What agents get as `cloud.ca.crt`: all whom they shall trust. */
  readonly bundlePem: string;
  /** SHA-256 of the certificate that signs, hex. */
  readonly fingerprint: string;
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
  /** What a server presents: its certificate and the CA's, because an agent without a CA pins the one that it gets. */
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface CaParts {
  readonly clock: Clock;
  readonly random: Random;
}
