import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { delay, systemClock } from '../../../src/lib/clock.js';
import { Alerts } from '../../../src/mgmt/alerts/alerts.js';
import { httpPoster, signatureOf, webhookBody } from '../../../src/mgmt/alerts/webhook.js';
import { WebhookQueues, type WebhookQueuesParts } from '../../../src/mgmt/alerts/webhook-queues.js';
import { canonicalValue, readConfiguration } from '../../../src/mgmt/config/parameters.js';
import type { Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { openStoreInMemory } from '../../helpers/store-in-memory.js';

const URLS = ['http://127.0.0.1:1/one', 'https://127.0.0.1:2/two'];

/** Some servers on one store, and what reaches the webhooks. */
async function bench(t: Test, settings: Readonly<Record<string, string>> = {}) {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const log = new RecordingLog();
  const store: Store = await openStoreInMemory({ clock, random });
  const values = new Map(Object.entries({ 'alert.webhook.url': URLS.join(','), ...settings }));
  const posts: {
    url: string;
    body: { id: string; state: string; description: string };
    signature: string | undefined;
  }[] = [];
  const webhooks = { broken: new Set<string>(), hanging: new Set<string>(), most: 0 };
  const refused: RegExp | undefined = undefined as RegExp | undefined;
  const state = { refused, clock, store, posts, log, values, ...webhooks };
  const underWay = new Map<string, number>();
  const webhookParts: WebhookQueuesParts = {
    ...{ clock, random, log },
    configuration: () => readConfiguration({ values: state.values, version: 1, assignmentGeneration: 0 }).configuration,
    secretOf: name => (name === 'pager' ? 's3cret' : undefined),
    async postJson(url, body, headers) {
      if (state.broken.has(url) || state.refused?.test(JSON.parse(body).description))
        throw new Error('HTTP status 503');
      if (state.hanging.has(url)) {
        underWay.set(url, (underWay.get(url) ?? 0) + 1);
        state.most = Math.max(state.most, underWay.get(url) ?? 0);
        await delay(clock, 10_000);
        underWay.set(url, (underWay.get(url) ?? 0) - 1);
        throw new Error('no answer within 10 s');
      }
      posts.push({ url, body: JSON.parse(body), signature: headers['x-muster-signature'] });
      if (headers['x-muster-signature'] !== undefined)
        t.equal(headers['x-muster-signature'], signatureOf(body, 's3cret'));
    },
  };
  const queues = () => new WebhookQueues(webhookParts, new AbortController().signal);
  const server = (address: string) => {
    const health = new StoreHealth(log);
    const alerts = new Alerts({
      ...webhookParts,
      ...{ health, address, store },
      facts: async () => ({ ownMsid: 1, servers: [], nowhere: new Map(), ending: [] }),
    });
    t.teardown(() => alerts.stop());
    return { alerts, health };
  };
  t.teardown(() => store.close());
  const pass = async (ms: number) => {
    await clock.advance(ms);
    await settle();
  };
  return Object.assign(state, { server, queues, pass });
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

t.test('regression: a webhook that was told is told once, whichever servers try the one that fails', async t => {
  const one = await bench(t);
  const servers = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(one.server);
  one.broken.add(URLS[1] ?? '');
  for (const { alerts } of servers) {
    alerts.note(FIGHT);
    alerts.start();
  }
  await one.pass(20 * 60_000);
  // A server that ends hands over what it knows.
  await servers[0]?.alerts.stop();
  await one.pass(20 * 60_000);
  t.same(
    one.posts.map(({ url }) => url),
    [URLS[0]],
  );
});

t.test('alerts: what is silenced is listed, and not posted', async t => {
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
});

t.test('alerts: without a webhook they are listed, and cleared; with one, what is open is posted', async t => {
  const one = await bench(t, { 'alert.webhook.url': '', 'alert.webhook.key': 'nobody' });
  const { alerts } = one.server('10.0.0.1');
  const open = () => one.store.alerts({ page: 1, pagesize: 9, isOpen: true });
  alerts.note(FIGHT);
  alerts.start();
  await one.pass(60_000);
  t.match(await open(), { count: 1 });
  t.equal(one.log.count('error Alerts cannot be signed'), 0, 'nothing is to be signed');
  one.values.set('alert.webhook.url', URLS[0] ?? '').set('alert.webhook.key', '');
  await one.pass(20_000);
  t.match(one.posts, [{ body: { state: 'raised', description: FIGHT.description } }]);
  one.values.set('alert.webhook.url', '');
  await one.pass(2 * 3_600_000);
  t.match(await open(), { count: 0 }, 'regression: it is cleared when the webhooks are gone');
  t.equal(one.posts.length, 1);
});

t.test('regression: a webhook that hangs delays no other one, and no look', async t => {
  const one = await bench(t);
  const { alerts } = one.server('10.0.0.1');
  const [good = '', bad = ''] = URLS;
  one.hanging.add(bad);
  alerts.start();
  const fights = Array.from({ length: 30 }, (_, i) => `Two agents have the guid ${i}`);
  for (const description of fights.slice(0, 20)) alerts.note({ ...FIGHT, description });
  await one.pass(15_000);
  t.equal(one.posts.length, 20, 'all at the first look');
  for (const description of fights.slice(20)) alerts.note({ ...FIGHT, description });
  await one.pass(15_000);
  t.same(
    one.posts.map(({ url, body }) => [url, body.description]),
    fights.map(description => [good, description]),
  );
  await one.pass(600_000);
  t.equal(one.posts.length, 30, 'and is not told twice');
  t.equal(one.most, 1, 'one post at a time');
  one.hanging.clear();
  await one.pass(200_000);
  t.same(
    one.posts
      .slice(30)
      .map(({ url, body }) => `${url} ${body.description}`)
      .toSorted(),
    fights.map(description => `${bad} ${description}`).toSorted(),
  );
});

t.test('alerts: what cannot be posted is tried for about an hour', async t => {
  const one = await bench(t, { 'alert.webhook.url': URLS[0] ?? '' });
  const { alerts } = one.server('10.0.0.1');
  one.broken.add(URLS[0] ?? '');
  alerts.start();
  alerts.note(FIGHT);
  await one.pass(50 * 60_000);
  t.equal(one.log.count('error An alert has reached not all webhooks'), 0);
  await one.pass(20 * 60_000);
  t.equal(one.log.count('error An alert has reached not all webhooks'), 1);
  one.broken.clear();
  await one.pass(10 * 60_000);
  t.same(one.posts, []);
});

t.test('alerts: what one webhook refuses does not keep the others of its alerts from it', async t => {
  const one = await bench(t, { 'alert.webhook.url': URLS[0] ?? '' });
  const { alerts } = one.server('10.0.0.1');
  one.refused = /guid 0$/;
  alerts.start();
  for (let i = 0; i < 3; i++) alerts.note({ ...FIGHT, description: `Two agents have the guid ${i}` });
  await one.pass(20_000);
  t.match(one.posts, [{ body: { description: /guid 1$/ } }, { body: { description: /guid 2$/ } }]);
});

t.test(
  'alerts: raised and over while the webhook does not answer: told in order; silences hold for what waits',
  async t => {
    const one = await bench(t);
    const [first = '', second = ''] = URLS;
    const queues = one.queues();
    const told = (uuid: string, about: 'raised' | 'cleared') => {
      const alert = { uuid, type: 7, name: 'n', description: uuid, created: 0, cleared: null };
      return queues.tell({
        told: { ...alert, about },
        subject: 'guid-fight:1',
        reached: new Set(),
        isWanted: () => true,
      });
    };
    one.broken.add(second);
    const results = Promise.all([told('a', 'raised'), told('b', 'raised'), told('a', 'cleared')]);
    await settle();
    t.equal(one.posts.length, 3, 'the other webhook has all');
    one.broken.clear();
    await one.pass(10_000);
    t.same(await results, [true, true, true]);
    const late = one.posts.slice(3).map(({ url, body }) => `${url} ${body.id} ${body.state}`);
    t.same(late, [`${second} b raised`, `${second} a raised`, `${second} a cleared`]);
    one.broken.add(first);
    const silenced = told('c', 'raised');
    await settle();
    one.values.set('alert.silences', canonicalValue('alert.silences', 'guid-fight=2100-01-01T00:00Z'));
    one.broken.clear();
    await one.pass(10_000);
    t.equal(await silenced, true);
    t.equal(one.posts.length, 7, 'one before the silence');
  },
);

t.test('alerts: a server that stops ends its posts, and another one goes on', async t => {
  const one = await bench(t);
  const [first, second] = [one.server('10.0.0.1'), one.server('10.0.0.2')];
  for (const url of URLS) one.hanging.add(url);
  first.alerts.note(FIGHT);
  first.alerts.start();
  await one.pass(15_000);
  await first.alerts.stop();
  one.hanging.clear();
  second.alerts.note(FIGHT);
  second.alerts.start();
  await one.pass(200_000);
  t.same(
    one.posts.map(({ url }) => url),
    URLS,
  );
});

t.test('regression: of 50 fights those that go on are not forgotten', async t => {
  const one = await bench(t, { 'alert.webhook.url': '' });
  const { alerts } = one.server('10.0.0.1');
  const all = Array.from({ length: 51 }, (_, i) => ({ ...FIGHT, description: `Two agents have the guid ${i}` }));
  alerts.start();
  for (const minutes of [75, 65]) {
    for (const fight of all) alerts.note(fight);
    await one.pass(minutes * 60_000);
  }
  t.match(await one.store.alerts({ page: 1, pagesize: 1, isOpen: true }), { count: 50 });
  t.match(await one.store.alerts({ page: 1, pagesize: 1 }), { count: 50 }, 'none was cleared meanwhile');
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

t.test(
  'regression: that the store is away is told as soon as a webhook answers, and its end only to who knows',
  async t => {
    const one = await bench(t);
    const { alerts, health } = one.server('10.0.0.1');
    const [first = '', second = ''] = URLS;
    const goes = () => health.watch(() => Promise.reject(new StoreError('STORE_UNAVAILABLE', 'x'))).catch(() => {});
    one.broken.add(first).add(second);
    alerts.start();
    await goes();
    await one.pass(2 * 3_600_000);
    t.same(one.posts, []);
    one.broken.delete(first);
    await one.pass(60_000);
    t.match(one.posts, [{ url: first, body: { state: 'raised' } }]);
    await health.watch(async () => {});
    await one.pass(15_000);
    one.broken.clear();
    await one.pass(120_000);
    t.match(one.posts[1], { url: first, body: { state: 'cleared', id: one.posts[0]?.body.id } });
    t.equal(one.posts.length, 2, 'the other one was not told that it began');

    one.broken.add(first).add(second);
    await goes();
    await one.pass(60_000);
    await health.watch(async () => {});
    one.broken.clear();
    await one.pass(120_000);
    t.equal(one.posts.length, 2, 'nobody was told of this one');
  },
);

t.test('regression: the end of it is told again until it is received', async t => {
  const one = await bench(t);
  const { alerts, health } = one.server('10.0.0.1');
  const [first = '', second = ''] = URLS;
  alerts.start();
  await health.watch(() => Promise.reject(new StoreError('STORE_UNAVAILABLE', 'x'))).catch(() => {});
  await one.pass(60_000);
  t.equal(one.posts.length, 2);
  one.broken.add(first);
  await health.watch(async () => {});
  await one.pass(300_000);
  one.broken.clear();
  await one.pass(60_000);
  t.match(one.posts.slice(2), [
    { url: second, body: { state: 'cleared' } },
    { url: first, body: { state: 'cleared' } },
  ]);
  await one.pass(300_000);
  t.equal(one.posts.length, 4, 'once');
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
