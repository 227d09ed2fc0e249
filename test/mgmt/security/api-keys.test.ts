import { join } from 'node:path';
import Database from 'libsql';
import t, { type Test } from 'tap';
import { ApiKeys } from '../../../src/mgmt/security/api-keys.js';
import { sealUnder } from '../../../src/mgmt/security/sealing-key.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { freshStore, SEALING_KEY } from '../../helpers/api-bench.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testFolder } from '../../helpers/scratch.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const FORMER = 'api.keys';

async function bench(t: Test) {
  const folder = testFolder(t);
  const store = await freshStore(t, folder);
  const clock = new FakeClock();
  const log = new RecordingLog();
  let seed = 0;
  const open = (sealingKey = SEALING_KEY) =>
    ApiKeys.open({ clock, log, store, sealingKey, random: seededRandom(++seed) });
  return { folder, store, clock, log, open };
}

t.test('API keys: the first server makes one for an operator, and all servers find it', async t => {
  const { open } = await bench(t);
  const [one, other] = await Promise.all([open(), open()]);
  t.match(one.all, [{ name: 'operator', role: 'operator', createdBy: null }]);
  t.strictSame(other.all, one.all);
  const [key] = one.all;
  t.match(key?.apiKey, /^[\w-]{86}$/);
  t.match(key?.secretKey, /^[\w-]{86}$/);
  t.equal(other.find(key?.apiKey ?? '')?.name, 'operator');
  t.equal(other.find('another'), undefined);
});

t.test('API keys: the pair of an earlier version becomes the key of the first operator', async t => {
  const { store, open } = await bench(t);
  const pair = { apiKey: 'KEY', secretKey: 'SECRET' };
  await store.createSecret(FORMER, SEALING_KEY.seal(FORMER, Buffer.from(JSON.stringify(pair))));
  const keys = await open();
  t.match(keys.all, [{ ...pair, name: 'operator', role: 'operator' }]);
  t.equal(await store.secret(FORMER), undefined, 'it is kept in one place');
  t.match((await open()).all, [pair]);
});

t.test('API keys: secrets are sealed in the store', async t => {
  const { store, open } = await bench(t);
  const keys = await open();
  const { secretKey } = await keys.create({ name: 'ci', role: 'reader' }, 'operator');
  const stored = Buffer.concat([...(await store.secrets()).values()]).toString('latin1');
  t.notOk(stored.includes(secretKey));
  t.equal((await store.apiKeys()).keys?.length, 2);
});

t.test('API keys: other servers know a new key, and refuse a deleted one, within two seconds', async t => {
  const { clock, open } = await bench(t);
  const here = await open();
  const there = await open();
  there.start();
  const key = await here.create({ name: 'ci', role: 'reader' }, 'operator');
  t.match(here.find(key.apiKey), { name: 'ci', role: 'reader', secretKey: key.secretKey, createdBy: 'operator' });
  t.equal(there.find(key.apiKey), undefined);
  await passes(clock, () => there.find(key.apiKey) !== undefined);
  t.equal(there.find(key.apiKey)?.secretKey, key.secretKey);
  t.equal((await here.delete(key.id))?.name, 'ci');
  t.equal(here.find(key.apiKey), undefined);
  await passes(clock, () => there.find(key.apiKey) === undefined);
  t.equal(there.find(key.apiKey), undefined);
  there.stop();
  t.equal(clock.pending, 0);
});

async function passes(clock: FakeClock, holds: () => boolean): Promise<void> {
  await clock.advance(2_000);
  for (let turn = 0; turn < 1_000 && !holds(); turn++) await new Promise(setImmediate);
}

t.test('API keys: names are unique and clean, and roles known', async t => {
  const { open } = await bench(t);
  const keys = await open();
  await keys.create({ name: 'ci', role: 'reader' }, null);
  const wrong = [
    [
      { name: 'ci', role: 'reader' },
      { argument: 'name', reason: /there is an API key with this name/ },
    ],
    [{ name: '', role: 'reader' }, { argument: 'name' }],
    [{ name: 'x'.repeat(65), role: 'reader' }, { argument: 'name' }],
    [{ name: 'a\nb', role: 'reader' }, { argument: 'name' }],
    [
      { name: 'x', role: 'admin' },
      { argument: 'role', reason: /the roles are reader, operator/ },
    ],
  ] as const;
  for (const [args, error] of wrong) await t.rejects(keys.create(args, null), { code: 'ARGUMENT_INVALID', ...error });
  t.equal(keys.all.length, 2);
});

t.test('API keys: the last key of an operator is not deleted', async t => {
  const { open } = await bench(t);
  const keys = await open();
  const [first] = keys.all;
  const id = first?.id ?? '';
  await keys.create({ name: 'reader', role: 'reader' }, null);
  await t.rejects(keys.delete(id), { code: 'OPERATION_REFUSED', reason: /the last key of an operator/ });
  await keys.create({ name: 'second', role: 'operator' }, null);
  t.equal((await keys.delete(id))?.name, 'operator');
  await t.rejects(keys.delete(id), { code: 'ARGUMENT_INVALID', argument: 'id' });
});

t.test(
  'API keys: a server whose sealing key is not the store’s any more keeps what it knows, and makes none',
  async t => {
    const { store, log, open } = await bench(t);
    const old = await open();
    const [known] = old.all;
    // An operator seals the secrets anew while this server runs.
    const other = sealUnder(new Uint8Array(32).fill(9), 'another key');
    const changes = [...(await store.secrets())].map(([name, from]) => {
      return [name, { from, to: other.seal(name, SEALING_KEY.unseal(name, from)) }] as const;
    });
    await store.replaceSecrets(new Map(changes));
    const restarted = await open(other);
    t.strictSame(restarted.all, [known]);
    await restarted.create({ name: 'new', role: 'reader' }, null);
    await old.refresh();
    t.strictSame(old.all, [known], 'the new one cannot be read');
    t.equal(log.count('error An API key cannot be used'), 1);
    await t.rejects(old.create({ name: 'x', role: 'reader' }, null), {
      code: 'OPERATION_REFUSED',
      reason: /restart this server/,
    });
  },
);

t.test('API keys: with its sealing key lost and the secrets deleted, the next start makes a new first key', async t => {
  const { folder, open } = await bench(t);
  const [lost] = (await open()).all;
  const database = new Database(join(folder, 'muster.db'));
  database.prepare('DELETE FROM secret').run();
  database.close();
  const { all } = await open(sealUnder(new Uint8Array(32).fill(9), 'another key'));
  t.match(all, [{ name: 'operator', role: 'operator' }]);
  t.not(all[0]?.apiKey, lost?.apiKey);
});
