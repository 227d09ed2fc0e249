import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findApiKeyPair, type KeyPairSources } from '../../src/admin/api-key-file.js';
import { UsageError } from '../../src/admin/usage-error.js';
import { writeIni } from '../../src/mgmt/security/ini-file.js';

const URL_OF = (name: string) => `http://${name}:8080/client/api`;
const iniOf = (name: string) =>
  `[cloudstack]\nendpoint = ${URL_OF(name)}\nkey = key-${name}\nsecret = secret-${name}\n`;
const ENVIRONMENT = { CLOUDSTACK_ENDPOINT: URL_OF('env'), CLOUDSTACK_KEY: 'k', CLOUDSTACK_SECRET: 's' };

/** A folder to stand in, a home, and what the command line says. */
function place(t: Test, files: Readonly<Record<string, string>> = {}) {
  const folder = t.testdir({ home: {}, work: {}, ...files });
  const former = process.cwd();
  process.chdir(join(folder, 'work'));
  t.teardown(() => process.chdir(former));
  const find = (more: Partial<KeyPairSources> = {}) =>
    findApiKeyPair({ config: undefined, endpoint: undefined, environment: {}, home: join(folder, 'home'), ...more });
  return { folder, find };
}

t.test('api-key-file: the file named, the environment, the home folder, then the data folder', async t => {
  const { folder, find } = place(t, { 'named.ini': iniOf('named') });
  await t.rejects(find(), {
    message: /^no credentials: name a cloudstack\.ini with --config, set CLOUDSTACK_ENDPOINT/,
  });
  await mkdir('data');
  await writeFile('data/cloudstack.ini', iniOf('data'));
  t.match(await find(), { endpoint: URL_OF('data'), key: 'key-data', secret: 'secret-data' });
  await writeFile(join(folder, 'home', '.cloudstack.ini'), iniOf('home'));
  t.match(await find(), { endpoint: URL_OF('home') });
  t.match(await find({ environment: ENVIRONMENT }), { endpoint: URL_OF('env'), key: 'k', secret: 's' });
  const config = join(folder, 'named.ini');
  t.match(await find({ config, environment: ENVIRONMENT }), { endpoint: URL_OF('named'), source: config });
  const { CLOUDSTACK_KEY: _none, ...partly } = ENVIRONMENT;
  t.match(await find({ environment: partly }), { endpoint: URL_OF('home') }, 'all three, or none');
});

t.test('api-key-file: --endpoint beats the endpoint of any of them', async t => {
  const { find } = place(t);
  const endpoint = URL_OF('other');
  t.match(await find({ environment: ENVIRONMENT, endpoint }), { endpoint, key: 'k', secret: 's' });
});

t.test('api-key-file: what the server writes is read, blanks, comments and quotes of operators too', async t => {
  const { folder, find } = place(t);
  const keys = { apiKey: 'a-_b', secretKey: 's'.repeat(86) };
  const written = await writeIni(join(folder, 'work'), { endpoint: URL_OF('server'), ...keys });
  t.match(await find({ config: written }), { endpoint: URL_OF('server'), key: 'a-_b', secret: 's'.repeat(86) });
  const mine = join(folder, 'mine.ini');
  await writeFile(mine, `# mine\r\n; too\r\n\r\n[cloudstack]\r\nendpoint=${URL_OF('x')}\r\nkey=k\r\nsecret=s\r\n`);
  t.match(await find({ config: mine }), { endpoint: URL_OF('x'), key: 'k', secret: 's' });
});

t.test('api-key-file: what is wrong with a file is said with its name', async t => {
  const { folder, find } = place(t);
  const config = join(folder, 'my.ini');
  const cases: [string, RegExp][] = [
    ['', /my\.ini: \[cloudstack\] needs endpoint, key and secret; endpoint is missing/],
    ['[other]\nendpoint = http://x/\n', /endpoint is missing/],
    ['[cloudstack]\nendpoint = http://x/\nkey =\n', /key is missing/],
    [
      '[cloudstack]\nendpoint = x\nkey = k\nsecret = s\n',
      /my\.ini: x is no endpoint: http:\/\/ADDRESS:PORT\/client\/api/,
    ],
    ['[cloudstack]\nendpoint = ftp://x/\nkey = k\nsecret = s\n', /is no endpoint/],
  ];
  for (const [text, message] of cases) {
    await writeFile(config, text);
    await t.rejects(find({ config }), { message }, message.source);
    await t.rejects(find({ config }), UsageError);
  }
  await t.rejects(find({ config: join(folder, 'none.ini') }), { message: /none\.ini cannot be read: ENOENT/ });
  await t.rejects(find({ config: folder }), { message: /cannot be read: EISDIR/ });
  await t.rejects(find({ environment: ENVIRONMENT, endpoint: 'foo' }), { message: /^--endpoint: foo is no endpoint/ });
});

t.test(
  'api-key-file: a file that is there and cannot be read is not passed over',
  { skip: process.getuid?.() === 0 && 'root reads all' },
  async t => {
    const { folder, find } = place(t);
    const home = join(folder, 'home', '.cloudstack.ini');
    await writeFile(home, iniOf('home'));
    await chmod(home, 0o000);
    await t.rejects(find(), { message: /cannot be read: EACCES/ });
  },
);

t.test('api-key-file: verify names the CA, in the file and in the environment, as cs has it', async t => {
  const { folder, find } = place(t);
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, 'the CA');
  const mine = join(folder, 'verified.ini');
  await writeFile(mine, `${iniOf('x')}verify = ${ca}\n`);
  t.match(await find({ config: mine }), { ca: { pem: 'the CA', source: ca } });
  t.match(await find({ environment: { ...ENVIRONMENT, CLOUDSTACK_VERIFY: ca } }), { ca: { pem: 'the CA' } });
  t.equal((await find({ environment: ENVIRONMENT })).ca, undefined);
  await writeFile(mine, `${iniOf('x')}verify = ${ca}.gone\n`);
  await t.rejects(find({ config: mine }), {
    name: 'UsageError',
    message: /verified\.ini: verify = .*gone cannot be read/,
  });
});
