import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemRandom } from '../../../src/lib/random.js';
import { readCertificateRequest } from '../../../src/mgmt/security/certificate-request.js';
import { loadGivenCa } from '../../../src/mgmt/security/given-ca.js';
import { issueForHost } from '../../../src/mgmt/security/issue-certificate.js';
import { newCa } from '../../../src/mgmt/security/new-ca.js';
import type { NewCertificate } from '../../../src/mgmt/store/store.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { requestPem } from '../../helpers/certificate-requests.js';
import { leafAndRoot } from '../../helpers/certificates.js';
import { certificateFile } from '../../helpers/wire.js';

const clock = new FakeClock(Date.UTC(2026, 10, 27, 9, 0, 0));
const parts = { clock, random: systemRandom };
const UUID = '00000000-0000-4000-8000-00000000000a';
const TERMS = { validityDays: 30, bundle: 4 };
const HOST = { id: 7, uuid: UUID, guid: 'g', name: 'ja', privateIpAddress: '10.99.0.10', linkAddress: '10.99.0.10' };

async function issued(isMuster: boolean, csr: string, more: Partial<typeof HOST> = {}) {
  const rows: NewCertificate[] = [];
  const ca = await newCa(parts);
  const store = { addCertificate: async (row: NewCertificate) => void rows.push(row) };
  const request = await readCertificateRequest(csr);
  const { certPem } = await issueForHost({ ca, clock, store }, request, { ...HOST, isMuster, ...more }, TERMS);
  return { certificate: new X509Certificate(certPem), root: new X509Certificate(ca.signersPem), row: rows[0] };
}

t.test("issuing: a Muster agent's certificate names its host, and nothing of the request but the name", async t => {
  const csr = await requestPem({ name: 'CN=vm, O=Somebody', sans: ['ms1.example.org', 'muster:server:1'] });
  const { certificate, root, row } = await issued(true, csr);
  t.equal(certificate.subject, 'CN=vm');
  t.equal(certificate.subjectAltName, `URI:muster:host:${UUID}`);
  t.strictSame(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'clientAuth alone');
  t.equal(certificate.verify(root.publicKey), true);
  t.equal(Date.parse(certificate.validFrom), Date.UTC(2026, 10, 26, 9, 0, 0), 'dated back 24 hours');
  t.equal(Date.parse(certificate.validTo), Date.UTC(2026, 11, 27, 9, 0, 0), '30 days');
  t.match(row, { kind: 'host', hostId: 7, guid: 'g', cn: 'vm', serial: certificate.serialNumber.toLowerCase() });
  t.match(row, { bundle: 4, created: clock.wallTime(), notAfter: Date.parse(certificate.validTo) });
});

t.test("issuing: a CloudStack agent's certificate has the profile of the recorded one", async t => {
  const recorded = new X509Certificate(certificateFile('cloud.crt'));
  const { certificate, row } = await issued(false, certificateFile('cloud.csr'));
  t.equal(certificate.subject, recorded.subject);
  t.equal(certificate.subjectAltName, recorded.subjectAltName);
  t.equal(certificate.keyUsage, recorded.keyUsage, 'no extended key usage');
  t.equal(certificate.ca, false);
  t.ok(certificate.publicKey.equals(recorded.publicKey));
  t.match(row, { kind: 'address', cn: 'vm' });
});

t.test(
  'issuing: an agent that comes from another address than its own has both; names that are none are left out',
  async t => {
    const { certificate } = await issued(false, await requestPem(), { linkAddress: '192.0.2.7', name: 'höst 1' });
    t.equal(certificate.subjectAltName, 'IP Address:10.99.0.10, IP Address:192.0.2.7, DNS:10.99.0.10');
    const { certificate: bare } = await issued(false, await requestPem(), {
      privateIpAddress: 'x',
      linkAddress: '::1',
    });
    t.equal(bare.subjectAltName, 'IP Address:0:0:0:0:0:0:0:1, DNS:::1, DNS:ja');
  },
);

t.test('issuing: no certificate outlives its CA', async t => {
  const ca = await newCa(parts);
  const request = await readCertificateRequest(await requestPem());
  const { notAfter } = await ca.issueHostCertificate(request, { uuid: UUID, name: 'x', validityDays: 36_500 });
  t.equal(notAfter, Date.parse(new X509Certificate(ca.signersPem).validTo));
});

const files = (t: Test, cert: string, key: string) => {
  const folder = t.testdir({ 'ca.crt': cert, 'ca.key': key });
  return { certFile: join(folder, 'ca.crt'), keyFile: join(folder, 'ca.key') };
};

t.test('given CA: that of the recorded CloudStack server issues, with its RSA key', async t => {
  const { ca, warnings } = await loadGivenCa(files(t, certificateFile('root.crt'), certificateFile('root.key')), parts);
  t.strictSame(warnings, []);
  const request = await readCertificateRequest(certificateFile('cloud.csr'));
  const { certPem } = await ca.issueHostCertificate(request, { uuid: UUID, name: 'x', validityDays: 1 });
  const root = new X509Certificate(certificateFile('root.crt'));
  const certificate = new X509Certificate(certPem);
  t.equal(certificate.checkIssued(root) && certificate.verify(root.publicKey), true);
  t.equal(certificate.issuer, 'CN=ca.cloudstack.apache.org');
});

t.test('given CA: a key that does not fit, and a certificate that is no CA, are named', async t => {
  const { leaf, key } = await leafAndRoot();
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  await t.rejects(loadGivenCa(files(t, leaf, String(other)), parts), {
    message: /^ca\.key=.*is not the key of the first/,
  });
  await t.rejects(loadGivenCa(files(t, leaf, key), parts), { message: /^ca\.cert=.*is not that of a CA/ });
});

t.test('given CA: an intermediate one brings along what leads to its root', async t => {
  const { intermediate, root, key } = await intermediateCa();
  const { ca } = await loadGivenCa(files(t, intermediate + root, key), parts);
  const { chainPem } = await ca.issueServerCertificate({ addresses: ['192.0.2.1'], msid: 1 });
  t.equal(chainPem.match(/BEGIN CERTIFICATE/g)?.length, 3, 'what a server presents');
  t.equal(ca.chainPem.match(/BEGIN CERTIFICATE/g)?.length, 2, 'what agents trust');
  const stranger = await leafAndRoot('stranger');
  await t.rejects(loadGivenCa(files(t, intermediate + stranger.root, key), parts), {
    message: /^ca\.cert=.*has to be signed by the one behind it/,
  });
});

async function intermediateCa() {
  const x509 = await import('@peculiar/x509');
  const { webcrypto } = await import('node:crypto');
  const EC = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const rootKeys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const dates = { notBefore: new Date(Date.UTC(2020, 0, 1)), notAfter: new Date(Date.UTC(2060, 0, 1)) };
  const extensions = [new x509.BasicConstraintsExtension(true, undefined, true)];
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    { name: 'CN=root', keys: rootKeys, ...dates, signingAlgorithm: EC, extensions },
    webcrypto,
  );
  const intermediate = await x509.X509CertificateGenerator.create(
    {
      ...{ subject: 'CN=intermediate', issuer: 'CN=root', ...dates, signingAlgorithm: EC, extensions },
      publicKey: keys.publicKey,
      signingKey: rootKeys.privateKey,
    },
    webcrypto,
  );
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    intermediate: `${intermediate.toString('pem')}\n`,
    root: `${root.toString('pem')}\n`,
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
  };
}
