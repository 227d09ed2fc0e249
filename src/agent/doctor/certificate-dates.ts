import type { X509Certificate } from 'node:crypto';
import { subjectOf } from '../../protocol/certificate-names.js';
import type { Finding } from './finding.js';

const SOON_MS = 30 * 86_400_000;

/** Whether a certificate of a file is in date, and stays so for the next 30 days. */
export function datesOf(path: string, certificate: X509Certificate, wallTime: number): Finding {
  const what = `${path}, ${subjectOf(certificate)}`;
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const dates = `in date from ${certificate.validFrom} to ${certificate.validTo}`;
  if (wallTime < from) return { level: 'error', what, found: `not yet ${dates}`, remedy: "set this machine's clock" };
  if (wallTime > to) return { level: 'error', what, found: `no longer ${dates}`, remedy: 'replace it' };
  if (wallTime > to - SOON_MS) return { level: 'warn', what, found: dates, remedy: 'replace it before then' };
  return { level: 'ok', what, found: dates };
}
