import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Console } from '../../../../src/mgmt/http/console/console.js';
import { httpServer, listenHttp } from '../../../../src/mgmt/http/http-server.js';
import { apiSecureContext } from '../../../../src/mgmt/security/server-certificate.js';
import { FakeClock } from '../../../../src/testing/fake-clock.js';
import { apiBench, KEYS } from '../../../helpers/api-bench.js';
import { signedFiles } from '../../../helpers/openssl.js';
import { testFolder } from '../../../helpers/scratch.js';

const OWN = { 'x-muster-console': '1' };

/** The port of a server with the console, over a real API. @param tls whether it speaks TLS */
async function serve(t: Test, { tls = false } = {}) {
  const bench = await apiBench(t);
  const { api, handlers, apiKeys: keys, clock, log, store } = bench;
  const folder = testFolder(t);
  writeFileSync(join(folder, 'index.html'), '<!doctype html>');
  writeFileSync(join(folder, 'console-ABC.js'), '');
  const console = new Console({ clock, log, keys, handlers, api, store, canary: () => undefined });
  const state = { isStarting: false };
  const { cert, key } = signedFiles(testFolder(t), 'IP:127.0.0.1');
  const pem = (path: string) => readFileSync(path, 'utf8');
  const app = httpServer({
    clock: new FakeClock(),
    ...(tls && { secureContext: () => apiSecureContext({ cert: pem(cert), key: pem(key) }) }),
    api,
    notReady: () => undefined,
    console: { folder, console: () => (state.isStarting ? undefined : console) },
  });
  t.teardown(() => app.close());
  const port = await listenHttp(app, '127.0.0.1', 0);
  const base = `http://127.0.0.1:${port}`;
  const signIn = (pair: { readonly apiKey: string; readonly secretKey: string } = KEYS, headers: object = OWN) =>
    fetch(`${base}/console/session`, {
      method: 'POST',
      headers: { ...headers },
      body: new URLSearchParams({ ...pair }),
    });
  const cookieOf = (response: Response) => response.headers.get('set-cookie')?.split(';')[0] ?? '';
  const session = (cookie: string, headers: object = OWN) =>
    fetch(`${base}/console/session`, { headers: { ...headers, cookie } });
  const ask = (command: string, cookie: string, headers: object = OWN) =>
    fetch(`${base}/client/api?command=${command}`, { headers: { ...headers, cookie } });
  return { ...bench, base, state, signIn, cookieOf, session, ask };
}

t.test('console: the page is served with a strict policy, and its assets for ever', async t => {
  const { base } = await serve(t);
  const page = await fetch(`${base}/`);
  t.equal(page.status, 200);
  t.equal(page.headers.get('cache-control'), 'no-cache');
  const policy = page.headers.get('content-security-policy') ?? '';
  t.match(policy, /^default-src 'none';script-src 'self';style-src 'self';/);
  t.match(policy, /frame-ancestors 'none'/);
  t.notMatch(policy, /unsafe|https?:|\*/);
  t.equal(page.headers.get('strict-transport-security'), null);
  const asset = await fetch(`${base}/console-ABC.js`);
  t.match(asset.headers.get('cache-control'), /immutable/);
  t.equal((await fetch(`${base}/../package.json`)).status, 404);
});

t.test('console: who signs in has a session of the API, with the rights of the key', async t => {
  const { signIn, cookieOf, session, ask, apiKeys } = await serve(t);
  const response = await signIn();
  t.match(await response.json(), { name: 'operator', role: 'operator' });
  t.match(response.headers.get('set-cookie'), /^muster=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  const cookie = cookieOf(response);
  t.equal((await session(cookie)).status, 200);
  t.equal((await ask('listHosts', cookie)).status, 200);
  const reader = await apiKeys.create({ name: 'looks', role: 'reader' }, 'operator');
  const ofReader = cookieOf(await signIn(reader));
  t.equal((await ask('listHosts', ofReader)).status, 200);
  const refused = await ask('rebalanceAgents', ofReader);
  t.equal(refused.status, 432);
  t.match(await refused.text(), /has the role reader, and operator is needed/);
  await apiKeys.delete(reader.id);
  t.equal((await ask('listHosts', ofReader)).status, 401, 'its key is deleted');
  t.equal((await session(ofReader)).status, 401);
});

t.test('console: a request of another page has no session', async t => {
  const { base, signIn, cookieOf, session, ask } = await serve(t);
  t.equal((await signIn(KEYS, {})).status, 403, 'not even to sign in');
  const cookie = cookieOf(await signIn());
  for (const headers of [{}, { ...OWN, origin: 'https://evil.example' }, { ...OWN, 'sec-fetch-site': 'cross-site' }]) {
    t.equal((await ask('listHosts', cookie, headers)).status, 401, JSON.stringify(headers));
    t.equal((await session(cookie, headers)).status, 401);
    const bye = await fetch(`${base}/console/session`, { method: 'DELETE', headers: { ...headers, cookie } });
    t.equal(bye.status, 401);
  }
  const stream = await fetch(`${base}/console/stream`, { headers: { cookie, 'sec-fetch-site': 'cross-site' } });
  t.equal(stream.status, 401);
  t.equal((await session(cookie)).status, 200);
});

t.test('console: signing out ends the session, for whoever has the cookie', async t => {
  const { base, signIn, cookieOf, ask } = await serve(t);
  const cookie = cookieOf(await signIn());
  const bye = await fetch(`${base}/console/session`, { method: 'DELETE', headers: { ...OWN, cookie } });
  t.equal(bye.status, 204);
  t.match(bye.headers.get('set-cookie'), /^muster=; /);
  t.equal((await ask('listHosts', cookie)).status, 401);
});

t.test('console: wrong secrets are refused, later and later, and then at once', async t => {
  const { signIn, clock } = await serve(t);
  const wrong = { ...KEYS, secretKey: 'guessed' };
  const refused = await signIn(wrong);
  t.equal(refused.status, 401);
  t.equal(refused.headers.get('set-cookie'), null);
  for (let i = 0; i < 5; i++) await signIn(wrong);
  let isAnswered = false;
  const held = signIn(wrong).then(response => {
    isAnswered = true;
    return response.status;
  });
  while (clock.pending === 0) await new Promise(resolve => setImmediate(resolve));
  t.equal(isAnswered, false, 'it is held back');
  await clock.advance(5_000);
  t.equal(await held, 401);
  t.equal((await signIn()).status, 200, 'the right one is not held back');
});

t.test('console: the stream tells what is, with a cursor', async t => {
  const { base, signIn, cookieOf, addHosts } = await serve(t);
  await addHosts(2);
  const cookie = cookieOf(await signIn());
  t.equal((await fetch(`${base}/console/stream`)).status, 401);
  const ending = new AbortController();
  const response = await fetch(`${base}/console/stream?after=0-0-0`, { headers: { cookie }, signal: ending.signal });
  t.equal(response.headers.get('content-type'), 'text/event-stream');
  let text = '';
  const reader = response.body?.getReader();
  while (!/event: moves\ndata: .*\n\n/.test(text)) text += new TextDecoder().decode((await reader?.read())?.value);
  ending.abort();
  t.match(text, /^id: \d+-0-\d+\nevent: hello\ndata: \{"time":\d+,"isstoreaway":false\}\n\n/);
  t.match(text, /event: servers\ndata: \[\{.*"serviceip":"192.0.2.1"/);
  t.notMatch(text, /"lastagents"/);
  t.match(text, /"hostname":"host-2"/);
});

t.test('console: under TLS the cookie goes over TLS alone, to this host alone', async t => {
  const { base } = await serve(t, { tls: true });
  const form = new URLSearchParams({ ...KEYS }).toString();
  const headers = { ...OWN, 'content-type': 'application/x-www-form-urlencoded', 'content-length': form.length };
  const url = base.replace('http:', 'https:');
  const cookie = await new Promise<string[] | undefined>((resolve, reject) => {
    // The certificate is not what this test is about.
    const options = { method: 'POST', headers, rejectUnauthorized: false };
    const sent = request(`${url}/console/session`, options, response => resolve(response.headers['set-cookie']));
    sent.on('error', reject).end(form);
  });
  t.match(cookie?.[0], /^__Host-muster=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
});

t.test('console: while the server starts, the page is there and says so', async t => {
  const { base, state, signIn, session } = await serve(t);
  state.isStarting = true;
  t.equal((await fetch(`${base}/`)).status, 200);
  t.equal((await signIn()).status, 503);
  t.equal((await session('')).status, 503);
  t.equal((await fetch(`${base}/console/stream`)).status, 503);
});
