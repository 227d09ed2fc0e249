import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { findApiKeyPair } from '../../src/admin/api-key-file.js';
import { call } from '../../src/admin/client.js';
import { systemClock } from '../../src/lib/clock.js';
import { silentLog } from '../../src/lib/logger.js';
import { systemRandom } from '../../src/lib/random.js';
import { openStore } from '../../src/mgmt/open-store.js';
import { openSecretKey } from '../../src/mgmt/secret-keys.js';
import { PASSWORD, startMariaDb, whyNoMariaDb } from '../helpers/mariadb.js';
import { MgmtProcess } from '../helpers/mgmt-process.js';
import { signedFiles } from '../helpers/openssl.js';
import { eventually } from '../helpers/until.js';

const missing = whyNoMariaDb(t) ?? false;
const LOOPBACK = ['bind.address=127.0.0.1', 'port=0', 'cluster.node.IP=127.0.0.1', 'log.level=debug'];

/** What the command line for operators does with this file. */
const keyPairOf = (config: string) => findApiKeyPair({ config, endpoint: undefined, environment: {}, home: '/' });
type KeyPair = Awaited<ReturnType<typeof keyPairOf>>;

const ask = (pair: KeyPair, command: string, params: Record<string, string> = {}) =>
  call(pair, command, new Map(Object.entries(params)), { clock: systemClock, random: systemRandom });

t.test('secrets: what many features print and store has none of the secrets', { skip: missing }, async t => {
  const folder = t.testdir({ one: {}, two: {} });
  const files = signedFiles(folder, 'IP:127.0.0.1');
  const api = signedFiles(folder, 'IP:127.0.0.1', 'api-');
  const mariadb = await startMariaDb(t, { tls: files });
  const dbUrl = `${await mariadb.createDatabase()}?tlsCa=${files.ca}`;
  const given = [...LOOPBACK, `db.url=${dbUrl}`, 'api.port=0', `api.tls.cert=${api.cert}`, `api.tls.key=${api.key}`];
  const one = new MgmtProcess(t, join(folder, 'one'), given);
  await one.port();
  const commandLine = readFileSync(`/proc/${one.child.pid}/cmdline`, 'utf8');
  t.match(commandLine, /db\.url=mysql:\/\/muster:…@/, 'the title of the process has no secret');
  t.match(one.stderr, /^db\.url: a secret on the command line/);
  const two = new MgmtProcess(t, join(folder, 'two'), [...given, 'cluster.node.id=2']);
  await two.port();

  const ca = { pem: await readFile(api.ca, 'utf8'), source: 'ca.pem' };
  const [here, there] = await Promise.all(
    ['one', 'two'].map(async name => ({ ...(await keyPairOf(join(folder, name, 'data', 'cloudstack.ini'))), ca })),
  );
  if (here === undefined || there === undefined) throw new Error('two');
  t.equal(there.key, here.key, 'both have the operator’s key');
  const { apikey: made } = (await ask(here, 'createApiKey', { name: 'watch', role: 'reader' })) as {
    apikey: { id: string; apikey: string; secretkey: string };
  };
  const reader = { ...there, key: made.apikey, secret: made.secretkey };
  await eventually(() =>
    ask(reader, 'listHosts').then(
      () => true,
      () => false,
    ),
  );
  await t.rejects(ask(reader, 'updateConfiguration', { name: 'ping.interval', value: '5' }), { code: 432 });
  await t.rejects(ask({ ...reader, secret: 'wrong' }, 'listHosts'), { code: 401 });
  await ask(here, 'updateConfiguration', { name: 'ping.interval', value: '30' });
  await t.rejects(ask(here, 'updateConfiguration', { name: 'ping.interval', value: 'x' }), { code: 431 });
  await t.rejects(ask(here, 'deleteHost', { id: made.id }), { code: 431 });
  await ask(there, 'rebalanceAgents');
  await ask(here, 'deleteApiKey', { id: made.id });
  await eventually(() =>
    ask(reader, 'listHosts').then(
      () => false,
      error => error.code === 401,
    ),
  );
  one.child.kill('SIGHUP');
  await one.says(/Certificate in use/);
  await eventually(async () => {
    const events = JSON.stringify(await ask(here, 'listEvents'));
    return /API\.KEY\.DELETE.*"username":"operator"/s.test(events);
  });
  const answers = JSON.stringify([
    await ask(here, 'listEvents'),
    await ask(here, 'listAsyncJobs'),
    await ask(here, 'listApiKeys'),
  ]);
  t.equal(await two.stop('SIGTERM'), 0);
  t.equal(await one.stop('SIGTERM'), 0);

  const store = await openStore(dbUrl, { log: silentLog });
  t.teardown(() => store.close());
  const sealingKey = await openSecretKey({ settings: { dbUrl, keyFile: undefined }, store, log: silentLog });
  const root = Buffer.from(sealingKey.unseal('ca', (await store.secret('ca')) ?? new Uint8Array())).toString();
  const [, caKey = 'no key'] = /PRIVATE KEY-----\s+([A-Za-z0-9+/]{40})/.exec(root) ?? [];
  const tables = (await mariadb.query(
    `select table_name as name from information_schema.tables where table_schema = '${nameOf(dbUrl)}'`,
  )) as { name: string }[];
  const rows = await Promise.all(tables.map(({ name }) => mariadb.query(`select * from ${nameOf(dbUrl)}.${name}`)));
  const stored = rows
    .flat()
    .map(row =>
      Object.values(row as object)
        .map(textOf)
        .join('\n'),
    )
    .join('\n');
  const said = [one, two].map(({ stdout, stderr }) => stdout + stderr).join('\n');
  const secrets: Record<string, string> = {
    'the password of the database': PASSWORD,
    'that password, encoded': encodeURIComponent(PASSWORD),
    'the operator’s secret': here.secret,
    'the reader’s secret': made.secretkey,
    'the key of the CA': caKey,
    'the key of the API’s certificate':
      /-----\s+([A-Za-z0-9+/]{40})/.exec(await readFile(api.key, 'utf8'))?.[1] ?? 'none',
  };
  t.ok(stored.length > 1_000 && said.length > 1_000);
  for (const [what, secret] of Object.entries(secrets)) {
    t.ok(secret.length > 8, what);
    const places = { commandLine, said, answers, stored, files: await textsIn(folder) };
    t.same(
      Object.entries(places)
        .filter(([, text]) => text.includes(secret))
        .map(([place]) => place),
      [],
      what,
    );
  }
});

const nameOf = (dbUrl: string) => /\/(\w+)\?/.exec(dbUrl)?.[1] ?? '';
const textOf = (value: unknown) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value));

/** All files of the servers but those that are there for a secret. */
async function textsIn(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true });
  const shown = names.filter(name => /^(one|two)\//.test(name) && !name.endsWith('cloudstack.ini'));
  const texts = shown.map(name => readFile(join(folder, name), 'latin1').catch(() => ''));
  return (await Promise.all(texts)).join('\n');
}
