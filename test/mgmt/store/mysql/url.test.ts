import t from 'tap';
import { defaultSealingKey } from '../../../../src/mgmt/open-store.js';
import { MysqlNodes } from '../../../../src/mgmt/store/mysql/nodes.js';
import { parseMysqlUrl, withoutPassword } from '../../../../src/mgmt/store/mysql/url.js';

t.test('mysql url: one host or several, with or without ports, and what is escaped', async t => {
  t.strictSame(parseMysqlUrl('mysql://muster:p%40ss%3A%2F%2C@db/muster'), {
    hosts: [{ host: 'db', port: 3306 }],
    user: 'muster',
    password: 'p@ss:/,',
    database: 'muster',
    tls: { mode: 'off' },
  });
  t.strictSame(parseMysqlUrl('mysql://m@db1:3307,192.0.2.1,[2001:db8::1]:33,[::1]/some%20name'), {
    hosts: [
      { host: 'db1', port: 3307 },
      { host: '192.0.2.1', port: 3306 },
      { host: '2001:db8::1', port: 33 },
      { host: '::1', port: 3306 },
    ],
    user: 'm',
    password: '',
    database: 'some name',
    tls: { mode: 'off' },
  });
});

t.test('mysql url: what cannot be one is refused, and nothing of it is repeated but the host', async t => {
  for (const url of [
    'mysql:',
    'mysql://db/muster',
    'mysql://muster:secret@db',
    'mysql://muster:secret@db/',
    'mysql://muster:secret@/muster',
    'mysql://muster:secret@db,/muster',
    'mysql://muster:secret@db:0/muster',
    'mysql://muster:secret@db:65536/muster',
    'mysql://muster:secret@db:x/muster',
    'mysql://muster:sec@ret@db/muster',
    'mysql://muster:secret%@db/muster',
    'mysql://muster:secret@db/muster?ssl=true',
    'mysql://muster:secret@db/muster?tls=on',
    'mysql://muster:secret@db/muster?tls=off&tlsCa=ca.pem',
    'mysql://muster:secret@db/muster?tlsCert=cert.pem',
    'mysql://:secret@db/muster',
  ]) {
    try {
      parseMysqlUrl(url);
      t.fail(`${url} was taken`);
    } catch (error) {
      t.match(
        error,
        { name: 'ConfigError', key: 'db.url', value: 'mysql:…', allowed: /mysql:\/\/user:password@/ },
        url,
      );
      t.notMatch(String(error), /secret|ret@/);
    }
  }
});

t.test('mysql url: for messages it is shown without the password', async t => {
  const url = parseMysqlUrl('mysql://mus%3Ater:secret@db1,[::1]:3307/muster');
  t.equal(withoutPassword(url), 'mysql://mus%3Ater:…@db1:3306,[::1]:3307/muster');
});

t.test('key: it is made from the password alone, so that all servers have the same', async t => {
  for (const dbUrl of ['mysql://a:secret@one,two/x', 'mysql://b:secret@three/y']) {
    t.match(defaultSealingKey(dbUrl), { password: 'secret', origin: /password in db\.url/ });
  }
});

t.test('mysql hosts: the node in use is left when it fails, once for all who notice', async t => {
  const [one, two, three] = [1, 2, 3].map(port => ({ host: 'db', port }));
  if (!one || !two || !three) throw new Error('three');
  const hosts = new MysqlNodes([one, two, three]);
  t.equal(hosts.current, one);
  t.equal(hosts.failed(one), true);
  t.equal(hosts.failed(one), true, 'another session on it');
  t.equal(hosts.current, two);
  hosts.worked(two);
  t.equal(hosts.failed(two), true);
  t.equal(hosts.failed(three), true);
  t.equal(hosts.current, one, 'around');
  t.equal(hosts.failed(one), false, 'all have failed');
  hosts.worked(two);
  hosts.worked(hosts.current);
  t.equal(hosts.failed(hosts.current), true);
  const single = new MysqlNodes([one]);
  t.equal(single.failed(one), false);
  t.equal(single.current, one);
});

t.test('mysql url: tls is off, unless a mode or a file is named', async t => {
  const tls = (query: string) => parseMysqlUrl(`mysql://muster@db/muster${query}`).tls;
  const none = { caFile: undefined, certFile: undefined, keyFile: undefined };
  t.strictSame(tls('?tls=off'), { mode: 'off' });
  t.strictSame(tls('?tls=required'), { mode: 'required', ...none });
  t.strictSame(tls('?tls=verify-ca&tlsCa=/etc/a%20b.pem'), { mode: 'verify-ca', ...none, caFile: '/etc/a b.pem' });
  t.strictSame(tls('?tlsCa=ca.pem'), { mode: 'verify-full', ...none, caFile: 'ca.pem' });
  t.strictSame(tls('?tlsCa=ca.pem&tlsCert=c.pem&tlsKey=k.pem'), {
    mode: 'verify-full',
    caFile: 'ca.pem',
    certFile: 'c.pem',
    keyFile: 'k.pem',
  });
});
