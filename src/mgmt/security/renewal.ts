import type { HostCertificateRow } from '../store/store.js';

/** What is to be done about the certificate of a host, and when. Moments are milliseconds since 1970. */
export type RenewalVerdict =
  /** It has none that its agent has confirmed. */
  | { readonly kind: 'none' }
  /** An operator has revoked it: it is not replaced by itself. */
  | { readonly kind: 'revoked' }
  /** It is good, and is renewed at `due`. */
  | { readonly kind: 'good'; readonly due: number }
  /** It is to be renewed now. */
  | { readonly kind: 'due'; readonly due: number; readonly isExpired: boolean };

/** The part of its life after which a certificate is renewed. */
const LIFE_PART = 2 / 3;
/** It is renewed after half of its life at the earliest, however long before its end the alert comes. */
const EARLIEST_PART = 1 / 2;
/** The renewals of certificates that were issued together are spread over this part of their life. */
const SPREAD_PART = 1 / 20;

type Dated = Pick<HostCertificateRow, 'serial' | 'created' | 'notAfter' | 'revoked'>;

/**
 * Judges the certificate of a host. Pure. Its life counts from its issue: that it is dated back is for clocks that are
 * behind.
 * @param alertMs `ca.framework.cert.expiry.alert.period`
 */
export function judgeRenewal(certificate: Dated | undefined, alertMs: number, now: number): RenewalVerdict {
  if (certificate === undefined) return { kind: 'none' };
  if (certificate.revoked !== null) return { kind: 'revoked' };
  const due = renewalDue(certificate, alertMs);
  return now < due ? { kind: 'good', due } : { kind: 'due', due, isExpired: now > certificate.notAfter };
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
