import t from 'tap';
import { silentLog } from '../../../../src/lib/logger.js';
import { dbUrlOf, openStore } from '../../../../src/mgmt/open-store.js';
import { PASSWORD, startMariaDb, whyNoMariaDb } from '../../../helpers/mariadb.js';
import { signedFiles } from '../../../helpers/openssl.js';

const missing = whyNoMariaDb(t) ?? false;

t.test('mariadb: one that takes TLS only is reached, and verified as the mode says', { skip: missing }, async t => {
  const folder = t.testdir({ password: `${PASSWORD}\n`, empty: '\n' });
  const files = signedFiles(folder, 'IP:127.0.0.1');
  const other = signedFiles(folder, 'IP:127.0.0.1', 'other-');
  const mariadb = await startMariaDb(t, { tls: files });
  const url = await mariadb.createDatabase();
  const open = async (query: string, dbUrl = url) => {
    const store = await openStore(`${dbUrl}${query}`, { log: silentLog });
    await store.close();
    return 'opened';
  };
  t.equal(await open('?tls=required'), 'opened');
  t.equal(await open(`?tls=verify-ca&tlsCa=${files.ca}`), 'opened');
  t.equal(await open(`?tlsCa=${files.ca}`), 'opened', 'verify-full, by address');
  t.equal(await open(`?tlsCa=${files.ca}&tlsCert=${files.cert}&tlsKey=${files.key}`), 'opened', 'with a certificate');

  const localhost = url.replace('127.0.0.1', 'localhost');
  t.equal(
    await open(`?tls=verify-ca&tlsCa=${files.ca}`, localhost),
    'opened',
    'by a name that is not in the certificate',
  );
  await t.rejects(open(`?tlsCa=${files.ca}`, localhost), { message: /localhost/ }, 'which verify-full refuses');
  await t.rejects(open(`?tls=verify-ca&tlsCa=${other.ca}`), { code: 'STORE_UNUSABLE', message: /certificate/ });
  await t.rejects(
    open('?tls=verify-full'),
    { code: 'STORE_UNUSABLE', message: /certificate/ },
    'the system does not know the CA',
  );
  await t.rejects(open(''), {
    code: 'CONFIG_INVALID',
    message: /takes TLS only.*tls=verify-full&tlsCa=FILE/,
  });
  await t.rejects(open('?tls=verify-full&tlsCa=/nowhere.pem'), {
    code: 'CONFIG_INVALID',
    message: /^db\.url: tlsCa=\/nowhere\.pem/,
  });

  const withoutPassword = url.replace(/muster:[^@]*@/, 'muster@');
  const ofFile = (dbUrl: string, file: string) => dbUrlOf({ dbUrl, dbPasswordFile: `${folder}/${file}` });
  t.equal(await open('', await ofFile(`${withoutPassword}?tlsCa=${files.ca}`, 'password')), 'opened');
  await t.rejects(ofFile(url, 'password'), { key: 'db.password.file', message: /db\.url has a password too/ });
  await t.rejects(ofFile(withoutPassword, 'empty'), { message: /the file is empty/ });
  await t.rejects(ofFile(withoutPassword, 'missing'), { message: /no such file/ });
  await t.rejects(ofFile('sqlite:x', 'password'), { message: /this database has no password/ });
});

t.test('mariadb: one without TLS is not taken for one with TLS', { skip: missing }, async t => {
  const mariadb = await startMariaDb(t);
  const url = await mariadb.createDatabase();
  await t.rejects(openStore(`${url}?tls=required`, { log: silentLog }), {
    code: 'CONFIG_INVALID',
    message: /does not speak TLS, and tls is not off/,
  });
});
