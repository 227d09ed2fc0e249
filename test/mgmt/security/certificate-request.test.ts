import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { readCertificateRequest } from '../../../src/mgmt/security/certificate-request.js';
import { sha256Hex } from '../../../src/mgmt/security/fingerprint.js';
import { longKeyRequestPem, requestKeys, requestPem } from '../../helpers/certificate-requests.js';
import { certificateFile } from '../../helpers/wire.js';

const RSA = { name: 'RSASSA-PKCS1-v1_5', publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };

const refusal = (pem: string) =>
  readCertificateRequest(pem).then(
    () => 'accepted',
    error => `${error.code} ${error.message}`,
  );

t.test('request: the recorded one, as keytool writes it, is read', async t => {
  const { subject, keyFingerprint } = await readCertificateRequest(certificateFile('cloud.csr'));
  t.strictSame(subject, { CN: 'vm', OU: 'cloudstack', O: 'cloudstack', C: 'cloudstack' });
  const { publicKey } = new X509Certificate(certificateFile('cloud.crt'));
  t.equal(keyFingerprint, sha256Hex(publicKey.export({ type: 'spki', format: 'der' })));
});

t.test('request: P-256, P-384 and RSA of 2048 bits are accepted', async t => {
  for (const algorithm of [
    { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
    { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
    { ...RSA, modulusLength: 2048 },
  ]) {
    t.match(await readCertificateRequest(await requestPem({ algorithm })), { subject: { CN: 'kvm-1' } });
  }
});

t.test('request: other keys are refused before anything is computed with them', async t => {
  const p521 = { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' };
  t.match(await refusal(await requestPem({ algorithm: p521 })), /^CERTIFICATE_REQUEST_INVALID .*its key is secp521r1/);
  const short = { ...RSA, modulusLength: 1024 };
  t.match(await refusal(await requestPem({ algorithm: short })), /its RSA key has 1024 bits; 2048 to 4096 are allowed/);
  t.match(await refusal(await longKeyRequestPem()), /its RSA key has 16384 bits; 2048 to 4096 are allowed/);
});

t.test('request: what is no request, several, too long, or signed by another key is refused', async t => {
  const pem = await requestPem();
  t.match(await refusal(''), /there is no certificate request in PEM form/);
  t.match(await refusal(certificateFile('cloud.crt')), /there is no certificate request in PEM form/);
  t.match(await refusal(pem + pem), /there are several; one is allowed/);
  t.match(await refusal(pem + ' '.repeat(16_384)), /characters; at most 16384 are allowed/);
  t.match(await refusal(pem.replace(/\nM/, '\nA')), /it cannot be read/);
  const [own, other] = [await requestKeys(), await requestKeys()];
  const forged = { publicKey: own.publicKey, privateKey: other.privateKey };
  t.match(await refusal(await requestPem({ keys: forged })), /its signature is not that of its key/);
});

t.test('request: of the subject four fields are taken over, cleaned and cut', async t => {
  const name = `CN=${'x'.repeat(90)}, O=one\u202etwo, 1.2.840.113549.1.9.1=a@example.org`;
  const { subject } = await readCertificateRequest(await requestPem({ name }));
  t.strictSame(subject, { CN: 'x'.repeat(64), O: 'onetwo' });
});
