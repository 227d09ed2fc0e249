import type { HostDescription, HostRow } from './host-store.js';
import type { Page, PageQuery } from './page.js';

/** Tokens by which new agents come to their first certificate. The store has their hashes only. */
export interface EnrollmentStore {
  createEnrollmentToken(token: NewEnrollmentToken): Promise<EnrollmentTokenRow>;
  /** Also one that has expired, or was removed. @param hash SHA-256 of the token's secret in hex, lower case */
  enrollmentToken(hash: string): Promise<EnrollmentTokenRow | undefined>;
  /** Those that were not removed, newest first. @param query its page has at most `ROWS_A_PAGE` rows */
  enrollmentTokens(query: PageQuery): Promise<Page<EnrollmentTokenRow>>;
  /** @returns its row as it was; undefined when there was none, or it was removed already */
  removeEnrollmentToken(uuid: string, at: number): Promise<EnrollmentTokenRow | undefined>;
  /**
   * Uses a token, and makes the host's row (`Creating`) if the guid has none; in one transaction. The same guid and key
   * may use it again until it expires, so that an enrolment that was interrupted can be finished.
   * @returns the host that the certificate is to name
   */
  useEnrollmentToken(use: EnrollmentUse): Promise<EnrollmentOutcome>;
  /** Tokens that expired before `at`, by the store's clock, with their uses; at most 1,000 a call. @returns how many went */
  deleteEnrollmentTokensBefore(at: number): Promise<number>;
}

export interface NewEnrollmentToken {
  readonly hash: string;
  /** The name of the zone that its hosts are to be in; null: any. */
  readonly zone: string | null;
  /** Likewise of the cluster. */
  readonly cluster: string | null;
  /** Only for this guid; null: for any that has no certificate in force. */
  readonly guid: string | null;
  /** How many pairs of guid and key may use it. */
  readonly uses: number;
  /** It expires so long after it was made, by the store's clock. */
  readonly validForMs: number;
  readonly createdBy: string | null;
}

/** Moments are by the store's clock. */
export interface EnrollmentTokenRow extends Omit<NewEnrollmentToken, 'validForMs'> {
  readonly id: number;
  readonly uuid: string;
  readonly used: number;
  readonly created: number;
  readonly expires: number;
  /** Whether it had expired when the row was read. */
  readonly isExpired: boolean;
  readonly removed: number | null;
}

export interface EnrollmentUse {
  readonly hash: string;
  /** SHA-256 of the agent's public key (SPKI) in hex, lower case. */
  readonly keyFingerprint: string;
  /** What the agent says of its host: for its row, if there is none. */
  readonly host: HostDescription;
}

/**
 * `unknown`: there is no such token. `other-guid`: it is for another guid. `spent`: others have used it as often as
 * allowed. `certified`: the guid's host has a certificate of another key that is in force, and the token is not for this
 * guid alone.
 */
export type EnrollmentRefusal = 'unknown' | 'removed' | 'expired' | 'other-guid' | 'spent' | 'certified';

export type EnrollmentOutcome =
  | { readonly kind: 'enrolled'; readonly token: EnrollmentTokenRow; readonly host: HostRow; readonly isNew: boolean }
  | { readonly kind: 'refused'; readonly reason: EnrollmentRefusal };
