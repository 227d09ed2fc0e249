import t from 'tap';
import { MGMT_LIMITS } from '../../../../src/mgmt/config/limits.js';
import { isOfOwnPage, isSameOrigin } from '../../../../src/mgmt/http/console/own-page.js';
import { isGoodToken, readSessionToken, sessionToken } from '../../../../src/mgmt/http/console/session-token.js';
import { Sessions } from '../../../../src/mgmt/http/console/sessions.js';
import type { ApiKey } from '../../../../src/mgmt/security/api-keys.js';
import { FakeClock } from '../../../../src/testing/fake-clock.js';

const CLAIM = { keyId: '6e1b1a52-0000-4000-8000-000000000001', id: 'abc_-1', ends: 1_000 };

function key(name: string): ApiKey {
  const id = `id-of-${name}`;
  return { id, name, role: 'operator', apiKey: name, secretKey: `secret of ${name}`, created: 0, createdBy: null };
}

t.test('session token: says what it was made of, and is good under its secret until its end', async t => {
  const token = readSessionToken(sessionToken(CLAIM, 'secret'));
  t.same(token?.claim, CLAIM);
  if (token === undefined) return;
  t.equal(isGoodToken(token, 'secret', 999), true);
  t.equal(isGoodToken(token, 'secret', 1_000), false, 'its end has come');
  t.equal(isGoodToken(token, 'another', 999), false);
  const forged = { ...token, claim: { ...token.claim, ends: 9_999 } };
  t.equal(isGoodToken(forged, 'secret', 999), false, 'nobody can make it longer');
});

t.test('session token: what is none is none', async t => {
  const good = sessionToken(CLAIM, 'secret');
  for (const text of ['', 'a.b.c', 'a.b.1', `${good}.x`, good.replace('1000', '1e9'), 'x'.repeat(10_000)]) {
    t.equal(readSessionToken(text), undefined, text.slice(0, 40));
  }
});

t.test('sessions: one ends when it is ended, when its time is over, and when its key is deleted', async t => {
  const clock = new FakeClock();
  const keys = { all: [key('one'), key('two')] };
  const sessions = new Sessions({ clock, keys });
  const [one, two] = keys.all.map(each => sessions.begin(each));
  t.equal(sessions.find(one?.token)?.key.name, 'one');
  t.equal(sessions.find(undefined), undefined);
  t.equal(
    new Sessions({ clock, keys }).find(one?.token)?.key.name,
    'one',
    'another server knows it, or this one after a restart',
  );
  if (one !== undefined) sessions.end(one.session);
  t.equal(sessions.find(one?.token), undefined);
  t.equal(sessions.find(two?.token)?.key.name, 'two');
  const kept = keys.all.splice(1, 1);
  t.equal(sessions.find(two?.token), undefined, 'its key is deleted');
  keys.all.push(...kept);
  await clock.advance(MGMT_LIMITS.consoleSessionMs);
  t.equal(sessions.find(two?.token), undefined, 'it is over');
});

t.test('own page: the header and the origin decide', async t => {
  const host = 'ms1:8080';
  const marked = { host, 'x-muster-console': '1' };
  t.equal(isOfOwnPage(marked), true);
  t.equal(isOfOwnPage({ ...marked, origin: 'https://ms1:8080', 'sec-fetch-site': 'same-origin' }), true);
  t.equal(isOfOwnPage({ host }), false, 'no header');
  for (const other of [
    { origin: 'https://evil.example' },
    { origin: 'https://ms1:9090' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
  ] as const) {
    t.equal(isOfOwnPage({ ...marked, ...other }), false, JSON.stringify(other));
    t.equal(isSameOrigin({ host, ...other }), false);
  }
  t.equal(isSameOrigin({ host }), true);
});
