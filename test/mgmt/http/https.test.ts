import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { call } from '../../../src/admin/client.js';
import { systemRandom } from '../../../src/lib/random.js';
import { httpServer, listenHttp } from '../../../src/mgmt/http/http-server.js';
import { apiSecureContext } from '../../../src/mgmt/security/server-certificate.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { type SignedFiles, signedFiles } from '../../helpers/openssl.js';
import { testFolder } from '../../helpers/scratch.js';

const pem = (path: string) => readFileSync(path, 'utf8');
const contextOf = ({ cert, key }: SignedFiles) => apiSecureContext({ cert: pem(cert), key: pem(key) });

async function serve(t: Test) {
  const folder = testFolder(t);
  const files = signedFiles(folder, 'IP:127.0.0.1');
  const state = { context: contextOf(files), isSigned: true };
  const clock = new FakeClock();
  const app = httpServer({
    clock,
    api: { handle: async () => ({ status: 200, body: ['{"listhostsresponse":{}}'], isSigned: state.isSigned }) },
    notReady: () => undefined,
    secureContext: () => state.context,
  });
  t.teardown(() => app.close());
  const port = await listenHttp(app, '127.0.0.1', 0);
  const endpoint = `https://127.0.0.1:${port}/client/api`;
  const keyPair = (ca?: string, to = endpoint) => ({
    endpoint: to,
    key: 'K',
    secret: 'S',
    source: 'test',
    ca: ca === undefined ? undefined : { pem: pem(ca), source: 'ca.pem' },
  });
  const ask = (ca?: string, to?: string) =>
    call(keyPair(ca, to), 'listHosts', new Map(), { clock: new FakeClock(), random: systemRandom });
  const dial = async (options: { readonly minVersion?: 'TLSv1.2'; readonly maxVersion?: 'TLSv1.1' } = {}) => {
    const socket = connectTls({ port, host: '127.0.0.1', ca: pem(files.ca), minVersion: 'TLSv1.2', ...options });
    t.teardown(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  };
  return { app, clock, state, folder, files, port, endpoint, ask, dial };
}

async function request(socket: TLSSocket): Promise<string> {
  socket.write('GET /client/api?command=listHosts HTTP/1.1\r\nHost: muster\r\n\r\n');
  const [answer] = await once(socket, 'data');
  return String(answer);
}

t.test(
  'https: a client that has the CA is served, by TLS 1.2 and newer; a connection serves several requests',
  async t => {
    const { ask, files, dial, port } = await serve(t);
    t.same(await ask(files.ca), {});
    const socket = await dial();
    t.match(socket.getProtocol(), /^TLSv1\.[23]$/);
    t.match(await request(socket), /^HTTP\/1\.1 200/);
    t.match(await request(socket), /^HTTP\/1\.1 200/);
    const old = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await t.rejects(once(old, 'secureConnect'), 'TLS 1.1 is not spoken');
  },
);

t.test('https: a wrong CA, a wrong name, and the wrong scheme are told apart', async t => {
  const { ask, files, folder, endpoint, state } = await serve(t);
  const other = signedFiles(folder, 'IP:127.0.0.1', 'other-');
  await t.rejects(ask(other.ca), { name: 'Unreachable', message: /does not verify by ca\.pem/ });
  await t.rejects(ask(), {
    message: /does not verify by the certificates that this system trusts; verify= in the ini/,
  });
  await t.rejects(ask(files.ca, endpoint.replace('https', 'http')), {
    name: 'ApiFailure',
    message: 'this port speaks HTTPS: the endpoint has to begin with https://',
  });
  const elsewhere = signedFiles(folder, 'IP:192.0.2.1', 'elsewhere-');
  state.context = contextOf(elsewhere);
  await t.rejects(ask(elsewhere.ca), { message: /the certificate of https:.*127\.0\.0\.1 is not in the cert's list/ });
  t.same(
    await ask(files.ca).catch(() => 'another certificate'),
    'another certificate',
    'the next connection has the new one',
  );
});

t.test('https: asked of a port with plain HTTP, the client says so', async t => {
  const handle = async () => ({ status: 200, body: [''], isSigned: false });
  const app = httpServer({ clock: new FakeClock(), api: { handle }, notReady: () => undefined });
  t.teardown(() => app.close());
  const port = await listenHttp(app, '127.0.0.1', 0);
  const keyPair = { endpoint: `https://127.0.0.1:${port}/client/api`, key: 'K', secret: 'S', source: 'test' };
  await t.rejects(call(keyPair, 'listHosts', new Map(), { clock: new FakeClock(), random: systemRandom }), {
    message: /does not speak HTTPS: is http:\/\/ meant\?$/,
  });
});

t.test('https: a handshake that does not end is ended, and one that fails too', async t => {
  const { port, clock, app } = await serve(t);
  const open = async () => {
    const socket = connectTcp(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket.resume();
  };
  const silent = await open();
  const half = await open();
  half.write(Buffer.from([0x16, 3, 1, 1, 0, 1]));
  const garbled = await open();
  garbled.write(Buffer.from([0x16, 3, 1, 0, 4, 9, 9, 9, 9]));
  await once(garbled, 'close');
  while ((await connectionsOf(app.server)) < 2) await new Promise(setImmediate);
  await clock.advance(10_000);
  await Promise.all([silent, half].map(socket => (socket.closed ? undefined : once(socket, 'close'))));
  t.equal(clock.pending, 0);
});

function connectionsOf(server: { getConnections(done: (error: Error | null, count: number) => void): unknown }) {
  return new Promise<number>(resolve => void server.getConnections((_error, count) => resolve(count)));
}

t.test('https: connections that have not signed are bounded by address, and one that has signed stays', async t => {
  const { port, dial, state } = await serve(t);
  const first = await dial();
  t.match(await request(first), /^HTTP\/1\.1 200/);
  state.isSigned = false;
  const silent: Socket[] = [];
  for (let i = 0; i < 257; i++) {
    const socket = connectTcp(port, '127.0.0.1').resume();
    t.teardown(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    silent.push(socket);
  }
  if (!silent[0]?.closed) await once(silent[0] as Socket, 'close');
  t.ok(silent[0]?.closed, 'the oldest silent one has gone');
  t.match(await request(await dial()), /^HTTP\/1\.1 200/, 'a newcomer is served');
  t.match(await request(first), /^HTTP\/1\.1 200/);
});

t.test('https: the port closes at once, with handshakes under way', async t => {
  const { app, port, dial } = await serve(t);
  const served = await dial();
  const silent = connectTcp(port, '127.0.0.1').resume();
  silent.on('error', () => {});
  await once(silent, 'connect');
  while ((await connectionsOf(app.server)) < 2) await new Promise(setImmediate);
  await app.close();
  await Promise.all([served, silent].map(socket => (socket.closed ? undefined : once(socket, 'close'))));
});
