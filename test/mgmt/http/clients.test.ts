import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findApiKeyPair } from '../../../src/admin/api-key-file.js';
import { systemClock } from '../../../src/lib/clock.js';
import { connectTls, secureContext } from '../../../src/protocol/index.js';
import { FakeAgent } from '../../../src/testing/fake-agent.js';
import { MgmtProcess } from '../../helpers/mgmt-process.js';
import { testFolder } from '../../helpers/scratch.js';

// The proof that we speak CloudStack's API: clients that we did not write, unchanged, against the real process.

const PYTHON = '/usr/bin/python3';

async function start(t: Test): Promise<{ ini: string; agentPort: number }> {
  const folder = testFolder(t);
  const server = new MgmtProcess(t, folder, [
    'bind.address=127.0.0.1',
    'cluster.node.IP=127.0.0.1',
    'port=0',
    'api.port=0',
    // An agent of this file comes without a certificate.
    'ca.plugin.root.auth.strictness=false',
  ]);
  return { agentPort: await server.port(), ini: join(folder, 'data', 'cloudstack.ini') };
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise(resolve => {
    execFile(file, [...args], { env: { PATH: process.env.PATH ?? '', ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function whyNoCs(): Promise<string | false> {
  const { code } = await run(PYTHON, ['-c', 'import cs']);
  return code === 0 ? false : `Debian's cs is not there: apt-get install python3-cs`;
}

const missing = await whyNoCs();
const isCi = process.env.CI === 'true';

t.test(
  'clients: Debian’s cs is there, where everything has to be',
  { skip: !isCi && 'only where CI=true' },
  async t => {
    t.equal(missing, false);
  },
);

t.test('clients: Debian’s cs works with the ini file that the first server writes', { skip: missing }, async t => {
  const { ini } = await start(t);
  const cs = (...args: string[]) => run(PYTHON, ['-m', 'cs', ...args], { CLOUDSTACK_CONFIG: ini });

  const servers = await cs('listManagementServers');
  t.equal(servers.code, 0, servers.stderr);
  t.match(JSON.parse(servers.stdout), {
    count: 1,
    managementserver: [{ name: '127.0.0.1', state: 'Up', agents: [], agentscount: 0, ipaddress: '127.0.0.1' }],
  });
  t.match(await cs('listHosts'), { code: 0, stdout: '', stderr: '' }, 'nothing is nothing');

  const updated = await cs('updateConfiguration', 'name=ping.interval', 'value=30');
  t.match(JSON.parse(updated.stdout), { configuration: { name: 'ping.interval', value: '30', isdynamic: true } });
  const listed = await cs('--post', 'listConfigurations', 'name=ping.interval');
  t.match(JSON.parse(listed.stdout), { count: 1, configuration: [{ value: '30' }] }, 'by POST');

  const odd = await cs('listHosts', "keyword=ü ~*[a]+&=%/?'()", 'name=x y');
  t.equal(odd.code, 0, `whatever the characters: ${odd.stderr}`);

  const invalid = await cs('updateConfiguration', 'name=ping.interval', 'value=0');
  t.match(invalid.stderr, /HTTP 431 response from CloudStack/);
  t.match(invalid.stdout, /a whole number from 1 to 86400 is allowed/);
  t.match((await cs('listHostz')).stderr, /432/);
});

t.test('clients: Debian’s cs with a wrong secret gets 401', { skip: missing }, async t => {
  const { ini } = await start(t);
  const { endpoint, key } = await findApiKeyPair({ config: ini, endpoint: undefined, environment: {}, home: '/' });
  const env = { CLOUDSTACK_ENDPOINT: endpoint, CLOUDSTACK_KEY: key, CLOUDSTACK_SECRET: 'wrong' };
  const { stdout, stderr } = await run(PYTHON, ['-m', 'cs', 'listHosts'], env);
  t.match(stderr, /HTTP 401 response from CloudStack/);
  t.match(stdout, /unable to verify user credentials/);
});

// ---- the npm package csclient

type Answer = Record<string, unknown>;
interface CsClient {
  on(event: 'ready' | 'error', listener: (error: Error) => void): void;
  execute(
    command: string,
    params: Answer,
    done: (error: (Error & { code?: number }) | null, answer: Answer) => void,
  ): void;
}
const Client = createRequire(import.meta.url)('csclient') as new (options: Answer) => CsClient;

async function csclient(ini: string, more: Answer = {}) {
  const { endpoint, key, secret } = await findApiKeyPair({
    config: ini,
    endpoint: undefined,
    environment: {},
    home: '/',
  });
  const options = { baseUrl: `${endpoint}?`, apiKey: key, secretKey: secret, singleExecutor: true, pollingTime: 100 };
  const client = new Client({ ...options, ...more });
  // It asks listApis what is a job.
  await new Promise<void>((resolve, reject) => {
    client.on('ready', () => resolve());
    client.on('error', reject);
  });
  return (command: string, params: Answer = {}) =>
    new Promise<Answer>((resolve, reject) => {
      client.execute(command, params, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
}

async function joined(port: number): Promise<FakeAgent> {
  const remote = { address: '127.0.0.1', port };
  const transport = await connectTls(connect(port, '127.0.0.1'), {
    clock: systemClock,
    context: secureContext({}),
    handshakeTimeoutMs: 10_000,
    remote,
    host: remote.address,
    judge: () => {},
  });
  const agent = new FakeAgent(transport);
  await agent.join();
  return agent;
}

t.test('clients: the npm package csclient lists, changes, and waits for a job', async t => {
  const { ini, agentPort } = await start(t);
  const execute = await csclient(ini);
  t.match(await execute('listManagementServers'), { listmanagementserversresponse: { count: 1 } });
  t.match(await execute('updateConfiguration', { name: 'zones', value: 'default,ü ~*' }), {
    updateconfigurationresponse: { configuration: { value: 'default,ü ~*' } },
  });
  await t.rejects(execute('updateConfiguration', { name: 'ping.interval', value: 'x' }), { code: 431 });
  await t.rejects(execute('listHost'), 'a command that is not there');

  const agent = await joined(agentPort);
  const { listhostsresponse } = (await until(async () => {
    const answer = await execute('listHosts', { state: 'Up' });
    return (answer.listhostsresponse as Answer).count === 1 ? answer : undefined;
  })) as { listhostsresponse: { host: { id: string; name: string }[] } };
  const [host] = listhostsresponse.host;
  t.equal(host?.name, 'kvm-1');
  // The agent comes back when its link is ended.
  const back = agent.receive().catch(() => joined(agentPort));
  const job = await execute('reconnectHost', { id: host?.id });
  t.match(job, { jobstatus: 1, jobresult: { host: { name: 'kvm-1', state: 'Up' } } });
  t.ok(agent.closed);
  t.ok(await back);
});

t.test('clients: the npm package csclient with a wrong key gets 401', async t => {
  const { ini } = await start(t);
  await t.rejects(csclient(ini, { apiKey: 'wrong' }), { code: 401, message: /unable to verify user credentials/ });
});

/** Asks again and again: what a process does after a link tells nobody. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const end = systemClock.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (systemClock.now() > end) throw new Error(`it never came to this: ${look}`);
  }
}
