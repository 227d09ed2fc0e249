import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { readCertificateRequest } from '../../../src/mgmt/security/certificate-request.js';
import { newCa } from '../../../src/mgmt/security/new-ca.js';
import { judgePeer, type PeerRules } from '../../../src/mgmt/security/peer-identity.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { requestPem } from '../../helpers/certificate-requests.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { TestCa } from '../../helpers/test-ca.js';
import { certificateFile } from '../../helpers/wire.js';

const DAY = 86_400_000;
const clock = new FakeClock();
const now = clock.wallTime();
const ca = await newCa({ clock, random: seededRandom(1) });
const other = await TestCa.make('Muster CA');
const request = await readCertificateRequest(await requestPem());
const host = await ca.issueHostCertificate(request, { uuid: 'h-1', name: 'kvm-1', validityDays: 30 });
const real = await ca.issueAddressCertificate(await readCertificateRequest(certificateFile('cloud.csr')), {
  ...{ addresses: ['10.99.0.10', '2001:db8::7'], names: ['10.99.0.10', 'ja'], name: 'ja', validityDays: 30 },
});
const server = await ca.issueServerCertificate({ addresses: ['10.99.0.10'], msid: 7 });
const HOST = { uris: ['muster:host:h-1'], usages: ['clientAuth'] } as const;

const RULES: PeerRules = {
  issuers: [new X509Certificate(ca.signersPem)],
  isRevoked: () => false,
  allowsExpired: false,
  allowsAddresses: true,
  now,
};

const CASES: readonly (readonly [
  what: string,
  pem: string | undefined,
  address: string,
  rules: Partial<PeerRules>,
  wanted: object,
])[] = [
  ['none', undefined, '10.0.0.1', {}, { kind: 'none' }],
  ['a host', host.certPem, '10.0.0.1', {}, { kind: 'host', uuid: 'h-1', serial: host.serial }],
  [
    'a real agent',
    real.certPem,
    '10.99.0.10',
    {},
    { kind: 'address', serial: real.serial, fingerprint: /^[0-9a-f]{64}$/ },
  ],
  ['a real agent, IPv6', real.certPem, '2001:db8:0::7', {}, { kind: 'address' }],
  [
    'a real agent, elsewhere',
    real.certPem,
    '10.99.0.11',
    {},
    { kind: 'bad', why: /is for 10\.99\.0\.10, .*the link comes from 10\.99\.0\.11/ },
  ],
  [
    'a real agent, forbidden',
    real.certPem,
    '10.99.0.10',
    { allowsAddresses: false },
    { kind: 'bad', why: /names no host/ },
  ],
  ['a server', server.certPem, '10.99.0.10', {}, { kind: 'server', msid: 7 }],
  ['the CA itself', ca.signersPem, '10.0.0.1', {}, { kind: 'bad', why: /is one of a CA/ }],
  ['a self-made CA', (await other.leaf(HOST)).cert, '10.0.0.1', {}, { kind: 'bad', why: /of no CA that is known/ }],
  ['a self-made CA, the root', other.pem, '10.0.0.1', {}, { kind: 'bad', why: /of no CA that is known/ }],
  [
    'revoked',
    host.certPem,
    '10.0.0.1',
    { isRevoked: serial => serial === host.serial },
    { kind: 'bad', why: /was revoked/, isRevoked: true },
  ],
  [
    'revoked and expired',
    host.certPem,
    '10.0.0.1',
    { isRevoked: () => true, allowsExpired: true, now: now + 31 * DAY },
    { kind: 'bad', isRevoked: true },
  ],
  ['at its last moment', host.certPem, '10.0.0.1', { now: now + 30 * DAY }, { kind: 'host' }],
  [
    'expired',
    host.certPem,
    '10.0.0.1',
    { now: now + 30 * DAY + 1_000 },
    { kind: 'bad', why: /is not in date/, isRevoked: false },
  ],
  [
    'expired, which is allowed',
    host.certPem,
    '10.0.0.1',
    { now: now + 31 * DAY, allowsExpired: true },
    { kind: 'host' },
  ],
  [
    'of an expired CA',
    host.certPem,
    '10.0.0.1',
    { now: now + 4_000 * DAY, allowsExpired: true },
    { kind: 'bad', why: /the CA .* is not in date/ },
  ],
  [
    'not valid yet',
    host.certPem,
    '10.0.0.1',
    { now: now - 2 * DAY, allowsExpired: true },
    { kind: 'bad', why: /is not valid before/ },
  ],
];

for (const [what, pem, address, rules, wanted] of CASES) {
  t.test(`peer identity: ${what}`, async t => {
    const leaf = pem === undefined ? undefined : new X509Certificate(pem);
    t.match(judgePeer(leaf, address, { ...RULES, ...rules }), wanted);
  });
}

t.test('peer identity: a certificate for servers alone is none for clients', async t => {
  const leaf = new X509Certificate((await other.leaf({ ...HOST, usages: ['serverAuth'] })).cert);
  t.match(judgePeer(leaf, '10.0.0.1', { ...RULES, issuers: [other.certificate] }), { why: /is not for clients/ });
  const good = new X509Certificate((await other.leaf(HOST)).cert);
  t.match(judgePeer(good, '10.0.0.1', { ...RULES, issuers: [other.certificate] }), { kind: 'host', uuid: 'h-1' });
});
