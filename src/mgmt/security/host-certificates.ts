import type { Clock } from '../../lib/clock.js';
import type { Configuration } from '../config/parameters.js';
import { type HostCertificateRow, ROWS_A_PAGE, type Store } from '../store/store.js';
import { judgeRenewal, type RenewalRules } from './renewal.js';

/** What people are told of the certificate that the agent of a host has. Moments are milliseconds since 1970. */
export interface HostCertificate {
  readonly state: HostCertificateState;
  readonly serial: string | undefined;
  readonly ends: number | undefined;
  /** When it is renewed; undefined: not by itself. */
  readonly renews: number | undefined;
}

/** `due`: its renewal is due, and has not succeeded yet. */
export type HostCertificateState = 'none' | 'good' | 'due' | 'expired' | 'revoked';

/** Of hosts that were read. */
export type CertificateOfHost = (hostId: number) => HostCertificate;

export interface HostCertificatesParts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'hostCertificates'>;
  readonly ca: RenewalRules['ca'];
  configuration(): Configuration;
}

const DAY_MS = 86_400_000;

/** The certificates of hosts, as the store has them. @throws StoreError */
export async function readHostCertificates(
  { clock, store, ca, configuration }: HostCertificatesParts,
  hostIds: readonly number[],
): Promise<CertificateOfHost> {
  const rows = new Map<number, HostCertificateRow>();
  for (let from = 0; from < hostIds.length; from += ROWS_A_PAGE) {
    const page = await store.hostCertificates(hostIds.slice(from, from + ROWS_A_PAGE));
    for (const row of page) rows.set(row.hostId, row);
  }
  const { values } = configuration();
  const alertMs = values['ca.framework.cert.expiry.alert.period'] * DAY_MS;
  const isRenewed = values['ca.framework.cert.automatic.renewal'];
  const now = clock.wallTime();
  return hostId => hostCertificateOf(rows.get(hostId), { alertMs, ca, isRenewed, now });
}

/** Pure. */
export function hostCertificateOf(
  row: HostCertificateRow | undefined,
  { isRenewed, now, ...rules }: RenewalRules & { readonly isRenewed: boolean; readonly now: number },
): HostCertificate {
  const verdict = judgeRenewal(row, rules, now);
  const known = { serial: row?.serial, ends: row?.notAfter };
  if (verdict.kind === 'none' || verdict.kind === 'revoked')
    return { ...known, state: verdict.kind, renews: undefined };
  const isExpired = verdict.kind === 'due' && verdict.isExpired;
  const isEnding = row !== undefined && now >= row.notAfter - rules.alertMs;
  const isOfFormerCa = verdict.kind === 'due' && verdict.why === 'ca';
  // Where nobody renews it, it is due when it ends soon.
  const isDue = isRenewed || isOfFormerCa ? verdict.kind === 'due' : isEnding;
  const state = isExpired ? 'expired' : isDue ? 'due' : 'good';
  return { ...known, state, renews: isRenewed ? verdict.due : undefined };
}
