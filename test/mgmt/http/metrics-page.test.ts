import t from 'tap';
import { Api } from '../../../src/mgmt/http/api.js';
import { httpServer, listenHttp } from '../../../src/mgmt/http/http-server.js';
import { metricsPage } from '../../../src/mgmt/http/metrics-page.js';
import type { ApiKey } from '../../../src/mgmt/security/api-keys.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const KEY: ApiKey = {
  ...{ id: 'u', name: 'prometheus', role: 'reader', created: 0, createdBy: null },
  ...{ apiKey: 'KEY', secretKey: 'SEC:RET' },
};
const AWAY = '198.51.100.1';

function bench() {
  const clock = new FakeClock();
  const api = new Api({
    clock,
    log: new RecordingLog(),
    keys: { find: apiKey => (apiKey === KEY.apiKey ? KEY : undefined) },
    handlers: async () => {
      throw new Error('nobody calls the API');
    },
    store: { noteRequest: async () => true },
    events: { add() {} },
  });
  const source = { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' };
  const page = metricsPage(() => ({ source, api }));
  const ask = (address: string, authorization?: string, isForwarded = false) =>
    page({ address, authorization, isForwarded });
  return { clock, page, ask };
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

t.test('metrics: on the machine itself no key is needed, unless somebody else is behind it', async t => {
  const { ask } = bench();
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) {
    t.match(await ask(address), { status: 200, text: 'up 1\n', isSigned: false }, address);
  }
  t.match(await ask('127.0.0.1', undefined, true), { status: 401 }, 'a proxy asks for another');
  t.match(await ask('::ffff:10.0.0.1'), { status: 401 });
});

t.test('metrics: from elsewhere a key and its secret are needed, by HTTP Basic', async t => {
  const { ask } = bench();
  t.match(await ask(AWAY, basic('KEY:SEC:RET')), { status: 200, isSigned: true }, 'the role reader is enough');
  const wrong = [
    undefined,
    'Bearer KEY:SEC:RET',
    'Basic',
    'Basic !!!',
    basic('KEY'),
    basic('KEY:'),
    basic(':SEC:RET'),
    basic('KEY:SECRET'),
    basic('key:SEC:RET'),
  ];
  const { ask: askAnew } = bench();
  for (const authorization of wrong.slice(0, 5))
    t.match(await ask(AWAY, authorization), { status: 401 }, `${authorization}`);
  for (const authorization of wrong.slice(5))
    t.match(await askAnew(AWAY, authorization), { status: 401 }, `${authorization}`);
});

t.test('metrics: who fails too often is refused at once, and a right key never is', async t => {
  const { ask, clock } = bench();
  for (let failures = 0; failures < 100; failures++) {
    const answer = ask(AWAY, basic('KEY:wrong'));
    await clock.advance(5_000);
    await answer;
  }
  let last = 0;
  for (let tries = 0; tries < 100 && last !== 429; tries++) {
    const answer = ask(AWAY, basic('KEY:wrong'));
    await clock.advanceToNext(1);
    last = (await Promise.race([answer, clock.turn().then(() => ({ status: 0 }))])).status;
  }
  t.equal(last, 429);
  t.match(await ask(AWAY, basic('KEY:SEC:RET')), { status: 200 });
});

t.test('metrics: a server that starts says so, and what fails says nothing of itself', async t => {
  t.match(await metricsPage(() => undefined)({ address: '127.0.0.1', authorization: undefined, isForwarded: false }), {
    status: 503,
    text: /starting/,
  });
  const source = { contentType: '', text: () => Promise.reject(new Error('a secret')) };
  const api = { admit: async () => {} };
  const failing = metricsPage(() => ({ source, api }));
  t.match(await failing({ address: '127.0.0.1', authorization: undefined, isForwarded: false }), {
    status: 500,
    text: 'internal error\n',
  });
});

t.test('metrics: over the port, with its headers', async t => {
  const { page } = bench();
  const app = httpServer({
    clock: new FakeClock(),
    api: { handle: async () => ({ status: 200, body: [''], isSigned: false }) },
    notReady: () => undefined,
    metrics: page,
  });
  t.teardown(() => app.close());
  const port = await listenHttp(app, '127.0.0.1', 0);
  const url = `http://127.0.0.1:${port}/metrics`;
  const open = await fetch(url);
  t.equal(open.status, 200);
  t.equal(open.headers.get('content-type'), 'text/plain; version=0.0.4');
  t.equal(await open.text(), 'up 1\n');
  const forwarded = await fetch(url, { headers: { 'x-forwarded-for': '203.0.113.9' } });
  t.equal(forwarded.status, 401);
  t.match(forwarded.headers.get('www-authenticate'), /^Basic /);
  t.match(await forwarded.text(), /an API key and its secret/);
  const known = await fetch(url, {
    headers: { 'x-forwarded-for': '203.0.113.9', authorization: basic('KEY:SEC:RET') },
  });
  t.equal(known.status, 200);
});
