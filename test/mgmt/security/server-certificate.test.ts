import t from 'tap';
import { isRenewalDue, ServerCertificate } from '../../../src/mgmt/security/server-certificate.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { plainCertificate } from '../../helpers/certificates.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const DAY = 86_400_000;

t.test('certificates: one is renewed when less than a third of its life is left', async t => {
  t.equal(isRenewalDue(0, 300, 199), false);
  t.equal(isRenewalDue(0, 300, 200), false);
  t.equal(isRenewalDue(0, 300, 201), true);
  t.equal(isRenewalDue(0, 300, 999), true);
});

t.test(
  'certificates: an issued one is issued anew in time, and new connections get it; a failure leaves the old one',
  async t => {
    const clock = new FakeClock();
    const log = new RecordingLog();
    const { cert, key } = await plainCertificate();
    let issued = 0;
    let fails = false;
    const source = {
      setting: undefined,
      async obtain() {
        if (fails) throw new Error('the store is away');
        issued++;
        return { chainPem: cert, keyPem: key, notAfter: clock.wallTime() + 30 * DAY };
      },
    };
    const certificates = await ServerCertificate.open(source, clock, log);
    const first = certificates.context;
    await clock.advance(20 * DAY);
    t.equal(certificates.context, first);
    fails = true;
    await clock.advance(3_600_000);
    t.equal(certificates.context, first);
    t.match(log.entries.at(-1), { level: 'error', fields: { reason: 'the store is away' } });
    fails = false;
    await clock.advance(3_600_000);
    t.not(certificates.context, first);
    t.equal(issued, 2);
    await clock.advance(19 * DAY);
    t.equal(issued, 2, 'and not again too soon');
    certificates.stop();
    t.equal(clock.pending, 0);
  },
);

t.test("certificates: the operator's files are warned about, never replaced by ourselves", async t => {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const { cert, key } = await plainCertificate();
  let read = 0;
  const source = {
    setting: 'tls.cert' as const,
    async obtain() {
      read++;
      return { chainPem: cert, keyPem: key, notAfter: clock.wallTime() + 3 * DAY, warnings: ['not signed by tls.ca'] };
    },
  };
  const certificates = await ServerCertificate.open(source, clock, log);
  t.match(log.entries, [{ level: 'warn', message: 'not signed by tls.ca' }]);
  await clock.advance(2 * DAY + 3_600_000);
  t.equal(read, 1);
  t.match(log.entries.at(-1), { level: 'warn', message: /ends soon/ });
  await certificates.reload();
  t.equal(read, 2);
  certificates.stop();
});
