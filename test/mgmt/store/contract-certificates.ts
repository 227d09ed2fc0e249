import type { NewCertificate, NewEnrollmentToken, Store } from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';
import { type FreshStore, storeTest } from './store-test.js';

const DAY_MS = 86_400_000;
const IN_A_YEAR = Date.now() + 365 * DAY_MS;

const certificate = (serial: string, more: Partial<NewCertificate> = {}): NewCertificate => ({
  serial,
  kind: 'host',
  hostId: 1,
  guid: 'one',
  cn: 'host ü',
  keyFingerprint: 'a'.repeat(64),
  issuerFingerprint: 'b'.repeat(64),
  bundle: 0,
  notBefore: 1_000,
  notAfter: IN_A_YEAR,
  created: 2_000,
  ...more,
});

const token = (hash: string, more: Partial<NewEnrollmentToken> = {}): NewEnrollmentToken => ({
  hash,
  zone: 'default',
  cluster: null,
  guid: null,
  uses: 1,
  validForMs: DAY_MS,
  createdBy: 'admin',
  ...more,
});

const revocation = (serial: string) => ({ serial, cn: 'host', by: 'admin', at: 5_000 });

/** Certificates, revocations, and tokens for enrolment. */
export function certificatesContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('certificates: one that was issued is found by its serial, and its holder confirms it', async (t, store) => {
    t.equal(await store.certificate('4f01'), undefined);
    await store.addCertificate(certificate('4f01'));
    t.strictSame(await store.certificate('4f01'), { ...certificate('4f01'), installed: null, revoked: null });
    await store.certificatesInstalled([], 3_000);
    await store.certificatesInstalled(['4f02', '4f01'], 3_000);
    t.match(await store.certificate('4f01'), { installed: 3_000 });
    await store.certificatesInstalled(['4f01'], 4_000);
    t.match(await store.certificate('4f01'), { installed: 3_000 }, 'the first time counts');
    await t.rejects(store.addCertificate(certificate('4f01')), { name: 'StoreError' }, 'no serial twice');
  });

  test('certificates: a host has the newest one that its agent has confirmed', async (t, store) => {
    await store.addCertificate(certificate('a1', { created: 1 }));
    await store.addCertificate(certificate('a2', { created: 2 }));
    await store.addCertificate(certificate('a3', { created: 3 }));
    await store.addCertificate(certificate('b1', { hostId: 2, kind: 'address' }));
    await store.addCertificate(certificate('c1', { hostId: null, kind: 'csr', guid: null }));
    t.strictSame(await store.hostCertificates([1, 2, 3]), [], 'none is confirmed');
    await store.certificatesInstalled(['a1', 'a2', 'b1', 'c1'], 9);
    const found = await store.hostCertificates([1, 2, 3]);
    t.strictSame(found.map(({ hostId, serial }) => [hostId, serial]).sort(), [
      [1, 'a2'],
      [2, 'b1'],
    ]);
    t.strictSame(await store.hostCertificates([]), []);
    await store.revokeCertificate(revocation('a2'));
    t.match(await store.hostCertificates([1]), [{ serial: 'a2', revoked: 5_000 }]);
  });

  test('certificates: those that have ended are deleted, and what is revoked stays revoked', async (t, store) => {
    await store.addCertificate(certificate('a1', { notAfter: 100 }));
    await store.addCertificate(certificate('a2', { notAfter: 200 }));
    await store.revokeCertificate(revocation('a1'));
    t.equal(await store.deleteCertificatesBefore(200), 1);
    t.equal(await store.deleteCertificatesBefore(200), 0);
    t.equal(await store.certificate('a1'), undefined);
    t.match(await store.certificate('a2'), { serial: 'a2' });
    t.strictSame(await store.revocations(0), [{ id: 1, serial: 'a1' }]);
  });

  test('revocations: each is read once, and the configuration says that there are new ones', async (t, store, open) => {
    t.equal((await store.configuration()).revocation, 0);
    t.equal(await store.revokeCertificate(revocation('a1')), true);
    t.equal(await store.revokeCertificate(revocation('a1')), false, 'it is revoked already');
    t.equal((await store.configuration()).revocation, 1);
    const stores = [store, await open(), await open()];
    const serials = Array.from({ length: 9 }, (_, i) => `b${i}`);
    await Promise.all(serials.map((serial, i) => stores[i % 3]?.revokeCertificate(revocation(serial))));
    const later = await store.revocations(1);
    t.strictSame(
      later.map(({ id }) => id),
      [2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    t.strictSame(later.map(({ serial }) => serial).sort(), serials);
    t.match(await store.configuration(), { revocation: 10, version: 0 });
  });

  test('revocations: of servers that revoke the same certificate one has done it', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const done = await Promise.all(stores.map(s => s.revokeCertificate(revocation('a1'))));
    t.equal(done.filter(Boolean).length, 1);
    t.strictSame(await store.revocations(0), [{ id: 1, serial: 'a1' }]);
  });

  test('CAs: one after the other, each step once, whichever server takes it', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const first = (fingerprint: string) => ({ fingerprint, chainPem: 'PEM', secret: 'ca', created: 1_000 });
    await Promise.all(stores.map((s, i) => s.addFirstAuthority(first(`f${i}`))));
    const [issuing, ...others] = await store.authorities();
    t.match(issuing, { state: 'issuing', generation: 0, secret: 'ca', crossPem: null });
    t.strictSame(others, []);
    const former = issuing?.fingerprint ?? '';
    await store.createSecret('ca', Buffer.from('sealed'));

    const next = (fingerprint: string) => ({
      ...{ fingerprint, chainPem: 'PEM 2', crossPem: 'CROSS', created: 2_000 },
      ...{ secret: `ca.${fingerprint}`, sealed: Buffer.from(fingerprint) },
    });
    t.equal(await store.switchAuthority('n0', 3_000), false, 'none is introduced');
    const introduced = await Promise.all(stores.map((s, i) => s.introduceAuthority(next(`n${i}`))));
    t.strictSame(
      introduced.filter(generation => generation !== undefined),
      [1],
    );
    const wanted = `n${introduced.indexOf(1)}`;
    t.match(await store.authorities(), [
      { state: 'issuing' },
      { fingerprint: wanted, state: 'introduced', generation: 1 },
    ]);
    t.strictSame(Buffer.from((await store.secret(`ca.${wanted}`)) ?? []).toString(), wanted);
    t.equal((await store.secrets()).size, 2, 'of the others there is no secret');
    t.match(await store.configuration(), { authorities: 1, version: 0 });

    const switched = await Promise.all(stores.map(s => s.switchAuthority(wanted, 4_000)));
    t.equal(switched.filter(Boolean).length, 1);
    t.match(await store.authorities(), [
      { fingerprint: former, state: 'trusted', changed: 4_000 },
      { fingerprint: wanted, state: 'issuing', changed: 4_000 },
    ]);
    t.equal(await store.introduceAuthority(next('n9')), undefined, 'the former one counts still');
    t.equal(await store.dropAuthority(wanted, 5_000), false, 'it issues');
    const dropped = await Promise.all(stores.map(s => s.dropAuthority(former, 5_000)));
    t.equal(dropped.filter(Boolean).length, 1);
    t.equal(await store.secret('ca'), undefined);
    t.match(await store.authorities(), [{ state: 'dropped' }, { state: 'issuing' }]);
    t.match(await store.configuration(), { authorities: 3 });
  });

  test('CAs: which hosts have not come so far', async (t, store) => {
    const zone = await store.zoneId('default');
    const hosts = [];
    for (const guid of ['old', 'new', 'away', 'bare'])
      hosts.push((await registerHost(store, hostDescription(guid, zone))).host);
    const [old, fresh, away, bare] = hosts.map(({ id }) => id);
    const give = async (serial: string, more: Partial<NewCertificate>) => {
      await store.addCertificate(certificate(serial, more));
      await store.certificatesInstalled([serial], 1);
    };
    await give('a1', { hostId: old ?? 0 });
    await give('a2', { hostId: fresh ?? 0 });
    await give('a3', { hostId: fresh ?? 0, bundle: 1, issuerFingerprint: 'c', created: 3_000 });
    await give('a4', { hostId: away ?? 0, bundle: 1 });
    await store.addCertificate(certificate('a5', { hostId: old ?? 0, bundle: 1, created: 4_000 }));
    await store.addCertificate(certificate('a6', { hostId: bare ?? 0 }));
    t.match(
      await store.hostsBehindAuthority({ generation: 0 }),
      { count: 1, up: 0, names: ['name of bare'] },
      'a6 was never confirmed',
    );
    t.match(await store.hostsBehindAuthority({ generation: 1 }), { count: 2 }, 'a5 was never confirmed');
    t.match(await store.hostsBehindAuthority({ generation: 1, fingerprint: 'c' }), { count: 3 });
    await store.revokeCertificate(revocation('a1'));
    await store.revokeCertificate(revocation('a5'));
    t.match(
      await store.hostsBehindAuthority({ generation: 1 }),
      { count: 1 },
      'a host whose certificates were revoked does not count',
    );
  });

  test('certificates: one without a host belongs to the guid that was seen first with it', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const bound = await Promise.all(stores.map((s, i) => s.bindCertificate('f'.repeat(64), `guid ${i}`, 1)));
    t.equal(new Set(bound).size, 1);
    t.equal(await store.bindCertificate('f'.repeat(64), 'late', 2), bound[0]);
    t.equal(await store.bindCertificate('e'.repeat(64), 'late', 2), 'late');
  });

  test('tokens: one is made, listed, found by its hash, and removed', async (t, store) => {
    t.equal(await store.enrollmentToken('h1'), undefined);
    const made = await store.createEnrollmentToken(token('h1', { cluster: 'c', guid: 'g', uses: 3 }));
    t.match(made, { id: 1, uuid: /^[0-9a-f-]{36}$/, hash: 'h1', used: 0, isExpired: false, removed: null });
    t.match(made, { zone: 'default', cluster: 'c', guid: 'g', uses: 3, createdBy: 'admin' });
    t.equal(made.expires - made.created, DAY_MS);
    t.ok(Math.abs(made.created - Date.now()) < 10_000);
    t.strictSame(await store.enrollmentToken('h1'), made);
    await store.createEnrollmentToken(token('h2'));
    const page = await store.enrollmentTokens({ page: 1, pagesize: 1 });
    t.match(page, { count: 2, rows: [{ hash: 'h2' }] });
    t.match(await store.removeEnrollmentToken(made.uuid, 7), { hash: 'h1' });
    t.equal(await store.removeEnrollmentToken(made.uuid, 8), undefined);
    t.match(await store.enrollmentToken('h1'), { removed: 7 });
    t.match(await store.enrollmentTokens({ page: 1, pagesize: 9 }), { count: 1, rows: [{ hash: 'h2' }] });
    await t.rejects(store.createEnrollmentToken(token('h2')), { name: 'StoreError' });
  });

  test('tokens: the first use makes the host, and the same guid and key may repeat it', async (t, store) => {
    const zone = await store.zoneId('default');
    await store.createEnrollmentToken(token('h'));
    const use = useBy(store, zone);
    const first = await use('h', 'one', 'key');
    t.match(first, { kind: 'enrolled', isNew: true, host: { status: 'Creating', guid: 'one', msid: null, epoch: 0 } });
    const hostOfFirst = first.kind === 'enrolled' ? first.host : undefined;
    t.match(hostOfFirst, { name: 'name of one', zoneId: zone, cluster: 'cluster', clusterId: 1, podId: 1 });
    t.match(await store.findHosts({ page: 1, pagesize: 9 }), { count: 1, rows: [{ uuid: hostOfFirst?.uuid }] });
    const again = await use('h', 'one', 'key');
    t.match(again, { kind: 'enrolled', isNew: false, host: { uuid: hostOfFirst?.uuid } });
    t.strictSame(await use('h', 'one', 'other key'), { kind: 'refused', reason: 'spent' });
    t.strictSame(await use('h', 'two', 'key'), { kind: 'refused', reason: 'spent' });
    t.match(await store.enrollmentToken('h'), { used: 1 });
    const { host } = await registerHost(store, hostDescription('one', zone));
    t.match(host, { uuid: hostOfFirst?.uuid, status: 'Connecting' }, 'its agent comes with the certificate');
  });

  test('tokens: one that is wrong, removed, expired or for another guid is refused, and changes nothing', async (t, store) => {
    const zone = await store.zoneId('default');
    const use = useBy(store, zone);
    const made = await store.createEnrollmentToken(token('h1'));
    await store.removeEnrollmentToken(made.uuid, 1);
    await store.createEnrollmentToken(token('h2', { validForMs: 0 }));
    await store.createEnrollmentToken(token('h3', { guid: 'other' }));
    t.strictSame(await use('none', 'one', 'key'), { kind: 'refused', reason: 'unknown' });
    t.strictSame(await use('h1', 'one', 'key'), { kind: 'refused', reason: 'removed' });
    t.strictSame(await use('h2', 'one', 'key'), { kind: 'refused', reason: 'expired' });
    t.strictSame(await use('h3', 'one', 'key'), { kind: 'refused', reason: 'other-guid' });
    t.match(await store.enrollmentToken('h2'), { isExpired: true, used: 0 });
    t.match(await store.findHosts({ page: 1, pagesize: 9 }), { count: 0 });
  });

  test('tokens: a host with a certificate in force is not given to another key, unless the token is for its guid', async (t, store) => {
    const zone = await store.zoneId('default');
    const use = useBy(store, zone);
    const { host } = await registerHost(store, hostDescription('one', zone));
    await store.createEnrollmentToken(token('h', { uses: 9 }));
    await store.createEnrollmentToken(token('for one', { guid: 'one', uses: 9 }));
    await store.addCertificate(certificate('a1', { hostId: host.id, keyFingerprint: 'old key', notAfter: 1 }));
    t.match(await use('h', 'one', 'old key'), { kind: 'enrolled' }, 'one that has ended does not count');
    await store.addCertificate(certificate('a2', { hostId: host.id, keyFingerprint: 'key' }));
    t.strictSame(await use('h', 'one', 'stolen'), { kind: 'refused', reason: 'certified' });
    t.match(await use('h', 'one', 'key'), { kind: 'enrolled', isNew: false });
    t.match(await use('for one', 'one', 'new key'), { kind: 'enrolled', host: { uuid: host.uuid } });
    await store.revokeCertificate(revocation('a2'));
    t.match(await use('h', 'one', 'another'), { kind: 'enrolled' }, 'nor does a revoked one');
  });

  test('tokens: raced by many, one is used as often as allowed', async (t, store, open) => {
    const zone = await store.zoneId('default');
    await store.createEnrollmentToken(token('h', { uses: 4 }));
    const uses = [store, await open(), await open()].map(s => useBy(s, zone));
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => uses[i % 3]?.('h', `guid ${i}`, `key ${i}`)),
    );
    t.equal(outcomes.filter(outcome => outcome?.kind === 'enrolled').length, 4);
    t.match(await store.enrollmentToken('h'), { used: 4 });
    t.match(await store.findHosts({ page: 1, pagesize: 99 }), { count: 4 });
  });

  test('tokens: those that expired long ago are deleted', async (t, store) => {
    const made = await store.createEnrollmentToken(token('h1', { validForMs: 0 }));
    await store.createEnrollmentToken(token('h2'));
    t.equal(await store.deleteEnrollmentTokensBefore(made.expires + 1), 1);
    t.equal(await store.deleteEnrollmentTokensBefore(made.expires + 1), 0);
    t.equal(await store.enrollmentToken('h1'), undefined);
    t.match(await store.enrollmentToken('h2'), { hash: 'h2' });
  });
}

const useBy = (store: Store, zone: number) => (hash: string, guid: string, keyFingerprint: string) =>
  store.useEnrollmentToken({ hash, keyFingerprint, host: hostDescription(guid, zone) });
