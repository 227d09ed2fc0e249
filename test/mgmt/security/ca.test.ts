import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLog } from '../../../src/lib/logger.js';
import { systemRandom } from '../../../src/lib/random.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import type { Ca } from '../../../src/mgmt/security/ca.js';
import { ClusterCa } from '../../../src/mgmt/security/cluster-ca.js';
import { type SealingKey, sealUnder } from '../../../src/mgmt/security/sealing-key.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { testFolder } from '../../helpers/scratch.js';

const env = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;
const keyFile = sealUnder(new Uint8Array(32).fill(9), 'key.file=muster.key');
const SERVER = { addresses: ['127.0.0.1', '2001:db8::1', 'ms1.example.org'], msid: 2 ** 47 + 5 };

async function storeOf(t: Test) {
  const store = await openStore(`sqlite:${join(testFolder(t), 'muster.db')}`, env);
  t.teardown(() => store.close());
  return store;
}

async function caOf(t: Test, key: SealingKey = keyFile): Promise<Ca> {
  return ClusterCa.open({ store: await storeOf(t), sealingKey: key, ...env });
}

t.test('ca: the root is a P-256 CA for ten years, dated back 24 hours', async t => {
  const clock = new FakeClock(Date.UTC(2026, 10, 22, 9, 0, 0));
  const ca = await ClusterCa.open({ store: await storeOf(t), sealingKey: keyFile, clock, random: systemRandom });
  const root = new X509Certificate(ca.signersPem);
  t.equal(root.subject, 'CN=Muster CA');
  t.equal(root.issuer, 'CN=Muster CA');
  t.equal(root.ca, true);
  t.equal(root.verify(root.publicKey), true);
  t.equal(root.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  t.equal(Date.parse(root.validFrom), Date.UTC(2026, 10, 21, 9, 0, 0));
  t.equal(Date.parse(root.validTo), Date.UTC(2036, 10, 22, 9, 0, 0));
});

t.test('ca: a server certificate names its addresses and is signed by the root', async t => {
  const clock = new FakeClock(Date.UTC(2028, 1, 29, 9, 0, 0));
  const ca = await ClusterCa.open({ store: await storeOf(t), sealingKey: keyFile, clock, random: systemRandom });
  const issued = await ca.issueServerCertificate(SERVER);
  const leaf = new X509Certificate(issued.certPem);
  const root = new X509Certificate(ca.signersPem);
  t.equal(leaf.subject, `CN=Muster management server ${2 ** 47 + 5}`);
  t.equal(
    leaf.subjectAltName,
    'IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, DNS:ms1.example.org, URI:muster:server:140737488355333',
  );
  t.equal(leaf.checkIssued(root), true);
  t.equal(leaf.verify(root.publicKey), true);
  t.equal(leaf.ca, false);
  t.strictSame(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'], 'serverAuth and clientAuth');
  t.equal(leaf.checkPrivateKey(createPrivateKey(issued.keyPem)), true);
  t.equal(Date.parse(leaf.validFrom), Date.UTC(2028, 1, 28, 9, 0, 0));
  t.equal(Date.parse(leaf.validTo), Date.UTC(2029, 1, 28, 9, 0, 0), '365 days');
  t.equal(issued.notAfter, Date.parse(leaf.validTo));
  t.equal(issued.chainPem, issued.certPem + ca.signersPem, 'what is presented: leaf and root');
});

t.test('ca: serial numbers are positive, 128 bits long, and differ', async t => {
  const ca = await caOf(t);
  const certificates = await Promise.all(Array.from({ length: 20 }, () => ca.issueServerCertificate(SERVER)));
  const serials = certificates.map(({ certPem }) => new X509Certificate(certPem).serialNumber);
  t.strictSame(
    serials.filter(serial => !/^[4-7][0-9A-F]{31}$/.test(serial)),
    [],
  );
  t.equal(new Set(serials).size, 20);
  t.equal(new Set(certificates.map(({ keyPem }) => keyPem)).size, 20, 'each has a key of its own');
});

t.test('ca: servers that start together, and later ones, have the same root', async t => {
  const store = await storeOf(t);
  const cas = await Promise.all([1, 2, 3].map(() => ClusterCa.open({ store, sealingKey: keyFile, ...env })));
  const later = await ClusterCa.open({ store, sealingKey: keyFile, ...env });
  t.equal(new Set([...cas, later].map(ca => ca.signersPem)).size, 1);
  const root = new X509Certificate(later.signersPem);
  const issued = await Promise.all([...cas, later].map(ca => ca.issueServerCertificate(SERVER)));
  t.ok(issued.every(({ certPem }) => new X509Certificate(certPem).verify(root.publicKey)));
});

t.test('ca: the store never sees the private key', async t => {
  const store = await storeOf(t);
  await ClusterCa.open({ store, sealingKey: keyFile, ...env });
  const kept = Buffer.from((await store.secret('ca')) ?? []).toString('latin1');
  t.ok(kept.length > 500);
  t.notMatch(kept, /BEGIN/);
});

t.test('ca: a key.file that does not fit the store is refused, and the CA stays as it is', async t => {
  const store = await storeOf(t);
  const { signersPem } = await ClusterCa.open({ store, sealingKey: keyFile, ...env });
  const other = sealUnder(new Uint8Array(32).fill(8), 'key.file=other.key');
  await t.rejects(ClusterCa.open({ store, sealingKey: other, ...env }), {
    name: 'FatalError',
    code: 'KEY_FILE_UNUSABLE',
    message: /^key\.file=other\.key does not fit the store/,
  });
  t.equal((await ClusterCa.open({ store, sealingKey: keyFile, ...env })).signersPem, signersPem);
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

t.test('ca: openssl verifies root and leaf', { skip: !hasOpenssl && 'no openssl here' }, async t => {
  const ca = await caOf(t);
  const { certPem } = await ca.issueServerCertificate(SERVER);
  const folder = t.testdir({ 'root.pem': ca.signersPem, 'leaf.pem': certPem });
  const verify = (...options: string[]) => {
    const args = ['verify', '-x509_strict', '-CAfile', join(folder, 'root.pem'), ...options, join(folder, 'leaf.pem')];
    const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    return stdout + stderr;
  };
  t.match(verify('-purpose', 'sslserver', '-verify_ip', '2001:db8::1'), /leaf\.pem: OK/);
  t.match(verify('-purpose', 'sslclient', '-verify_hostname', 'ms1.example.org'), /leaf\.pem: OK/);
  t.match(verify('-verify_ip', '192.0.2.99'), /mismatch/);
  await writeFile(join(folder, 'leaf.pem'), ca.signersPem);
  t.match(verify(), /leaf\.pem: OK/, 'the root itself');
  const { stdout } = spawnSync('openssl', ['x509', '-in', join(folder, 'root.pem'), '-noout', '-text'], {
    encoding: 'utf8',
  });
  t.match(stdout, /Basic Constraints: critical\s+CA:TRUE/);
  t.match(stdout, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
});

t.test('ca: two servers shake hands over TLS 1.2, each sure of the other', async t => {
  const ca = await caOf(t);
  const server = await ca.issueServerCertificate({ addresses: ['127.0.0.1'], msid: 1 });
  const peer = await ca.issueServerCertificate({ addresses: ['127.0.0.2'], msid: 2 });
  const common = { ca: ca.signersPem, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
  const listener = tls.createServer(
    { ...common, key: server.keyPem, cert: server.chainPem, requestCert: true, rejectUnauthorized: true },
    socket => socket.end(`hello ${socket.getPeerCertificate().subject.CN}`),
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  const client = tls.connect({ ...common, host: '127.0.0.1', port, key: peer.keyPem, cert: peer.chainPem });
  let heard = '';
  client.setEncoding('utf8').on('data', text => {
    heard += text;
  });
  await once(client, 'end');
  t.equal(heard, 'hello Muster management server 2');
  t.equal(client.authorized, true);
  t.equal(client.getProtocol(), 'TLSv1.2');
  const presented = client.getPeerCertificate(true);
  t.equal(presented.issuerCertificate.subject.CN, 'Muster CA', 'the root came along');

  const stranger = await caOf(t);
  const identity = { key: peer.keyPem, cert: peer.chainPem };
  const refused = tls.connect({ ...common, ...identity, ca: stranger.signersPem, host: '127.0.0.1', port });
  const [error] = await once(refused, 'error');
  t.match(error, { code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'a root of the same name is not enough');
});
