import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { duplexPair } from 'node:stream';
import t, { type Test } from 'tap';
import { certificateToPin, objectionTo, TrustError } from '../../../src/agent/trust/judge.js';
import { Trust } from '../../../src/agent/trust/trust.js';
import { acceptTls, connectTls, secureContext } from '../../../src/protocol/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { cloudstackCa, leafAndRoot, plainCertificate, type TestCertificate } from '../../helpers/certificates.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testFolder } from '../../helpers/scratch.js';
import { until } from '../../helpers/until.js';

const NOW = Date.UTC(2026, 0, 1);
const EXPIRED = { notAfter: new Date(Date.UTC(2025, 11, 31)) };
const NOT_YET = { notBefore: new Date(Date.UTC(2026, 0, 2)) };

const x509 = ({ cert }: { cert: string }) => new X509Certificate(cert);

// ---- pure

t.test(
  'trust: a certificate that is byte for byte in the bundle is good while in date, whatever OpenSSL says',
  async t => {
    const ca = x509(await cloudstackCa());
    const other = x509(await plainCertificate());
    const presented = { chain: [ca], verified: false, objection: 'INVALID_PURPOSE' };
    t.equal(objectionTo(presented, { bundle: [ca], own: () => [] }, NOW), undefined);
    t.equal(objectionTo(presented, { bundle: [other, ca], own: () => [] }, NOW), undefined);
    t.match(objectionTo(presented, { bundle: [other], own: () => [] }, NOW), /does not verify .*INVALID_PURPOSE/);
    t.match(objectionTo(presented, { bundle: [ca], own: () => [] }, Date.UTC(2061, 0, 1)), /not in date/);
    t.match(
      objectionTo(presented, { bundle: [ca], own: () => [] }, Date.UTC(2019, 0, 1)),
      /is not valid before .*clock says 2019-01-01/,
    );
  },
);

t.test('trust: a chain that OpenSSL has verified is good; no certificate never is', async t => {
  const own = x509(await plainCertificate('one'));
  const other = x509(await plainCertificate('two'));
  t.equal(
    objectionTo({ chain: [own], verified: true, objection: undefined }, { bundle: [other], own: () => [] }, NOW),
    undefined,
  );
  t.match(
    objectionTo({ chain: [], verified: true, objection: undefined }, { bundle: [other], own: () => [] }, NOW),
    /no certificate/,
  );
});

t.test('trust: pins the last of a chain that holds together', async t => {
  const { leaf, root } = await leafAndRoot();
  const [leafCertificate, rootCertificate] = [new X509Certificate(leaf), new X509Certificate(root)];
  t.equal(certificateToPin([leafCertificate, rootCertificate], NOW), rootCertificate);
  t.equal(certificateToPin([leafCertificate], NOW), leafCertificate);
  const stranger = x509(await plainCertificate('stranger'));
  t.throws(() => certificateToPin([leafCertificate, stranger], NOW), TrustError, 'not signed by the next one');
  t.throws(() => certificateToPin([], NOW), TrustError);
  const [expired, notYet] = [
    x509(await plainCertificate('old', EXPIRED)),
    x509(await plainCertificate('new', NOT_YET)),
  ];
  t.throws(() => certificateToPin([expired], NOW), TrustError);
  t.throws(() => certificateToPin([notYet], NOW), {
    name: 'TrustError',
    message: /CN=new is not valid before Jan {2}2/,
  });
});

// ---- with a handshake

/** What the agent says to a server with these certificates: undefined, or why not. */
async function verdict(trust: Trust, certificates: TestCertificate, host = '127.0.0.1'): Promise<string | undefined> {
  const [agentSide, serverSide] = duplexPair();
  const common = {
    clock: new FakeClock(NOW),
    handshakeTimeoutMs: 10_000,
    remote: { address: '127.0.0.1', port: 8250 },
  };
  const { context, judge } = trust.credentials();
  const [agent, server] = await Promise.allSettled([
    connectTls(agentSide, { ...common, context, host, judge }),
    acceptTls(serverSide, { ...common, context: secureContext(certificates) }),
  ]);
  for (const end of [agent, server]) if (end.status === 'fulfilled') end.value.destroy();
  if (agent.status === 'fulfilled') return undefined;
  if (!(agent.reason instanceof TrustError)) throw agent.reason;
  return agent.reason.message;
}

async function trustIn(t: Test, bundle?: string) {
  const file = join(t.testdir(bundle === undefined ? {} : { 'cloud.ca.crt': bundle }), 'cloud.ca.crt');
  const log = new RecordingLog();
  const trust = new Trust({ folder: dirname(file), clock: new FakeClock(NOW), log });
  await trust.load();
  return { trust, file, log };
}

t.test('trust: the CA certificate itself, as a CloudStack server presents it', async t => {
  const ca = await cloudstackCa();
  const { trust } = await trustIn(t, ca.cert);
  t.equal(await verdict(trust, ca), undefined);
  t.match(await verdict(trust, await cloudstackCa()), /does not verify/, 'another one of the same name is refused');
});

t.test('trust: a chain against its root, under any name', async t => {
  const muster = await leafAndRoot();
  for (const bundle of [
    muster.root,
    muster.leaf,
    `# the old one\n${(await plainCertificate()).cert}\n${muster.root}`,
  ]) {
    const { trust } = await trustIn(t, bundle);
    t.equal(await verdict(trust, muster), undefined);
    t.equal(await verdict(trust, muster, 'ms1.example.org'), undefined, 'names are not checked');
    t.equal(await verdict(trust, { ...muster, cert: muster.leaf }, '::1'), undefined, 'nor need the root be sent');
    t.match(await verdict(trust, await leafAndRoot()), /does not verify/);
  }
});

t.test('trust: an expired certificate is refused, in the bundle, below its root, and for pinning', async t => {
  const expired = await plainCertificate('old', EXPIRED);
  t.match(await verdict((await trustIn(t, expired.cert)).trust, expired), /not in date/);
  const leaf = await leafAndRoot('muster', EXPIRED);
  t.match(await verdict((await trustIn(t, leaf.root)).trust, leaf), /CN=muster.* is not in date: it ended/);
  const { trust, log } = await trustIn(t);
  t.match(await verdict(trust, expired), /not in date/);
  t.same(log.lines, [], 'nothing is pinned');
});

t.test('regression: trust: a certificate that is not valid yet is called that, below its root too', async t => {
  // OpenSSL goes by the clock of the machine, and the words by ours.
  const future = { notBefore: new Date(Date.UTC(2100, 0, 1)), notAfter: new Date(Date.UTC(2101, 0, 1)) };
  const leaf = await leafAndRoot('muster', future);
  t.match(
    await verdict((await trustIn(t, leaf.root)).trust, leaf),
    /CN=muster.* is not valid before .*clock says 2026/,
  );
  const { trust, log } = await trustIn(t);
  t.match(await verdict(trust, leaf), /is not valid before/);
  t.same(log.lines, [], 'nothing is pinned');
});

t.test('trust: pins the first CA that it sees, loudly, and refuses another one later', async t => {
  const muster = await leafAndRoot();
  const { trust, file, log } = await trustIn(t);
  t.equal(await verdict(trust, muster), undefined);
  t.match(log.lines, [/^warn No CA known yet: pinned/]);
  t.match(log.entries[0]?.fields, { subject: 'CN=muster CA', file });
  await until(() => existsSync(file));
  t.equal(new X509Certificate(await readFile(file)).subject, 'CN=muster CA', 'the root, and not the leaf');
  t.match(await verdict(trust, await leafAndRoot()), /does not verify .*the known CA is in /);
  t.equal(await verdict(trust, muster), undefined);
  t.equal(log.lines.length, 1, 'said once');

  const again = new Trust({ folder: dirname(file), clock: new FakeClock(NOW), log });
  await again.load();
  t.equal(await verdict(again, muster), undefined, 'also after a restart');
  t.match(await verdict(again, await leafAndRoot()), /does not verify/);
});

t.test('trust: a chain with certificates that do not belong there is pinned and trusted all the same', async t => {
  const muster = await leafAndRoot();
  const { cert: other } = await plainCertificate('other');
  for (const chain of [
    [muster.leaf, other, muster.root],
    [muster.leaf, muster.leaf, muster.root],
    [muster.leaf, muster.root, other],
  ]) {
    const presented = { ...muster, cert: chain.join('\n') };
    const { trust, file } = await trustIn(t);
    t.equal(await verdict(trust, presented), undefined);
    await until(() => existsSync(file));
    t.equal(new X509Certificate(await readFile(file)).subject, 'CN=muster CA', 'the root');
    t.equal(await verdict(trust, presented), undefined, 'by the bundle');
  }
});

t.test('trust: a pin that cannot be written is kept in memory, and said', async t => {
  const log = new RecordingLog();
  const trust = new Trust({ folder: join(testFolder(t), 'missing'), clock: new FakeClock(NOW), log });
  await trust.load();
  const ca = await cloudstackCa();
  t.equal(await verdict(trust, ca), undefined);
  await until(() => log.count('error Cannot write the pinned CA') === 1);
  t.equal(await verdict(trust, ca), undefined);
  t.match(await verdict(trust, await cloudstackCa()), /does not verify/);
});

t.test('trust: a file that is no bundle is an error that names it', async t => {
  const { cert } = await plainCertificate();
  for (const [text, message] of [
    ['', /has no certificate in it/],
    ['garbage', /has no certificate in it/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /certificate 1 cannot be read/],
    [`${cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, /certificate 2 cannot be read/],
  ] as const) {
    const file = join(t.testdir({ 'cloud.ca.crt': text }), 'cloud.ca.crt');
    const trust = new Trust({ folder: dirname(file), clock: new FakeClock(NOW), log: new RecordingLog() });
    await t.rejects(trust.load(), { name: 'TrustError', message });
  }
  const folder = t.testdir({ 'cloud.ca.crt': {} });
  const trust = new Trust({ folder, clock: new FakeClock(NOW), log: new RecordingLog() });
  await t.rejects(trust.load(), { name: 'TrustError', message: /cannot read .*cloud\.ca\.crt/ });
});

t.test('trust: a file that turns bad leaves the bundle that was read before', async t => {
  const ca = await cloudstackCa();
  const { trust, file } = await trustIn(t, ca.cert);
  await writeFile(file, 'garbage');
  await t.rejects(trust.load(), TrustError);
  t.equal(await verdict(trust, ca), undefined);
  const next = await cloudstackCa('next');
  await writeFile(file, next.cert + ca.cert);
  await trust.load();
  t.equal(await verdict(trust, next), undefined, 'and a good one is taken');
});
