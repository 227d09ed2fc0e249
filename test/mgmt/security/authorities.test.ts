import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog } from '../../../src/lib/logger.js';
import { systemRandom } from '../../../src/lib/random.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import { viewOf } from '../../../src/mgmt/security/authorities.js';
import { ClusterCa } from '../../../src/mgmt/security/cluster-ca.js';
import { loadGivenCa } from '../../../src/mgmt/security/given-ca.js';
import { sealUnder } from '../../../src/mgmt/security/sealing-key.js';
import type { AuthorityRow, AuthorityState } from '../../../src/mgmt/store/store.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { certificateFile } from '../../helpers/wire.js';

const clock = new FakeClock(Date.UTC(2026, 10, 27, 9, 0, 0));
const parts = { clock, random: systemRandom };
const sealingKey = sealUnder(new Uint8Array(32).fill(9), 'key.file=muster.key');

const row = (fingerprint: string, state: AuthorityState, generation: number, isGiven = false): AuthorityRow => ({
  ...{ fingerprint, state, generation, chainPem: `${fingerprint} PEM`, created: 1, changed: 1 },
  secret: isGiven ? null : `ca.${fingerprint}`,
  crossPem: generation === 0 ? null : `${fingerprint} CROSS`,
});

/** Which one signs, whether it is current, all that count, who vouches for it. */
function seen(rows: readonly AuthorityRow[], given?: string) {
  const view = viewOf(rows, given);
  if (view === undefined) return undefined;
  const { signing, isCurrent, trusted, voucher } = view;
  return [signing.fingerprint, isCurrent, trusted.map(({ fingerprint }) => fingerprint).join(), voucher?.fingerprint];
}

t.test('CAs: which one a server signs with, while one takes the place of the other', async t => {
  const first = row('a', 'issuing', 0);
  t.strictSame(seen([first]), ['a', true, 'a', undefined]);
  t.strictSame(seen([first, row('b', 'introduced', 1)]), ['a', true, 'a,b', undefined]);
  const former = row('a', 'trusted', 0);
  t.strictSame(seen([former, row('b', 'issuing', 1)]), ['b', true, 'b,a', 'a'], 'the former one vouches for it');
  t.strictSame(seen([row('a', 'dropped', 0), row('b', 'issuing', 1)]), ['b', true, 'b', undefined]);
  t.strictSame(seen([first, row('b', 'dropped', 1)]), ['a', true, 'a', undefined]);
});

t.test('CAs: a server with one in files signs with that while it counts', async t => {
  const before = [row('a', 'issuing', 0), row('b', 'introduced', 1, true)];
  t.strictSame(seen(before, 'b'), ['b', false, 'b,a', 'a'], 'it is ahead of the others');
  const after = [row('a', 'trusted', 0), row('b', 'issuing', 1, true)];
  t.strictSame(seen(after, 'b'), ['b', true, 'b,a', 'a']);
  t.strictSame(seen(after), ['a', false, 'a,b', undefined], 'a server without the files is behind');
  t.equal(seen([row('a', 'dropped', 0), row('b', 'issuing', 1, true)]), undefined, 'and can sign no longer');
  t.equal(seen(before, 'c'), undefined, 'nobody knows this one');
});

async function opened(t: Test, given: 'given' | 'none') {
  const files = t.testdir({ 'ca.crt': certificateFile('root.crt'), 'ca.key': certificateFile('root.key') });
  const store = await openStore(`sqlite:${join(files, 'muster.db')}`, { ...parts, log: silentLog, thread: 'same' });
  t.teardown(() => store.close());
  const { ca } = await loadGivenCa({ certFile: join(files, 'ca.crt'), keyFile: join(files, 'ca.key') }, parts);
  const open = (own?: typeof ca) => ClusterCa.open({ ...parts, store, sealingKey, given: own });
  return { store, ca, open, first: await open(given === 'given' ? ca : undefined) };
}

t.test('CAs: servers need the CA that the cluster has', async t => {
  const { ca, open, first } = await opened(t, 'given');
  t.equal(first.fingerprint, ca.fingerprint);
  t.equal((await open(ca)).fingerprint, ca.fingerprint);
  await t.rejects(open(), {
    name: 'ConfigError',
    message: /^ca\.cert=: the cluster's CA is given in files: .*is needed/,
  });
});

t.test('CAs: one in files that agents do not know is refused, until it is introduced', async t => {
  const { store, ca, open, first } = await opened(t, 'none');
  await t.rejects(open(ca), {
    name: 'ConfigError',
    message: /agents trust the CA with SHA-256 .*introduceCertificateAuthority/,
  });
  await store.introduceAuthority(await first.successor(certificateFile('root.crt')));
  const ahead = await open(ca);
  t.match(
    { fingerprint: ahead.fingerprint, isCurrent: ahead.isCurrent },
    { fingerprint: ca.fingerprint, isCurrent: false },
  );
  const { chainPem } = await ahead.issueServerCertificate({ addresses: ['192.0.2.1'], msid: 1 });
  const [leaf, cross, root] = chainPem.split(/(?<=-----END CERTIFICATE-----\n)/).map(pem => new X509Certificate(pem));
  t.equal(leaf && cross && leaf.verify(cross.publicKey), true);
  t.equal(cross && root && cross.verify(root.publicKey), true, 'the CA of the store vouches for it');
  t.equal(ahead.anchorFingerprint, first.fingerprint);
  t.match(await first.follow(0), false, 'nothing new');
  let told = 0;
  first.onChange(() => told++);
  t.equal(await first.follow(1), true);
  t.equal(told, 1);
  t.equal(first.signers.length, 2);
  t.match(first.bundle, { generation: 1 });
});
