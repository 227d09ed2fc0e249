import { hkdfSync } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog } from '../../../src/lib/logger.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import { openSecretKey, resealFrom } from '../../../src/mgmt/secret-keys.js';
import { SALT } from '../../../src/mgmt/security/password-key.js';
import { sealUnder } from '../../../src/mgmt/security/sealing-key.js';
import { RecordingLog } from '../../helpers/recording-log.js';

/** One folder for a test's stores and files. */
async function stores(t: Test, files: Record<string, string> = {}) {
  const folder = t.testdir(files);
  const open = async (name: string) => {
    const store = await openStore(`sqlite:${join(folder, name)}`, { log: silentLog, thread: 'same' });
    t.teardown(() => store.close());
    return store;
  };
  return { folder, store: await open('one.db'), other: () => open('two.db') };
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const byPassword = (password: string) => ({ dbUrl: `mysql://muster:${password}@db/muster`, keyFile: undefined });
const byFile = (keyFile: string) => ({ dbUrl: 'mysql://muster:any@db/muster', keyFile });

t.test('regression: the key comes from the password and a salt that the store keeps', async t => {
  const { store: one, other } = await stores(t);
  const two = await other();
  const settings = byPassword('swordfish');
  const key = await openSecretKey({ settings, store: one, log: silentLog });
  const again = await openSecretKey({ settings, store: one, log: silentLog });
  t.equal(text(again.unseal('a', key.seal('a', Buffer.from('x')))), 'x', 'all servers of a store have the same');
  const elsewhere = await openSecretKey({ settings, store: two, log: silentLog });
  t.throws(() => elsewhere.unseal('a', key.seal('a', Buffer.from('x'))), { code: 'KEY_FILE_UNUSABLE' }, 'another salt');
  t.equal((await one.secret(SALT))?.length, 16);
});

t.test('regression: what HKDF sealed is sealed anew at the start, once, whichever server is first', async t => {
  const { store } = await stores(t);
  const former = sealUnder(
    new Uint8Array(hkdfSync('sha256', 'swordfish', '', 'muster key of db.url', 32)),
    'the password in db.url',
  );
  await store.createSecret('ca', former.seal('ca', Buffer.from('root')));
  await store.createSecret('api.keys', former.seal('api.keys', Buffer.from('pair')));
  const log = new RecordingLog();
  const settings = byPassword('swordfish');
  const keys = await Promise.all([1, 2, 3].map(() => openSecretKey({ settings, store, log })));
  for (const key of keys) t.equal(text(key.unseal('ca', (await store.secret('ca')) ?? new Uint8Array())), 'root');
  t.throws(() => former.unseal('api.keys', Buffer.from('x')));
  t.equal(log.count('info Sealed the secrets in the store anew'), 1);
  const before = await store.secrets();
  await openSecretKey({ settings, store, log });
  t.strictSame(await store.secrets(), before);
});

t.test('reseal.from: after a change of the password the secrets are sealed anew by a command', async t => {
  const { store, folder } = await stores(t, { former: 'old password\n' });
  const key = await openSecretKey({ settings: byPassword('old%20password'), store, log: silentLog });
  await store.createSecret('ca', key.seal('ca', Buffer.from('root')));
  const settings = byPassword('new');
  const remedy = { code: 'KEY_FILE_UNUSABLE', message: /reseal\.from=FILE/ };
  await t.rejects(openSecretKey({ settings, store, log: silentLog }), remedy, 'a server does not start, and says why');
  const parts = { settings, store, log: silentLog };
  t.strictSame(await resealFrom(join(folder, 'former'), parts), ['ca']);
  t.strictSame(await resealFrom(join(folder, 'former'), parts), [], 'asked again, it finds its work done');
  const now = await openSecretKey(parts);
  t.equal(text(now.unseal('ca', (await store.secret('ca')) ?? new Uint8Array())), 'root');
});

t.test('reseal.from: from the password to key.file, to another key file, and what is wrong is refused', async t => {
  const { store, folder } = await stores(t, { password: 'swordfish', wrong: 'marlin' });
  const at = (name: string) => join(folder, name);
  const key = await openSecretKey({ settings: byPassword('swordfish'), store, log: silentLog });
  await store.createSecret('ca', key.seal('ca', Buffer.from('root')));
  const parts = (name: string) => ({ settings: byFile(at(name)), store, log: silentLog });
  const sealed = await store.secrets();
  await t.rejects(resealFrom(at('wrong'), parts('one.key')), { code: 'KEY_FILE_UNUSABLE' });
  await t.rejects(resealFrom(at('nothing'), parts('one.key')), { name: 'ConfigError', key: 'reseal.from' });
  t.strictSame(await store.secrets(), sealed, 'nothing was changed');
  t.strictSame(await resealFrom(at('password'), parts('one.key')), ['ca']);
  await writeFile(at('former'), await readFile(at('one.key')));
  t.strictSame(await resealFrom(at('former'), parts('two.key')), ['ca']);
  await rm(at('one.key'));
  const now = await openSecretKey(parts('two.key'));
  t.equal(text(now.unseal('ca', (await store.secret('ca')) ?? new Uint8Array())), 'root');
});
