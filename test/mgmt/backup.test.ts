import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findApiKeyPair } from '../../src/admin/api-key-file.js';
import { call } from '../../src/admin/client.js';
import { systemClock } from '../../src/lib/clock.js';
import { systemRandom } from '../../src/lib/random.js';
import { AgentProcess } from '../helpers/agent-process.js';
import { PASSWORD, startMariaDb, whyNoMariaDb } from '../helpers/mariadb.js';
import { MgmtProcess } from '../helpers/mgmt-process.js';
import { eventually } from '../helpers/until.js';

const missing = whyNoMariaDb(t) ?? false;
const SETTINGS = 'bind.address=127.0.0.1\nport=0\ncluster.node.IP=127.0.0.1\napi.port=0\n';
const start = (t: Test, folder: string, ...args: string[]) => new MgmtProcess(t, folder, ['mgmt.properties', ...args]);

function folderOf(t: Test): { readonly server: string; readonly other: string; readonly agent: string } {
  const folder = t.testdir({ server: { 'mgmt.properties': SETTINGS }, other: {}, agent: {} });
  const below = (name: string) => join(folder, name);
  return { server: below('server'), other: below('other'), agent: below('agent') };
}

async function ask(folder: string, command: string, params: Readonly<Record<string, string>> = {}) {
  const config = join(folder, 'data', 'cloudstack.ini');
  const pair = await findApiKeyPair({ config, endpoint: undefined, environment: {}, home: '/' });
  return call(pair, command, new Map(Object.entries(params)), { clock: systemClock, random: systemRandom });
}

t.test('backup: of a server that runs; what is restored is the same cluster to its agents and operators', async t => {
  const { server, other, agent } = folderOf(t);
  const first = start(t, server);
  const port = await first.port();
  await ask(server, 'updateConfiguration', { name: 'ping.interval', value: '47' });
  const token = await first.enrolmentToken();
  const settings = { host: '127.0.0.1', port, 'enrollment.token': token };
  const enrolled = new AgentProcess(t, agent, settings);
  const isUp = async (folder: string) => {
    const { host = [] } = (await ask(folder, 'listHosts', { state: 'Up' })) as { host?: { id: string }[] };
    return host[0]?.id;
  };
  await eventually(async () => (await isUp(server)) !== undefined);
  const id = await isUp(server);

  const backup = start(t, server, 'backup.to=saved');
  t.equal(await backup.exit, 0, backup.stderr);
  t.equal(backup.stdout, 'saved has muster.db, mgmt.properties, cluster.node.id, token, key.file\n');
  const saved = join(server, 'saved');
  t.equal(statSync(saved).mode & 0o777, 0o700);
  t.same(
    readdirSync(saved).filter(name => (statSync(join(saved, name)).mode & 0o777) !== 0o600),
    [],
    'for this user alone',
  );
  const again = start(t, server, 'backup.to=saved');
  t.equal(await again.exit, 66, 'no backup is written over');
  t.match(again.stderr, /^backup\.to=saved: .*a new folder is needed/m);
  await enrolled.stop('SIGTERM');
  await first.stop('SIGTERM');

  // As docs/backup.md says.
  mkdirSync(join(other, 'data'), { mode: 0o700 });
  const restore: Readonly<Record<string, string>> = {
    'mgmt.properties': 'mgmt.properties',
    'muster.db': 'data/muster.db',
    'key.file': 'data/muster.db.key',
    'cluster.node.id': 'data/cluster.node.id',
    token: 'data/token',
  };
  for (const [name, path] of Object.entries(restore)) copyFileSync(join(saved, name), join(other, path));
  const restored = start(t, other);
  const newPort = await restored.port();
  t.equal(
    readFileSync(join(other, 'data/cloudstack.ini'), 'utf8').match(/^secret = .*$/m)?.[0],
    readFileSync(join(server, 'data/cloudstack.ini'), 'utf8').match(/^secret = .*$/m)?.[0],
    'the same key of the API',
  );
  t.match(await ask(other, 'listConfigurations', { name: 'ping.interval' }), { configuration: [{ value: '47' }] });
  const { managementserver } = (await ask(other, 'listManagementServers')) as { managementserver: unknown[] };
  t.equal(managementserver.length, 1, 'the same server');
  cpSync(agent, join(other, 'agent'), { recursive: true });
  const file = join(other, 'agent', 'agent.properties');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^port=.*$/m, `port=${newPort}`));
  const back = new AgentProcess(t, join(other, 'agent'), propertiesOf(file));
  await eventually(async () => (await isUp(other)) === id);
  t.pass('its agent comes back by its certificate, as the same host');
  await back.stop('SIGTERM');
  await restored.stop('SIGTERM');
});

const propertiesOf = (file: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...readFileSync(file, 'utf8').matchAll(/^([\w.]+)=(.*)$/gm)].map(([, key, value]) => [key, value]),
  );

t.test('backup: a backup that fails leaves nothing, and says why', async t => {
  const { server } = folderOf(t);
  const nothing = start(t, server, 'backup.to=saved');
  t.equal(await nothing.exit, 67);
  t.match(nothing.stderr, /db\.url=sqlite:data\/muster\.db: .*no such file/);
  const first = start(t, server);
  await first.port();
  const keyless = start(t, server, 'backup.to=saved', 'key.file=nowhere');
  t.equal(await keyless.exit, 66);
  t.match(keyless.stderr, /^key\.file=nowhere: .*no such file/m);
  t.notOk(readdirSync(server).includes('saved'));
  await first.stop('SIGTERM');
});

t.test('backup: without the database where that has tools of its own', async t => {
  const { server } = folderOf(t);
  writeFileSync(join(server, 'db.password'), 'p');
  const backup = start(t, server, 'backup.to=saved', 'db.url=mysql://u@127.0.0.1:1/d', 'db.password.file=db.password');
  t.equal(await backup.exit, 0, backup.stderr);
  t.match(backup.stdout, /^saved has mgmt\.properties, db\.password\.file\nThe database is not in it: mariadb-dump/);
});

t.test('backup: a dump of MariaDB and the password of that day give the same cluster', { skip: missing }, async t => {
  const { server, other } = folderOf(t);
  const mariadb = await startMariaDb(t);
  const first = start(t, server, `db.url=${await mariadb.createDatabase()}`);
  await first.port();
  await ask(server, 'updateConfiguration', { name: 'ping.interval', value: '47' });
  const login = ['--host=127.0.0.1', `--port=${mariadb.port}`, '--user=muster'];
  const env = { PATH: process.env.PATH ?? '', MYSQL_PWD: PASSWORD };
  const dump = execFileSync('mariadb-dump', [...login, '--single-transaction', 'muster_1'], {
    env,
    maxBuffer: 2 ** 26,
  });
  await first.stop('SIGINT');

  const dbUrl = await mariadb.createDatabase();
  execFileSync('mariadb', [...login, 'muster_2'], { env, input: dump });
  mkdirSync(join(other, 'data'), { mode: 0o700 });
  for (const name of ['mgmt.properties', 'data/cluster.node.id', 'data/token'])
    copyFileSync(join(server, name), join(other, name));
  const restored = start(t, other, `db.url=${dbUrl}`);
  await restored.port();
  t.match(await ask(other, 'listConfigurations', { name: 'ping.interval' }), { configuration: [{ value: '47' }] });
  const secretOf = (folder: string) =>
    readFileSync(join(folder, 'data/cloudstack.ini'), 'utf8').match(/^secret = .*$/m)?.[0];
  t.equal(secretOf(other), secretOf(server), 'secrets are read by the same password');
  await restored.stop('SIGINT');
});
