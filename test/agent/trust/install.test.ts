// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import t, { type Test } from 'tap';
import { makeKey, makeRequest } from '../../../src/agent/trust/certificate-request.js';
import { perform, readFolder } from '../../../src/agent/trust/folder.js';
import {
  confirmation,
  installation,
  isUnconfirmed,
  keyForRequest,
  OfferError,
  recovery,
  requestSteps,
  takingBack,
} from '../../../src/agent/trust/install.js';
import { ownCertificateOf, pemOfKey } from '../../../src/agent/trust/own-certificate.js';
import { TestCa } from '../../helpers/test-ca.js';
import { readCertificates } from '../../helpers/wire.js';

const NOW = Date.UTC(2026, 5, 1);
const ca = await TestCa.make();
const HOST = { uris: ['muster:host:0f1e'], usages: ['clientAuth'] as const };

async function folderOf(t: Test, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-trust-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 });
  return folder;
}

/** As SetupKeyStore does. @returns the request */
async function request(folder: string): Promise<string> {
  const { file, pem } = keyForRequest(await readFolder(folder));
  const key = pem === undefined ? makeKey() : createPrivateKey(pem);
  const csr = await makeRequest(key, 'host-1', ['10.9.9.9']);
  await perform(folder, requestSteps(file, pem === undefined ? pemOfKey(key) : undefined, csr));
  return csr;
}

const offerOf = (certificate: string, caCertificates = ca.pem) => ({ certificate, privateKey: '', caCertificates });

/** The serial of the certificate that the folder has in use. */
async function inUse(folder: string): Promise<string | undefined> {
  const read = ownCertificateOf(await readFolder(folder));
  return read !== undefined && 'own' in read ? read.own.chain[0].serialNumber : undefined;
}

const serial = (pem: string) => new X509Certificate(pem).serialNumber;

t.test('request: a P-256 key that only its owner reads, the name, and the addresses', async t => {
  const folder = await folderOf(t);
  const csr = new x509.Pkcs10CertificateRequest(await request(folder));
  t.ok(await csr.verify());
  t.equal(csr.subject, 'CN=host-1');
  const names = csr.extensions.flatMap(one =>
    one instanceof x509.SubjectAlternativeNameExtension ? one.names.items : [],
  );
  t.same(
    names.map(({ type, value }) => [type, value]),
    [
      ['dns', 'host-1'],
      ['ip', '10.9.9.9'],
    ],
  );
  t.equal((await stat(join(folder, 'cloud.key'))).mode & 0o777, 0o600);
  t.same((await readdir(folder)).sort(), ['cloud.csr', 'cloud.key']);
});

t.test('request: a good key stays; one in use stays until there is a certificate for the new one', async t => {
  const folder = await folderOf(t);
  const first = new x509.Pkcs10CertificateRequest(await request(folder));
  const again = new x509.Pkcs10CertificateRequest(await request(folder));
  t.same(Buffer.from(again.publicKey.rawData), Buffer.from(first.publicKey.rawData), 'an enrolment can be repeated');
  await perform(folder, installation(await readFolder(folder), offerOf(await ca.sign(await request(folder))), NOW));
  const before = await inUse(folder);
  await request(folder);
  t.equal(keyForRequest(await readFolder(folder)).file, 'cloud.key.new');
  t.equal(await inUse(folder), before);
});

t.test('request: a key that cannot be used is not replaced, and not asked for', async t => {
  const folder = await folderOf(t, { 'cloud.key': '-----BEGIN ENCRYPTED PRIVATE KEY-----\n' });
  t.same(keyForRequest(await readFolder(folder)), { file: 'cloud.key.new', pem: undefined });
});

t.test('install: an offer that cannot be used is refused, and changes nothing', async t => {
  const folder = await folderOf(t);
  const csr = await request(folder);
  const good = await ca.sign(csr);
  const other = await TestCa.make('Another CA');
  const ended = await ca.sign(csr, { notAfter: new Date(Date.UTC(2025, 0, 1)) });
  const found = await readFolder(folder);
  const cases: [string, Parameters<typeof installation>[1], RegExp][] = [
    ['another key', offerOf((await ca.leaf()).cert), /fits no key of this agent/],
    ['another CA', offerOf(good, other.pem), /does not verify against the caCertificates/],
    ['ended', offerOf(ended), /is not in date/],
    ['no certificate', offerOf('x'), /certificate has no certificate in it/],
    ['no CA', offerOf(good, ''), /caCertificates has no certificate in it/],
    ['a broken one', offerOf(good, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'), /cannot be read/],
    ['too many', offerOf(good, ca.pem.repeat(65)), /at most 64/],
    ['a key that does not fit', { ...offerOf(good), privateKey: (await ca.leaf()).key }, /does not fit/],
  ];
  for (const [what, offer, message] of cases) {
    t.throws(() => installation(found, offer, NOW), { name: 'OfferError', message }, what);
  }
  t.throws(() => installation(found, offerOf(good), Date.UTC(2019, 0, 1)), OfferError, 'not yet valid');
  await chmod(join(folder, 'cloud.key'), 0o400);
  t.throws(() => installation({ ...found, 'cloud.key': { text: '', mode: 0o400 } }, offerOf(good), NOW), /read-only/);
});

t.test('install: a CA that makes the key itself', async t => {
  const folder = await folderOf(t);
  const { cert, key } = await ca.leaf();
  await perform(folder, installation(await readFolder(folder), { ...offerOf(cert), privateKey: key }, NOW));
  t.equal(await inUse(folder), serial(cert));
});

t.test(
  'install: ended at any step, the next start goes on with a pair that fits, and the bundle of one of them',
  async t => {
    for (const hadOne of [true, false]) {
      const former = await ca.leaf(HOST);
      const files = hadOne ? { 'cloud.crt': former.cert, 'cloud.key': former.key, 'cloud.ca.crt': ca.pem } : {};
      const next = await TestCa.make('The next CA');
      for (let steps = 0; ; steps++) {
        const folder = await folderOf(t, files);
        const certificate = await next.sign(await request(folder), HOST);
        const all = installation(await readFolder(folder), offerOf(certificate, next.pem + ca.pem), NOW);
        await perform(folder, all.slice(0, steps));
        await perform(folder, recovery(await readFolder(folder)));
        t.same(recovery(await readFolder(folder)), [], 'and then there is nothing more to do');
        const serials = hadOne ? [serial(former.cert), serial(certificate)] : [undefined, serial(certificate)];
        t.ok(serials.includes(await inUse(folder)), `after ${steps} of ${all.length} steps`);
        if (steps < all.length) continue;
        t.equal(await inUse(folder), serial(certificate));
        t.ok(isUnconfirmed(await readFolder(folder)));
        await perform(folder, confirmation(await readFolder(folder)));
        t.same((await readdir(folder)).sort(), ['cloud.ca.crt', 'cloud.crt', 'cloud.csr', 'cloud.key']);
        break;
      }
    }
  },
);

t.test('install: taken back at any step, the former files are there', async t => {
  for (const hadOne of [true, false]) {
    const former = await ca.leaf(HOST);
    const files = hadOne ? { 'cloud.crt': former.cert, 'cloud.key': former.key } : {};
    for (let steps = 0; ; steps++) {
      const folder = await folderOf(t, { ...files, 'cloud.ca.crt': ca.pem });
      const next = await TestCa.make('The next CA');
      const certificate = await next.sign(await request(folder), HOST);
      await perform(folder, installation(await readFolder(folder), offerOf(certificate, next.pem), NOW));
      const all = takingBack(await readFolder(folder));
      await perform(folder, all.slice(0, steps));
      await perform(folder, recovery(await readFolder(folder)));
      // Before the first of them nothing is decided: the server is asked again, and refuses again.
      await perform(folder, takingBack(await readFolder(folder)));
      const found = await readFolder(folder);
      t.equal(await inUse(folder), hadOne ? serial(former.cert) : undefined, `after ${steps} of ${all.length} steps`);
      t.equal(found['cloud.ca.crt']?.text, ca.pem);
      t.notOk(isUnconfirmed(found));
      if (steps === all.length) break;
    }
  }
});

t.test('own certificate: keys of any form; what is wrong with one is said', async t => {
  const recorded = readCertificates();
  const key = createPrivateKey(recorded.key);
  const pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString();
  const encrypted = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
  const look = (keyText: string | undefined, mode = 0o100600, crt = recorded.cert) =>
    ownCertificateOf({
      'cloud.crt': { text: crt, mode: 0o644 },
      ...(keyText !== undefined && { 'cloud.key': { text: keyText, mode } }),
    });
  t.match(look(recorded.key), { own: { keyPem: recorded.key } }, 'PKCS#8, as CloudStack 4.22 writes it');
  t.match(look(pkcs1), { own: { keyPem: /PRIVATE KEY/ } }, 'PKCS#1');
  const ec = await ca.leaf(HOST);
  const sec1 = createPrivateKey(ec.key).export({ type: 'sec1', format: 'pem' }).toString();
  t.match(look(sec1, 0o600, ec.cert), { own: { keyPem: /PRIVATE KEY/ } }, 'SEC1');
  const unusable = (file: string, why: RegExp) => ({ unusable: { file, why } });
  t.match(look(undefined), unusable('cloud.key', /there is none/));
  t.match(look(encrypted), unusable('cloud.key', /is encrypted/));
  t.match(look(pkcs1.replace('\n', '\nProc-Type: 4,ENCRYPTED\n')), unusable('cloud.key', /is encrypted/));
  t.match(look(recorded.key, 0o640), unusable('cloud.key', /others than its owner/));
  t.match(look(recorded.key, 0o604), unusable('cloud.key', /others than its owner/));
  t.match(look(ec.key), unusable('cloud.key', /does not fit cloud\.crt/));
  t.match(look('x'), unusable('cloud.key', /cannot be read/));
  t.match(look(recorded.key, 0o600, 'x'), unusable('cloud.crt', /has no certificate/));
  t.equal(ownCertificateOf({}), undefined);
});
