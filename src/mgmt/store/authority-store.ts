/**
 * The CAs of the cluster: at most two that count, while one takes the place of the other. Fingerprints are SHA-256 of the
 * certificate that signs, in hex, lower case.
 */
export interface AuthorityStore {
  /** All that there ever were, oldest first. */
  authorities(): Promise<readonly AuthorityRow[]>;
  /** The first CA of a cluster, in state `issuing`. The first writer wins; nothing is written when there is one. */
  addFirstAuthority(authority: FirstAuthority): Promise<void>;
  /**
   * A CA that agents are to trust from now on, in state `introduced`.
   * @returns its generation; undefined: another one is introduced, or not dropped yet, and nothing was written
   */
  introduceAuthority(authority: NewAuthority): Promise<number | undefined>;
  /**
   * The introduced CA issues from now on, and the former one is trusted still.
   * @returns false when none with this fingerprint is introduced
   */
  switchAuthority(fingerprint: string, at: number): Promise<boolean>;
  /**
   * A CA that does not issue is trusted no longer, and its key is deleted.
   * @returns false when there is none with this fingerprint in state `introduced` or `trusted`
   */
  dropAuthority(fingerprint: string, at: number): Promise<boolean>;
  /**
   * Which hosts with certificates in force have confirmed none that came with a bundle as new as `generation` and, where a
   * CA is named, from that. A certificate that was never confirmed counts as one that the host may have.
   */
  hostsBehindAuthority(wanted: WantedAuthority): Promise<HostsBehind>;
}

/** `introduced`: agents are to trust it. `issuing`: it signs. `trusted`: it signed before. `dropped`: it does not count. */
export type AuthorityState = 'introduced' | 'issuing' | 'trusted' | 'dropped';

export interface FirstAuthority {
  readonly fingerprint: string;
  /** PEM: its certificate, and what leads from it to its root. */
  readonly chainPem: string;
  /** The name of the secret that is its certificate and key, sealed; null: servers have the key in files. */
  readonly secret: string | null;
  /** Milliseconds since 1970. */
  readonly created: number;
}

export interface NewAuthority extends FirstAuthority {
  /** Its certificate as the CA has signed it that issued then, PEM. */
  readonly crossPem: string;
  /** What `secret` names. */
  readonly sealed: Uint8Array | null;
}

export interface AuthorityRow extends FirstAuthority {
  readonly crossPem: string | null;
  readonly state: AuthorityState;
  /** `Configuration.authorities` when it was introduced; 0 for the first. */
  readonly generation: number;
  /** When it came into its state. Milliseconds since 1970. */
  readonly changed: number;
}

export interface WantedAuthority {
  readonly generation: number;
  readonly fingerprint?: string | undefined;
}

export interface HostsBehind {
  /** How many in all. */
  readonly count: number;
  /** How many of them are Up. */
  readonly up: number;
  /** Names of some of them, those that are Up first. */
  readonly names: readonly string[];
}
