import { execFile } from 'node:child_process';
import { get } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { findApiKeyPair } from '../../src/admin/api-key-file.js';
import { call } from '../../src/admin/client.js';
import { systemClock } from '../../src/lib/clock.js';
import { firstAddress } from '../../src/lib/interfaces.js';
import { systemRandom } from '../../src/lib/random.js';
import { MgmtProcess } from '../helpers/mgmt-process.js';
import { testFolder } from '../helpers/scratch.js';

const LOOPBACK = ['bind.address=127.0.0.1', 'port=0', 'cluster.node.IP=127.0.0.1', 'log.level=debug'];

/** What the command line for operators does with this file. */
const keyPairOf = (config: string) => findApiKeyPair({ config, endpoint: undefined, environment: {}, home: '/' });
type KeyPair = Awaited<ReturnType<typeof keyPairOf>>;

const ask = (pair: KeyPair, command: string, params: Record<string, string> = {}) =>
  call(pair, command, new Map(Object.entries(params)), { clock: systemClock, random: systemRandom });

function run(cwd: string, file: string, args: readonly string[], env: Record<string, string>) {
  return new Promise<string>((resolve, reject) => {
    const options = { env: { PATH: process.env.PATH ?? '', ...env }, cwd };
    execFile(file, [...args], options, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(stderr)),
    );
  });
}

t.test('operators: HTTPS beyond loopback is verified by the ini file, by our command line and by cs', async t => {
  const folder = testFolder(t);
  const address = firstAddress();
  const server = new MgmtProcess(t, folder, [...LOOPBACK, `api.address=${address}`, 'api.port=0']);
  await server.port();
  const ini = join(folder, 'data', 'cloudstack.ini');
  const pair = await keyPairOf(ini);
  t.match(pair.endpoint, /^https:/);
  t.match(await ask(pair, 'listManagementServers'), { count: 1 });
  await t.rejects(ask({ ...pair, ca: undefined }, 'listHosts'), { message: /does not verify/ });
  await t.rejects(ask({ ...pair, endpoint: pair.endpoint.replace('https', 'http') }, 'listHosts'), {
    message: /this port speaks HTTPS/,
  });
  const hasCs = await run(folder, '/usr/bin/python3', ['-c', 'import cs'], {}).then(
    () => true,
    () => false,
  );
  if (hasCs) {
    const listed = await run(folder, '/usr/bin/python3', ['-m', 'cs', 'listManagementServers'], {
      CLOUDSTACK_CONFIG: ini,
    });
    t.match(JSON.parse(listed), { count: 1 });
  } else if (process.env.CI === 'true') t.fail('python3-cs is not installed');
  else t.comment('python3-cs is not installed');
  t.equal(await server.stop('SIGINT'), 0);
});

t.test(
  'operators: before the store is there, HTTPS tells the health by a certificate that nobody has signed',
  async t => {
    const folder = testFolder(t);
    const address = firstAddress();
    const away = ['db.url=mysql://muster@127.0.0.1:1/muster', `api.address=${address}`, 'api.port=0'];
    const server = new MgmtProcess(t, folder, [...LOOPBACK, ...away]);
    const [, port] = await server.says(/Listening for operators.* port=(\d+)/);
    const health = await new Promise<string>((resolve, reject) => {
      const request = get(`https://${address}:${port}/readyz`, { rejectUnauthorized: false }, response => {
        response.setEncoding('utf8').on('data', text => resolve(`${response.statusCode} ${text}`));
      });
      request.on('error', reject);
    });
    t.equal(health, '503 starting\n');
    const pair = { endpoint: `https://${address}:${port}/client/api`, key: 'K', secret: 'S', source: 'test' };
    await t.rejects(ask(pair, 'listHosts'), { message: /does not verify .*a server that is starting shows one/ });
    t.equal(await server.stop('SIGINT'), 0);
  },
);
