import { createHash, X509Certificate } from 'node:crypto';
import t from 'tap';
import { apiBench } from '../../helpers/api-bench.js';

t.test('enrolment tokens: the text is told once, and the store has the hash of its secret', async t => {
  const bench = await apiBench(t);
  const { body } = await bench.call('createEnrollmentToken', { zone: 'default', uses: 100, validity: 2 });
  const { token, id, expires, created } = body.enrollmenttoken;
  t.match(body.enrollmenttoken, { zone: 'default', uses: 100, used: 0, createdby: 'operator', isexpired: false });
  t.equal(Date.parse(expires) - Date.parse(created), 2 * 3_600_000);
  const [, secret, ca] = /^([\w-]{43})\.([\w-]{43})$/.exec(token) ?? [];
  const { certificate } = (await bench.call('listCaCertificate')).body.cacertificates;
  const known = createHash('sha256').update(new X509Certificate(certificate).raw).digest('base64url');
  t.equal(ca, known, 'by it the first contact is verified');
  const hash = createHash('sha256')
    .update(secret ?? '')
    .digest('hex');
  t.match(await bench.store.enrollmentToken(hash), { uuid: id });

  const listed = await bench.call('listEnrollmentTokens', { pagesize: -1 });
  t.match(listed.body, { count: 1, enrollmenttoken: [{ id, uses: 100 }] });
  const told = JSON.stringify([listed.body, bench.events, bench.log.entries]);
  for (const part of [secret ?? '-', hash]) t.notOk(told.includes(part));

  t.match((await bench.call('deleteEnrollmentToken', { id })).body, { success: true });
  t.same((await bench.call('listEnrollmentTokens')).body, {});
  t.match(
    bench.events.map(({ type, username }) => [type, username]),
    [
      ['ENROLLMENT.TOKEN.CREATE', 'operator'],
      ['ENROLLMENT.TOKEN.DELETE', 'operator'],
    ],
  );
  t.equal((await bench.call('deleteEnrollmentToken', { id })).status, 431);
});

t.test('enrolment tokens: by default for one agent and a day', async t => {
  const bench = await apiBench(t);
  const { created, expires, ...token } = (await bench.call('createEnrollmentToken')).body.enrollmenttoken;
  t.equal(token.uses, 1);
  t.equal(Date.parse(expires) - Date.parse(created), 86_400_000);
  t.notOk(['zone', 'cluster', 'guid'].some(name => name in token && token[name] !== null));
});

t.test('enrolment tokens: what is asked for is checked', async t => {
  const bench = await apiBench(t);
  for (const params of [
    { zone: 'nowhere' },
    { cluster: 'a\u0007b' },
    { guid: 'x'.repeat(256) },
    { uses: 0 },
    { uses: 100_001 },
    { validity: 0 },
    { validity: 8_785 },
    { guid: 'g', uses: 2 },
  ] as const) {
    t.equal((await bench.call('createEnrollmentToken', params)).status, 431, JSON.stringify(params));
  }
  t.same((await bench.call('listEnrollmentTokens')).body, {});
});
