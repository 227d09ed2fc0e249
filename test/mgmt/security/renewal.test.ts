import t from 'tap';
import { hostCertificateOf } from '../../../src/mgmt/security/host-certificates.js';
import { judgeRenewal } from '../../../src/mgmt/security/renewal.js';
import type { HostCertificateRow } from '../../../src/mgmt/store/store.js';

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const CA = { fingerprint: 'i', isCurrent: true, bundle: { pem: '', generation: 2 } };
const RULES = { alertMs: 15 * DAY, ca: CA };

/** @param share of the spread, 0 to 1 */
const certificate = (days: number, share = 0, more: Partial<HostCertificateRow> = {}): HostCertificateRow => ({
  serial: `4f${Math.round(share * (2 ** 32 - 1))
    .toString(16)
    .padStart(8, '0')}`,
  kind: 'host',
  hostId: 1,
  guid: 'g',
  cn: 'c',
  keyFingerprint: 'k',
  issuerFingerprint: 'i',
  bundle: 2,
  notBefore: START - DAY,
  notAfter: START + days * DAY,
  created: START,
  installed: START,
  revoked: null,
  ...more,
});

const dueDay = (days: number, alertDays = 15, share = 0) => {
  const verdict = judgeRenewal(certificate(days, share), { alertMs: alertDays * DAY, ca: CA }, START);
  return verdict.kind === 'good' ? Math.round((verdict.due - START) / DAY) : verdict.kind;
};

t.test('renewal: at two thirds of the life, or at the alert, whichever is earlier', async t => {
  t.equal(dueDay(365), 243, 'two thirds');
  t.equal(dueDay(30), 15, 'the alert');
  t.equal(dueDay(365, 150), 215, 'an early alert');
  t.equal(dueDay(365, 300), 183, 'after half of its life at the earliest');
  t.equal(dueDay(10), 5, 'a life shorter than the alert');
});

t.test('renewal: certificates that were issued together are renewed over a twentieth of their life', async t => {
  t.equal(dueDay(360, 15, 0), 240);
  t.equal(dueDay(360, 15, 0.5), 231);
  t.equal(dueDay(360, 15, 1), 222);
});

t.test('renewal: good until it is due, due until it is renewed, also when it has ended', async t => {
  const row = certificate(360);
  const due = START + 240 * DAY;
  t.strictSame(judgeRenewal(row, RULES, due - 1), { kind: 'good', due });
  t.strictSame(judgeRenewal(row, RULES, due), { kind: 'due', due, isExpired: false, why: 'age' });
  t.strictSame(judgeRenewal(row, RULES, row.notAfter), { kind: 'due', due, isExpired: false, why: 'age' });
  t.strictSame(judgeRenewal(row, RULES, row.notAfter + 1), { kind: 'due', due, isExpired: true, why: 'age' });
});

t.test('renewal: what is revoked, and what is not there, is not renewed', async t => {
  t.strictSame(judgeRenewal(undefined, RULES, START), { kind: 'none' });
  t.strictSame(judgeRenewal(certificate(30, 0, { revoked: 1 }), RULES, START + 99 * DAY), { kind: 'revoked' });
});

t.test('renewal: what people are told of a certificate', async t => {
  const at = (day: number, isRenewed = true, row: HostCertificateRow | undefined = certificate(360)) => {
    const { state, renews } = hostCertificateOf(row, { ...RULES, isRenewed, now: START + day * DAY });
    return [state, renews === undefined ? undefined : (renews - START) / DAY];
  };
  t.strictSame(at(0), ['good', 240]);
  t.strictSame(at(240), ['due', 240]);
  t.strictSame(at(361), ['expired', 240]);
  t.strictSame(at(240, false), ['good', undefined], 'nobody renews it');
  t.strictSame(at(345, false), ['due', undefined], 'and it ends soon');
  t.strictSame(at(361, false), ['expired', undefined]);
  t.strictSame(at(1, true, certificate(360, 0, { revoked: 1 })), ['revoked', undefined]);
  const none = hostCertificateOf(undefined, { ...RULES, isRenewed: true, now: START });
  t.strictSame(none, { state: 'none', serial: undefined, ends: undefined, renews: undefined });
});

t.test(
  'renewal: a certificate of another CA, and one that came without the newest bundle, are due at once',
  async t => {
    const verdict = (ca: Partial<typeof CA>, row = certificate(360)) =>
      judgeRenewal(row, { ...RULES, ca: { ...CA, ...ca } }, START);
    const due = { kind: 'due', due: START, isExpired: false, why: 'ca' };
    t.strictSame(verdict({ fingerprint: 'j' }), due);
    t.match(
      verdict({ fingerprint: 'j', isCurrent: false }),
      { kind: 'good' },
      'not by a server that is behind or ahead',
    );
    t.strictSame(verdict({ bundle: { pem: '', generation: 3 } }), due);
    t.match(verdict({ bundle: { pem: '', generation: 1 } }), { kind: 'good' }, 'a server that has not read so far');
    t.strictSame(verdict({ fingerprint: 'j' }, certificate(30, 0, { revoked: 1 })), { kind: 'revoked' });
    const { state } = hostCertificateOf(certificate(360), {
      ...{ ...RULES, ca: { ...CA, fingerprint: 'j' } },
      ...{ isRenewed: false, now: START },
    });
    t.equal(state, 'due', 'also where certificates are not renewed for their age');
  },
);
