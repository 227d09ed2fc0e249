import type { HostCertificateRow } from '../store/store.js';
import type { Ca } from './ca.js';

/** What is to be done about the certificate of a host, and when. Moments are milliseconds since 1970. */
export type RenewalVerdict =
  /** It has none that its agent has confirmed. */
  | { readonly kind: 'none' }
  /** An operator has revoked it: it is not replaced by itself. */
  | { readonly kind: 'revoked' }
  /** It is good, and is renewed at `due`. */
  | { readonly kind: 'good'; readonly due: number }
  /** It is to be renewed now: for its age, or because CAs have come or gone. */
  | { readonly kind: 'due'; readonly due: number; readonly isExpired: boolean; readonly why: 'age' | 'ca' };

/** The part of its life after which a certificate is renewed. */
const LIFE_PART = 2 / 3;
/** It is renewed after half of its life at the earliest, however long before its end the alert comes. */
const EARLIEST_PART = 1 / 2;
/** The renewals of certificates that were issued together are spread over this part of their life. */
const SPREAD_PART = 1 / 20;

type Dated = Pick<HostCertificateRow, 'serial' | 'created' | 'notAfter' | 'revoked' | 'bundle' | 'issuerFingerprint'>;

/** What certificates of hosts are renewed by. */
export interface RenewalRules {
  /** `ca.framework.cert.expiry.alert.period` in milliseconds. */
  readonly alertMs: number;
  readonly ca: Pick<Ca, 'bundle' | 'fingerprint' | 'isCurrent'>;
}

/**
 * Judges the certificate of a host. Pure. Its life counts from its issue: that it is dated back is for clocks that are
 * behind. Another CA is no matter of age: it is due at once.
 */
export function judgeRenewal(
  certificate: Dated | undefined,
  { alertMs, ca }: RenewalRules,
  now: number,
): RenewalVerdict {
  if (certificate === undefined) return { kind: 'none' };
  if (certificate.revoked !== null) return { kind: 'revoked' };
  const isExpired = now > certificate.notAfter;
  const isOfFormer = ca.isCurrent && certificate.issuerFingerprint !== ca.fingerprint;
  if (isOfFormer || certificate.bundle < ca.bundle.generation) return { kind: 'due', due: now, isExpired, why: 'ca' };
  const due = renewalDue(certificate, alertMs);
  return now < due ? { kind: 'good', due } : { kind: 'due', due, isExpired, why: 'age' };
}

/**
 * At two thirds of its life or at the alert, whichever is earlier; less a part that is the certificate's own, so that a
 * fleet that was enrolled in an hour is not renewed in one.
 */
function renewalDue({ serial, created, notAfter }: Dated, alertMs: number): number {
  const life = notAfter - created;
  const planned = Math.min(created + life * LIFE_PART, notAfter - alertMs);
  // Serial numbers are random.
  const share = Number.parseInt(serial.slice(-8), 16) / 2 ** 32;
  return Math.max(created + life * EARLIEST_PART, planned) - share * life * SPREAD_PART;
}
