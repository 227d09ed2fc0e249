import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/lib/clock.js';
import { Alerts } from '../../../src/mgmt/alerts/alerts.js';
import { httpPoster, signatureOf, webhookBody } from '../../../src/mgmt/alerts/webhook.js';
import { canonicalValue, readConfiguration } from '../../../src/mgmt/config/parameters.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import type { Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const URLS = ['http://127.0.0.1:1/one', 'https://127.0.0.1:2/two'];

/** Some servers on one store, and what reaches the webhooks. */
async function bench(t: Test, settings: Readonly<Record<string, string>> = {}) {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const log = new RecordingLog();
  const store: Store = await openStore('sqlite::memory:', { clock, random, log, thread: 'same' });
  const values = new Map(Object.entries({ 'alert.webhook.url': URLS.join(','), ...settings }));
  const posts: {
    url: string;
    body: { id: string; state: string; description: string };
    signature: string | undefined;
  }[] = [];
  const state = { clock, store, posts, log, broken: new Set<string>(), fights: '', values };
  const server = (address: string) => {
    const health = new StoreHealth(log);
    const alerts = new Alerts({
      ...{ clock, random, log, health, address, store },
      configuration: () =>
        readConfiguration({ values: state.values, version: 1, assignmentGeneration: 0 }).configuration,
      secretOf: name => (name === 'pager' ? 's3cret' : undefined),
      facts: async () => ({ ownMsid: 1, servers: [], nowhere: new Map(), ending: [] }),
      async postJson(url, body, headers) {
        if (state.broken.has(url)) throw new Error('HTTP status 503');
        posts.push({ url, body: JSON.parse(body), signature: headers['x-muster-signature'] });
        if (headers['x-muster-signature'] !== undefined)
          t.equal(headers['x-muster-signature'], signatureOf(body, 's3cret'));
      },
    });
    t.teardown(() => alerts.stop());
    return { alerts, health };
  };
  t.teardown(() => store.close());
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 5_000) {
      await clock.advance(5_000);
      await settle();
    }
  };
  return Object.assign(state, { server, pass });
}

const FIGHT = { type: 'AGENT.GUID.FIGHT', level: 'ERROR', description: 'Two agents have the guid g' } as const;

t.test('alerts: raised and cleared once, to each webhook, by one of several servers', async t => {
  const one = await bench(t, { 'alert.webhook.key': 'pager' });
  const [first, second] = [one.server('10.0.0.1'), one.server('10.0.0.2')];
  first.alerts.note(FIGHT);
  second.alerts.note(FIGHT);
  first.alerts.start();
  second.alerts.start();
  await one.pass(60_000);
  t.same(one.posts.map(({ url, body }) => [url, body.state, body.description]).toSorted(), [
    [URLS[0], 'raised', FIGHT.description],
    [URLS[1], 'raised', FIGHT.description],
  ]);
  t.match(one.posts[0]?.signature, /^sha256=[0-9a-f]{64}$/);
  await one.pass(2 * 3_600_000);
  t.equal(one.posts.length, 4);
  t.equal(one.posts.filter(({ body }) => body.state === 'cleared').length, 2, 'nothing was heard of it for two hours');
  t.equal(new Set(one.posts.map(({ body }) => body.id)).size, 1, 'the same id');
});

t.test('alerts: a webhook that fails is tried again, and the other one is not told twice', async t => {
  const one = await bench(t);
  const { alerts } = one.server('10.0.0.1');
  alerts.note(FIGHT);
  one.broken.add(URLS[1] ?? '');
  alerts.start();
  await one.pass(120_000);
  t.same(
    one.posts.map(({ url }) => url),
    [URLS[0]],
  );
  t.match(
    one.log.lines.find(line => line.includes('posted')),
    /could not be posted/,
  );
  t.notMatch(JSON.stringify(one.log.entries), '/two', 'the path of a webhook may be a secret');
  one.broken.clear();
  await one.pass(200_000);
  t.same(
    one.posts.map(({ url }) => url),
    URLS,
  );
  t.equal(one.posts[1]?.signature, undefined, 'no key is named');
});

t.test('alerts: what is silenced is listed, and not posted; without a webhook nothing is looked at', async t => {
  const one = await bench(t, { 'alert.silences': canonicalValue('alert.silences', 'guid-fight=2100-01-01T00:00Z') });
  const { alerts } = one.server('10.0.0.1');
  alerts.note(FIGHT);
  alerts.start();
  await one.pass(60_000);
  t.same(one.posts, []);
  t.match(await one.store.alerts({ page: 1, pagesize: 9 }), {
    count: 1,
    rows: [{ name: 'ALERT.COMPUTE.HOST', type: 7 }],
  });
  const idle = await bench(t, { 'alert.webhook.url': '' });
  const other = idle.server('10.0.0.1');
  other.alerts.note(FIGHT);
  other.alerts.start();
  await idle.pass(60_000);
  t.equal((await idle.store.alerts({ page: 1, pagesize: 9 })).count, 0);
});

t.test('alerts: a key that is not there, and servers that end, post nothing', async t => {
  const one = await bench(t, { 'alert.webhook.key': 'nobody' });
  const { alerts } = one.server('10.0.0.1');
  alerts.start();
  await one.pass(11_000);
  const said = () =>
    one.log.lines.filter(line => /^error Alerts cannot be signed.* no API key of this name/.test(line));
  t.equal(said().length, 1, 'before there is an alert');
  alerts.note(FIGHT);
  await one.pass(30_000);
  t.same(one.posts, []);
  t.equal(said().length, 1, 'and once');
  await alerts.stop();
});

t.test('alerts: the store is away: posted once by each server that sees it, and its end', async t => {
  const one = await bench(t);
  const { alerts, health } = one.server('10.0.0.1');
  alerts.start();
  const fail = async () => {
    throw new StoreError('STORE_UNAVAILABLE', 'x');
  };
  await health.watch(fail).catch(() => {});
  await one.pass(20_000);
  t.same(one.posts, [], 'not at once');
  await one.pass(60_000);
  t.match(one.posts, [
    { body: { state: 'raised', description: /10\.0\.0\.1 does not reach the store/ } },
    { url: URLS[1] },
  ]);
  await health.watch(async () => {});
  await one.pass(20_000);
  t.equal(one.posts.length, 4);
  t.match(one.posts[3], { body: { state: 'cleared', id: one.posts[0]?.body.id } });
});

t.test('alerts: the body has the fields of CloudStack, and goes out by HTTP with its signature', async t => {
  const created = Date.UTC(2026, 10, 28, 9);
  const told = { uuid: 'u', type: 14, name: 'ALERT.MANAGEMENT', description: 'd', created, cleared: null } as const;
  const body = webhookBody({ ...told, about: 'raised' });
  t.same(JSON.parse(body), {
    ...{ id: 'u', type: 14, name: 'ALERT.MANAGEMENT', description: 'd' },
    ...{ sent: '2026-11-28T09:00:00+0000', state: 'raised' },
  });
  t.equal(signatureOf(body, 'k'), `sha256=${createHmac('sha256', 'k').update(body).digest('hex')}`);
  const received: string[] = [];
  const receiver = createServer((request, response) => {
    let text = '';
    request.on('data', chunk => {
      text += chunk;
    });
    request.on('end', () => {
      received.push(
        `${request.method} ${request.headers['content-type']} ${request.headers['x-muster-signature']} ${text}`,
      );
      response.writeHead(request.url === '/ok' ? 204 : 302, { location: '/ok' }).end();
    });
  }).listen(0, '127.0.0.1');
  t.teardown(() => void receiver.close());
  await once(receiver, 'listening');
  const address = receiver.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const post = httpPoster(systemClock);
  await post(`http://127.0.0.1:${port}/ok`, body, { 'x-muster-signature': 'sha256=x' });
  t.same(received, [`POST application/json sha256=x ${body}`]);
  await t.rejects(post(`http://127.0.0.1:${port}/moved`, body, {}), { message: 'HTTP status 302' });
});

t.test('alerts: webhooks and silences are checked before they are stored', async t => {
  const wrong = (name: 'alert.webhook.url' | 'alert.silences', text: string) =>
    t.throws(() => canonicalValue(name, text));
  t.equal(canonicalValue('alert.webhook.url', ' https://a/b?c=1, http://b '), 'https://a/b?c=1,http://b');
  const urls = [
    'ftp://a',
    'a',
    'https://u:p@a/',
    'https://a,https://a',
    'https://a,',
    'https://a/#b',
    'https://a/b https://c',
  ];
  for (const url of urls) wrong('alert.webhook.url', url);
  t.equal(canonicalValue('alert.silences', 'store-away=2026-11-28T14:00Z'), 'store-away=2026-11-28T14:00Z');
  for (const text of ['x=2026-11-28T14:00Z', 'store-away', 'store-away=tomorrow', 'store-away=2026-99-28T14:00Z'])
    wrong('alert.silences', text);
});
