import type { NewApiKey } from '../../../src/mgmt/store/store.js';
import { apiKeySecretName } from '../../../src/mgmt/store/store.js';
import { type FreshStore, storeTest } from './store-test.js';

const keyOf = (name: string, more: Partial<NewApiKey> = {}): NewApiKey => ({
  uuid: `uuid-${name}`,
  name,
  role: 'operator',
  apiKey: `key-${name}`,
  sealedSecret: new Uint8Array([0, 255, name.length]),
  created: 1_000,
  createdBy: null,
  ...more,
});

/** The keys of the HTTP API, and the requests that were signed with them. */
export function apiKeysContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('API keys: the first is made once, and takes the place of the former secret', async (t, store, open) => {
    t.strictSame(await store.apiKeys(), { version: 0, keys: [] });
    await store.createSecret('former', new Uint8Array([1]));
    const stores = [store, await open(), await open()];
    const made = await Promise.all(stores.map((one, i) => one.createFirstApiKey(keyOf(`first-${i}`), 'former')));
    t.equal(made.filter(Boolean).length, 1, 'of servers that start at once, one makes it');
    const { version, keys = [] } = await store.apiKeys();
    t.equal(keys.length, 1);
    const [key] = keys;
    t.strictSame(key, keyOf(key?.name ?? ''));
    t.strictSame(await store.apiKeys(version), { version, keys: undefined }, 'what the caller has is not sent again');
    t.strictSame([...(await store.secrets()).keys()], [apiKeySecretName(key?.uuid ?? '')]);
  });

  test('API keys: a change is written only by the version that it was judged by', async (t, store) => {
    await store.createFirstApiKey(keyOf('a'), 'former');
    const { version } = await store.apiKeys();
    t.equal(await store.createApiKey(keyOf('b', { role: 'reader', createdBy: 'a' }), version), true);
    t.equal(await store.createApiKey(keyOf('c'), version), false);
    const now = await store.apiKeys(version);
    t.ok(now.version > version);
    t.strictSame(now.keys, [keyOf('a'), keyOf('b', { role: 'reader', createdBy: 'a' })], 'oldest first');
    const raced = await Promise.all(['d', 'e', 'f'].map(name => store.createApiKey(keyOf(name), now.version)));
    t.equal(raced.filter(Boolean).length, 1);
  });

  test('API keys: the last key of an operator stays, also when two are deleted at once', async (t, store, open) => {
    await store.createFirstApiKey(keyOf('a'), 'former');
    await store.createApiKey(keyOf('reader', { role: 'reader' }), (await store.apiKeys()).version);
    t.equal(await store.deleteApiKey('uuid-a'), 'last operator');
    await store.createApiKey(keyOf('b'), (await store.apiKeys()).version);
    const { version } = await store.apiKeys();
    const other = await open();
    const raced = await Promise.all([store.deleteApiKey('uuid-a'), other.deleteApiKey('uuid-b')]);
    t.same(raced.toSorted(), ['done', 'last operator']);
    const { keys = [], version: later } = await store.apiKeys();
    t.equal(keys.length, 2);
    t.ok(later > version);
    t.equal(await store.deleteApiKey('uuid-reader'), 'done');
    t.equal(await store.deleteApiKey('uuid-reader'), 'unknown');
    t.equal((await store.secrets()).size, 1, 'the secret of a deleted key is gone');
  });

  test('API requests: each is noted once, also when two servers note it at once', async (t, store, open) => {
    t.equal(await store.noteRequest('a', 60_000), true);
    t.equal(await store.noteRequest('a', 60_000), false);
    const other = await open();
    t.equal(await other.noteRequest('a', 60_000), false);
    const noted = await Promise.all([store, other, store, other].map(one => one.noteRequest('b', 60_000)));
    t.equal(noted.filter(Boolean).length, 1);
  });

  test('API requests: those whose time is over are forgotten', async (t, store) => {
    for (let i = 0; i < 12; i++) await store.noteRequest(`old-${i}`, -1_000);
    // Some go at each call.
    for (const digest of ['x', 'y']) await store.noteRequest(digest, 60_000);
    t.equal(await store.noteRequest('old-0', 60_000), true);
    t.equal(await store.noteRequest('old-11', 60_000), true);
    t.equal(await store.noteRequest('y', 60_000), false, 'it is good still');
  });
}
