import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createSecureServer } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import t, { type Test } from 'tap';
import { diagnose } from '../../../src/agent/doctor/doctor.js';
import type { Finding } from '../../../src/agent/doctor/finding.js';
import { type Clock, systemClock } from '../../../src/lib/clock.js';
import { acceptTls, secureContext } from '../../../src/protocol/index.js';
import { leafAndRoot, plainCertificate, type TestCertificate } from '../../helpers/certificates.js';
import { testFolder } from '../../helpers/scratch.js';

const DAY_MS = 86_400_000;
/** What it waits for passes in a twentieth of the time. */
const hastyClock: Clock = { ...systemClock, after: (delayMs, callback) => systemClock.after(delayMs / 20, callback) };

/** Looks, and gives back what was found, and the exit code that the command line has for it. */
async function look(folder: string, wallTime = systemClock.wallTime) {
  const findings: Finding[] = [];
  for await (const finding of diagnose(folder, { clock: { ...hastyClock, wallTime } })) findings.push(finding);
  const code = Math.max(...findings.map(({ level }) => ['ok', 'warn', 'error'].indexOf(level)));
  const about = (what: string) => findings.filter(finding => finding.what.includes(what));
  return { code, findings, about };
}

/** A server's port on this machine. */
async function port(t: Test, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** One that takes agents, and one that ends the connection once it is secured. */
function takesAgents(context: SecureContext, andThen: 'stays' | 'closes' = 'stays') {
  return (socket: Socket) => {
    acceptTls(socket, {
      clock: systemClock,
      context,
      handshakeTimeoutMs: 10_000,
      remote: { address: '127.0.0.1', port: 1 },
    }).then(
      transport => {
        transport.listen({ onPacket() {}, onClose() {} });
        if (andThen === 'closes') transport.close();
      },
      () => {},
    );
  };
}

interface Folder {
  readonly properties?: string;
  readonly ca?: string;
}

async function agentFolder(t: Test, { properties, ca }: Folder): Promise<string> {
  const folder = testFolder(t);
  if (properties !== undefined) await writeFile(join(folder, 'agent.properties'), properties);
  if (ca !== undefined) await writeFile(join(folder, 'cloud.ca.crt'), ca);
  return folder;
}

const propertiesOf = (port: number, more = '') =>
  `guid=g\nhost=127.0.0.1\nport=${port}\nlast.setup.completed.host=127.0.0.1\n${more}`;

async function healthy(t: Test, certificate?: TestCertificate & { root?: string }): Promise<string> {
  const { cert, key, root = cert } = certificate ?? (await leafAndRoot());
  return agentFolder(t, {
    properties: propertiesOf(await port(t, takesAgents(secureContext({ cert, key })))),
    ca: root,
  });
}

t.test('doctor: all is well: exit code 0, and every finding says so', async t => {
  const { code, findings, about } = await look(await healthy(t));
  t.equal(code, 0, JSON.stringify(findings));
  t.same([...new Set(findings.map(({ level }) => level))], ['ok']);
  t.match(about('127.0.0.1 port'), [
    { found: /^127\.0\.0\.1: takes agents, \d+ ms, certificate CN=muster, by CN=muster CA$/ },
  ]);
});

t.test('doctor: no agent.properties', async t => {
  const folder = await agentFolder(t, {});
  const { code, about } = await look(folder);
  t.equal(code, 2);
  t.match(about('agent.properties'), [
    { level: 'error', found: 'there is no such file', remedy: /start the agent once/ },
  ]);
  t.equal((await look(join(folder, 'nowhere'))).code, 2, 'nor a folder');
});

t.test('doctor: a file that cannot be written is a warning, for root too', async t => {
  const folder = await healthy(t);
  await chmod(join(folder, 'agent.properties'), 0o440);
  const { code, about } = await look(folder);
  t.equal(code, 1);
  t.match(about('agent.properties')[0], { level: 'warn', found: /cannot be written/, remedy: /^chmod u\+w \S+agent/ });
});

t.test('doctor: a folder where the file should be', async t => {
  const folder = testFolder(t);
  await mkdir(join(folder, 'agent.properties'));
  const { code, about } = await look(folder);
  t.equal(code, 2);
  t.match(about('agent.properties'), [{ level: 'error', found: /cannot be read: EISDIR/ }]);
});

t.test('doctor: a value that the agent does not start with', async t => {
  const { code, about } = await look(await agentFolder(t, { properties: 'host=a b\n' }));
  t.equal(code, 2);
  t.match(about(', host'), [{ level: 'error', found: /blank/, remedy: /correct host; the agent does not start/ }]);
});

t.test('doctor: a host that was removed, and an agent that never ran', async t => {
  const { about } = await look(await agentFolder(t, { properties: 'host=127.0.0.1\nport=1\nzone=\n' }));
  t.match(about(', zone'), [{ level: 'error', found: /this host was removed/ }]);
  t.match(about(', guid'), [{ level: 'warn', remedy: /start the agent once/ }]);
  t.match(about('last.setup.completed.host'), [{ level: 'warn', found: 'no list has worked yet' }]);
});

t.test('doctor: a port that refuses, and a name that is none', async t => {
  const refusing = await look(await agentFolder(t, { properties: propertiesOf(1) }));
  t.equal(refusing.code, 2);
  t.match(refusing.about('127.0.0.1 port 1'), [
    { level: 'error', found: /no connection: .*ECONNREFUSED/, remedy: /firewall/ },
  ]);
  const properties = 'host=no-such-name.invalid\nguid=g\n';
  const nameless = await look(await agentFolder(t, { properties }));
  t.equal(nameless.code, 2);
  t.match(nameless.about('no-such-name.invalid'), [{ level: 'error', found: /name cannot be resolved/ }]);
});

t.test('doctor: a server that closes at once takes nobody now: a warning', async t => {
  const { cert, key, root } = await leafAndRoot();
  const context = secureContext({ cert, key });
  const ways: [string, (socket: Socket) => void][] = [
    ['by FIN before the handshake', socket => void socket.end()],
    ['by RST', socket => void socket.resetAndDestroy()],
    ['by RST, once the agent has spoken', socket => void socket.once('data', () => socket.resetAndDestroy())],
    ['once secured', takesAgents(context, 'closes')],
  ];
  for (const [how, onSocket] of ways) {
    const folder = await agentFolder(t, { properties: propertiesOf(await port(t, onSocket)), ca: root });
    const { code, about } = await look(folder);
    t.match(
      about('127.0.0.1 port'),
      [{ level: 'warn', found: '127.0.0.1: closes at once', remedy: /in maintenance/ }],
      how,
    );
    t.equal(code, 1, how);
  }
});

t.test('doctor: something else than a management server behind the port', async t => {
  const folder = await agentFolder(t, {
    properties: propertiesOf(await port(t, socket => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
  });
  const { code, about } = await look(folder);
  t.equal(code, 2);
  t.match(about('127.0.0.1 port'), [{ level: 'error', remedy: /agents' port of a management server/ }]);
});

t.test('doctor: without a known CA, what speaks TLS and not to agents is no management server', async t => {
  const { cert, key } = await leafAndRoot();
  const web = createSecureServer({ cert, key }, (_request, response) => response.end('hello'));
  await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve));
  t.teardown(() => web.close());
  const folder = await agentFolder(t, { properties: propertiesOf((web.address() as { port: number }).port) });
  const { code, about } = await look(folder);
  t.equal(code, 2);
  t.match(about('127.0.0.1 port'), [
    { level: 'error', found: /speaks TLS, but not to agents.*CN=muster/, remedy: /correct host and port/ },
  ]);
});

t.test('doctor: a server of another CA', async t => {
  const [ours, theirs] = [await leafAndRoot('ours'), await leafAndRoot('theirs')];
  const folder = await healthy(t, theirs);
  await writeFile(join(folder, 'cloud.ca.crt'), ours.root);
  const { code, about } = await look(folder);
  t.equal(code, 2);
  t.match(about('127.0.0.1 port'), [
    {
      level: 'error',
      found: /certificate \(CN=theirs\) does not verify against the known CA/,
      remedy: /replace cloud\.ca\.crt/,
    },
  ]);
});

t.test('doctor: a CA that is no longer, not yet, or not much longer in date', async t => {
  const certificate = await plainCertificate('dated', {
    notBefore: new Date(Date.UTC(2025, 0, 1)),
    notAfter: new Date(Date.UTC(2025, 11, 31)),
  });
  const folder = await healthy(t, certificate);
  const at = (wallTime: number) => look(folder, () => wallTime);
  const cases: [number, string, RegExp][] = [
    [Date.UTC(2026, 0, 10), 'error', /^no longer in date from Jan/],
    [Date.UTC(2024, 11, 31), 'error', /^not yet in date/],
    [Date.UTC(2025, 11, 31) - 10 * DAY_MS, 'warn', /^in date from/],
    [Date.UTC(2025, 5, 1), 'ok', /^in date from/],
  ];
  for (const [wallTime, level, found] of cases) {
    const { about } = await at(wallTime);
    t.match(about('cloud.ca.crt')[0], { level, found });
  }
  t.match((await at(Date.UTC(2026, 0, 10))).about('127.0.0.1 port'), [{ level: 'error', found: /not in date/ }]);
});

t.test('doctor: no CA yet is a warning, and the host is looked at all the same', async t => {
  const folder = await healthy(t);
  await rm(join(folder, 'cloud.ca.crt'));
  const { code, about } = await look(folder);
  t.equal(code, 1);
  t.match(about('cloud.ca.crt'), [{ level: 'warn', found: /trust the first CA that it sees/ }]);
  t.match(about('127.0.0.1 port'), [{ level: 'ok' }]);
});

t.test('doctor: a CA file that is none', async t => {
  const folder = await healthy(t);
  await writeFile(join(folder, 'cloud.ca.crt'), 'not PEM');
  const { code, about } = await look(folder);
  t.equal(code, 2);
  t.match(about('cloud.ca.crt'), [{ level: 'error', found: /has no certificate in it/, remedy: /PEM/ }]);
});

t.test('doctor: the agent’s own certificate: without its key, or with one that all can read', async t => {
  const folder = await healthy(t);
  const { cert, key } = await plainCertificate('agent');
  await writeFile(join(folder, 'cloud.crt'), cert);
  t.match((await look(folder)).about('cloud.key'), [{ level: 'error', found: 'there is none' }]);
  await writeFile(join(folder, 'cloud.key'), key, { mode: 0o644 });
  t.match((await look(folder)).about('cloud.key'), [
    { level: 'error', found: /others than its owner may read it/, remedy: /^chmod 600/ },
  ]);
  await chmod(join(folder, 'cloud.key'), 0o600);
  const { code, about } = await look(folder);
  t.equal(code, 0);
  t.match(about('cloud.crt'), [{ level: 'ok' }]);
});

t.test('doctor: nothing is changed by it', async t => {
  const folder = await healthy(t);
  await rm(join(folder, 'cloud.ca.crt'));
  await look(folder);
  t.same(await readdir(folder), ['agent.properties']);
  t.match(await readFile(join(folder, 'agent.properties'), 'utf8'), /^guid=g\nhost=127\.0\.0\.1\n/);
});

t.test('doctor: a port that is given holds in place of that of the file', async t => {
  const folder = await agentFolder(t, { properties: 'host=127.0.0.1\nport=8250\nguid=g\n' });
  const open = await port(t, socket => socket.destroy());
  const found: string[] = [];
  for await (const { what } of diagnose(folder, { clock: hastyClock, given: new Map([['port', String(open)]]) }))
    found.push(what);
  t.equal(found.at(-1), `127.0.0.1 port ${open}`);
});
