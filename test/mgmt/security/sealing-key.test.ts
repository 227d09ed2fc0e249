import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { type Log, silentLog } from '../../../src/lib/logger.js';
import { openSealingKey, sealUnder } from '../../../src/mgmt/security/sealing-key.js';
import { testFolder } from '../../helpers/scratch.js';

const PARTS = { log: silentLog, hasSecrets: async () => false };
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

t.test('key.file: it is made once, for this user only, with its folder', async t => {
  const folder = join(testFolder(t), 'data');
  const path = join(folder, 'muster.key');
  const first = await openSealingKey(path, PARTS);
  t.match(await readFile(path, 'utf8'), /^[A-Za-z0-9+/]{43}=\n$/);
  t.equal((await stat(path)).mode & 0o777, 0o600);
  t.equal((await stat(folder)).mode & 0o777, 0o700);
  t.strictSame(await readdir(folder), ['muster.key'], 'nothing is left beside it');
  const second = await openSealingKey(path, PARTS);
  t.equal(text(second.unseal('a', first.seal('a', Buffer.from('x')))), 'x');
});

t.test('key.file: servers that start together agree on one', async t => {
  const path = join(testFolder(t), 'muster.key');
  const keys = await Promise.all(Array.from({ length: 8 }, () => openSealingKey(path, PARTS)));
  const sealed = keys.map(key => key.seal('a', Buffer.from('x')));
  t.strictSame(new Set(keys.flatMap(key => sealed.map(one => text(key.unseal('a', one))))), new Set(['x']));
});

t.test('regression: key.file: a lost key is not made anew beside secrets that were sealed under it', async t => {
  const path = join(testFolder(t), 'muster.key');
  const beside = { log: silentLog, hasSecrets: async () => true };
  await t.rejects(openSealingKey(path, beside), {
    name: 'ConfigError',
    key: 'key.file',
    value: path,
    allowed: /there is no such file.*copy the file from another server/,
  });
  t.strictSame(await readdir(join(path, '..')), [], 'no file was made');
  const late = {
    log: silentLog,
    async hasSecrets() {
      // Another server has made both meanwhile.
      await openSealingKey(path, PARTS);
      return true;
    },
  };
  const key = await openSealingKey(path, late);
  t.equal(text(key.unseal('a', (await openSealingKey(path, PARTS)).seal('a', Buffer.from('x')))), 'x');
});

t.test('key.file: what is no key is refused, and left as it is', async t => {
  const folder = t.testdir({
    empty: '',
    short: 'c2hvcnQ=\n',
    text: 'swordfish',
    raw: 'x'.repeat(32),
    dir: {},
    file: '',
  });
  for (const name of ['empty', 'short', 'text', 'raw']) {
    const path = join(folder, name);
    const before = await readFile(path, 'utf8');
    await t.rejects(openSealingKey(path, PARTS), {
      name: 'FatalError',
      code: 'KEY_FILE_UNUSABLE',
      message: `key.file=${path}: not 32 bytes in base64`,
    });
    t.equal(await readFile(path, 'utf8'), before);
  }
  const unusable = { code: 'KEY_FILE_UNUSABLE', message: /^key\.file=/ };
  await t.rejects(openSealingKey(join(folder, 'dir'), PARTS), unusable);
  await t.rejects(openSealingKey(join(folder, 'file', 'muster.key'), PARTS), unusable);
});

t.test('key.file: one that others may read is warned about, and used', async t => {
  const path = join(testFolder(t), 'muster.key');
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: message => void warnings.push(message) };
  await openSealingKey(path, { ...PARTS, log });
  t.strictSame(warnings, []);
  await chmod(path, 0o640);
  await openSealingKey(path, { ...PARTS, log });
  t.match(warnings, [/may be read by other users/]);
});

t.test('key.file: blanks and a missing line end around the key do not matter', async t => {
  const path = join(testFolder(t), 'muster.key');
  const key = await openSealingKey(path, PARTS);
  await writeFile(path, `  ${(await readFile(path, 'utf8')).trim()}\r\n\n`);
  const again = await openSealingKey(path, PARTS);
  t.equal(text(again.unseal('a', key.seal('a', Buffer.from('x')))), 'x');
});

t.test('seal: the same text never looks the same, and any length comes back', async t => {
  const key = sealUnder(new Uint8Array(32).fill(1), 'key.file=x');
  for (const length of [0, 1, 15, 16, 17, 10_000]) {
    const plain = new Uint8Array(length).fill(length);
    const sealed = key.seal('name', plain);
    // Byte arrays of this size are slow to compare for tap.
    t.equal(Buffer.compare(key.unseal('name', sealed), plain), 0);
    t.equal(sealed.length, length + 29);
    t.not(Buffer.compare(key.seal('name', plain), sealed), 0);
  }
});

t.test(
  'unseal: another key, another name and every flipped bit are noticed, and the message says what to do',
  async t => {
    const key = sealUnder(new Uint8Array(32).fill(1), 'key.file=/etc/muster.key');
    const sealed = key.seal('ca', Buffer.from('secret'));
    const unfit = {
      name: 'FatalError',
      code: 'KEY_FILE_UNUSABLE',
      message: /^key\.file=\/etc\/muster\.key does not fit the store: .*Copy the key of a server/,
    };
    t.throws(
      () => sealUnder(new Uint8Array(32).fill(2), 'key.file=/etc/muster.key').unseal('ca', sealed),
      unfit,
      'another key',
    );
    t.throws(() => key.unseal('api', sealed), unfit, 'another name');
    t.throws(() => key.unseal('ca', sealed.subarray(0, 20)), unfit, 'cut short');
    const unnoticed = [];
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Uint8Array.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        key.unseal('ca', flipped);
        unnoticed.push(bit);
      } catch {
        // As it should be.
      }
    }
    t.strictSame(unnoticed, []);
  },
);

t.test('unseal: a later format is not taken for a wrong key', async t => {
  const key = sealUnder(new Uint8Array(32), 'key.file=x');
  t.throws(() => key.unseal('ca', Uint8Array.of(2, 0, 0)), { code: 'STORE_TOO_NEW', message: /format 2/ });
  t.throws(() => key.unseal('ca', new Uint8Array(0)), { code: 'STORE_TOO_NEW', message: /format none/ });
});

t.test('key.file: a folder that cannot hold it is refused', async t => {
  const folder = join(testFolder(t), 'closed');
  await mkdir(folder);
  await chmod(folder, 0o500);
  const opened = openSealingKey(join(folder, 'muster.key'), PARTS);
  // Root may write there all the same.
  if (process.getuid?.() === 0) await opened;
  else await t.rejects(opened, { code: 'KEY_FILE_UNUSABLE' });
});
