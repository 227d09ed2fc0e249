/** The certificates that the servers have issued, and which of all certificates are revoked. Fingerprints are SHA-256 in hex, lower case. */
export interface CertificateStore {
  /** A certificate was issued, and is about to be handed out. */
  addCertificate(certificate: NewCertificate): Promise<void>;
  /**
   * Their holders have them: they have confirmed it, or presented them. Those of which it is known stay as they are, and
   * serials that were not issued here are passed over.
   * @param serials at most `ROWS_A_PAGE`
   */
  certificatesInstalled(serials: readonly string[], at: number): Promise<void>;
  certificate(serial: string): Promise<CertificateRow | undefined>;
  /** For each host the newest certificate that its agent is known to have. @param hostIds at most `ROWS_A_PAGE` */
  hostCertificates(hostIds: readonly number[]): Promise<readonly HostCertificateRow[]>;
  /** Certificates that ended before `at`; at most 1,000 a call. Revocations stay. @returns how many went */
  deleteCertificatesBefore(at: number): Promise<number>;

  /**
   * Nobody is let in with this certificate any more, whoever issued it. Raises `Configuration.revocation`.
   * @returns false when it was revoked already
   */
  revokeCertificate(revocation: NewRevocation): Promise<boolean>;
  /** The revocations beyond one, by ascending id; at most `ROWS_A_PAGE`. @param after an id; 0: from the first */
  revocations(after: number): Promise<readonly Revocation[]>;

  /**
   * Binds a certificate that names no host to the guid that is first seen with it. The first writer wins.
   * @param fingerprint of the certificate
   * @returns the guid that it is bound to
   */
  bindCertificate(fingerprint: string, guid: string, at: number): Promise<string>;
}

/**
 * `host`: of one of Muster's agents, names its host. `address`: of a CloudStack agent, with its addresses and no host.
 * `server`: of a management server. `csr`: for whoever sent a request through the API.
 */
export type CertificateKind = 'host' | 'address' | 'server' | 'csr';

/** Moments are milliseconds since 1970, by the clock of the server that issued it. */
export interface NewCertificate {
  /** Hex, lower case, without leading zeros. */
  readonly serial: string;
  readonly kind: CertificateKind;
  readonly hostId: number | null;
  readonly guid: string | null;
  /** Of its subject. */
  readonly cn: string;
  /** Of its public key, as SPKI. */
  readonly keyFingerprint: string;
  /** Of the certificate that signed it. */
  readonly issuerFingerprint: string;
  /** `Configuration.authorities` of the CA certificates that it was handed out with. */
  readonly bundle: number;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly created: number;
}

export interface CertificateRow extends NewCertificate {
  /** When it was first known that its holder has it; null: not yet. */
  readonly installed: number | null;
  readonly revoked: number | null;
}

export interface HostCertificateRow extends CertificateRow {
  readonly hostId: number;
}

export interface NewRevocation {
  /** Hex, lower case, without leading zeros. */
  readonly serial: string;
  /** As the operator gave it; null: not given. */
  readonly cn: string | null;
  readonly by: string | null;
  readonly at: number;
}

export interface Revocation {
  /** Ascending: the first one is 1. */
  readonly id: number;
  readonly serial: string;
}
