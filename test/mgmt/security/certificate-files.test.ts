import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog } from '../../../src/lib/logger.js';
import { systemRandom } from '../../../src/lib/random.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import { loadCertificateFiles } from '../../../src/mgmt/security/certificate-files.js';
import { ClusterCa } from '../../../src/mgmt/security/cluster-ca.js';
import { sealUnder } from '../../../src/mgmt/security/sealing-key.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { cloudstackCa } from '../../helpers/certificates.js';
import { testFolder } from '../../helpers/scratch.js';

const YEAR_MS = 366 * 24 * 3_600_000;

async function issued(t: Test, clock: FakeClock) {
  const env = { clock, random: systemRandom, log: silentLog, thread: 'same' } as const;
  const store = await openStore(`sqlite:${join(testFolder(t), 'muster.db')}`, env);
  const ca = await ClusterCa.open({ store, sealingKey: sealUnder(new Uint8Array(32), 'key.file=x'), ...env });
  const server = await ca.issueServerCertificate({ addresses: ['192.0.2.1'], msid: 1 });
  const other = await ca.issueServerCertificate({ addresses: ['192.0.2.2'], msid: 2 });
  await store.close();
  return { ca, server, other };
}

const named = (folder: string) => ({
  certFile: join(folder, 'cert.pem'),
  keyFile: join(folder, 'key.pem'),
  caFile: join(folder, 'ca.pem'),
});

t.test('tls.cert, tls.key, tls.ca: what fits is read, and the CA is presented once', async t => {
  const clock = new FakeClock();
  const { ca, server } = await issued(t, clock);
  const expected = {
    certPem: server.certPem,
    chainPem: server.chainPem,
    keyPem: server.keyPem,
    caPem: ca.signersPem,
    notAfter: server.notAfter,
    warnings: [],
  };
  for (const [certFile, text] of Object.entries({
    alone: server.certPem,
    chain: server.chainPem,
    noise: `Bag Attributes\r\n  friendlyName: x\r\n${server.certPem.replaceAll('\n', '\r\n')}`,
  })) {
    const folder = t.testdir({ 'cert.pem': text, 'key.pem': server.keyPem, 'ca.pem': ca.signersPem });
    t.strictSame(await loadCertificateFiles(named(folder), { clock }), expected, certFile);
  }
});

t.test("tls.cert: CloudStack's own profile, the CA certificate itself, is accepted", async t => {
  const { cert, key } = await cloudstackCa();
  const folder = t.testdir({ 'cert.pem': cert, 'key.pem': key, 'ca.pem': cert });
  const certificates = await loadCertificateFiles(named(folder), { clock: new FakeClock() });
  t.strictSame(certificates.warnings, []);
  t.equal(certificates.chainPem.match(/BEGIN/g)?.length, 1);
});

t.test('tls.cert, tls.key, tls.ca: what is wrong is refused with the setting, the file and the reason', async t => {
  const clock = new FakeClock();
  const { ca, server, other } = await issued(t, clock);
  const good = { 'cert.pem': server.certPem, 'key.pem': server.keyPem, 'ca.pem': ca.signersPem };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const encrypted = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' });
  const damaged = server.certPem.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
  for (const [change, key, allowed] of [
    [{ 'cert.pem': undefined }, 'tls.cert', /no such file/],
    [{ 'cert.pem': 'no PEM' }, 'tls.cert', /no certificate in PEM form/],
    [{ 'cert.pem': damaged }, 'tls.cert', /certificate that cannot be read/],
    [{ 'cert.pem': {} }, 'tls.cert', /cannot be read: EISDIR/],
    [{ 'key.pem': undefined }, 'tls.key', /no such file/],
    [{ 'key.pem': server.certPem }, 'tls.key', /no private key in PEM form/],
    [{ 'key.pem': encrypted.toString() }, 'tls.key', /encrypted/],
    [{ 'key.pem': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' }, 'tls.key', /key that cannot be/],
    [{ 'key.pem': other.keyPem }, 'tls.key', /not the key of the first certificate in tls\.cert=/],
    [{ 'ca.pem': undefined }, 'tls.ca', /no such file/],
    [{ 'ca.pem': '' }, 'tls.ca', /no certificate in PEM form/],
  ] as const) {
    const files = Object.entries({ ...good, ...change }).filter(([, content]) => content !== undefined);
    // Texts and an empty folder: TypeScript does not follow them through the entries.
    const folder = t.testdir(Object.fromEntries(files) as Parameters<typeof t.testdir>[0]);
    const value = join(folder, `${key.slice('tls.'.length)}.pem`);
    const message = `${key}: ${allowed}`;
    await t.rejects(
      loadCertificateFiles(named(folder), { clock }),
      { name: 'ConfigError', key, value, allowed },
      message,
    );
  }
});

t.test('tls.cert: dates and a foreign CA are warned about', async t => {
  const clock = new FakeClock();
  const { ca, server } = await issued(t, clock);
  const folder = t.testdir({ 'cert.pem': server.certPem, 'key.pem': server.keyPem, 'ca.pem': ca.signersPem });
  const warningsAt = async (wallTime: number) =>
    (await loadCertificateFiles(named(folder), { clock: new FakeClock(wallTime) })).warnings;
  t.match(await warningsAt(clock.wallTime() + YEAR_MS), [/^tls\.cert=.*cert\.pem: expired on /]);
  t.match(await warningsAt(clock.wallTime() - YEAR_MS), [
    /^tls\.cert=.*not valid before/,
    /^tls\.ca=.*not valid before/,
  ]);
  const stranger = await cloudstackCa();
  const foreign = t.testdir({ 'cert.pem': server.certPem, 'key.pem': server.keyPem, 'ca.pem': stranger.cert });
  const { warnings, caPem } = await loadCertificateFiles(named(foreign), { clock });
  t.match(warnings, [/signed by no certificate of tls\.ca=/]);
  t.equal(new X509Certificate(caPem).raw.equals(new X509Certificate(stranger.cert).raw), true);
});
