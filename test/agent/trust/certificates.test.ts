import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { readyLink } from '../../../src/agent/agent-state.js';
import {
  type Packet,
  SetupCertificateCommand,
  SetupKeyStoreCommand,
  SetupKeystoreAnswer,
  StartupRoutingCommand,
  secureContext,
} from '../../../src/protocol/index.js';
import { settle } from '../../../src/testing/fake-clock.js';
import type { FakeLink, FakeServer } from '../../../src/testing/fake-server.js';
import { type Bench, bench, passes } from '../../helpers/agent-bench.js';
import { type LeafOptions, TestCa } from '../../helpers/test-ca.js';
import { until } from '../../helpers/until.js';
import { readCertificateSession, readCertificates } from '../../helpers/wire.js';

const recorded = readCertificates();
/** In the life of the recorded certificates. */
const THEN = Date.UTC(2027, 0, 1);
const ca = await TestCa.make();
const token = await ca.token();
const HOST = { uris: ['muster:host:0f1e'], usages: ['clientAuth'] as const };
const serverCredentials = await ca.server();

/** Makes a server ask for certificates, and notes the serial that each link has presented. */
function noting(server: FakeServer): (string | undefined)[] {
  const presented: (string | undefined)[] = [];
  server.judge = peer => void presented.push(serialOf(peer));
  return presented;
}

function serialOf(peer: TLSSocket): string | undefined {
  const { raw } = peer.getPeerCertificate();
  return raw === undefined ? undefined : new X509Certificate(raw).serialNumber;
}

const keyStore = () =>
  SetupKeyStoreCommand.encode({ validityDays: 365, keystorePassword: 'x'.repeat(16), handleByAgent: true });

/** The conversation by which a server gives a certificate. @returns it */
async function provision(link: FakeLink, issuer: TestCa, options: LeafOptions, bundle = issuer.pem): Promise<string> {
  const [answer] = (await link.send([keyStore()])).messages;
  const csr = answer?.type === SetupKeystoreAnswer.type ? SetupKeystoreAnswer.decode(answer).csr : undefined;
  if (csr === undefined) throw new Error(`no request: ${JSON.stringify(answer)}`);
  const certificate = await issuer.sign(csr, options);
  const offer = { certificate, privateKey: '', caCertificates: bundle, handleByAgent: true };
  const [done] = (await link.send([SetupCertificateCommand.encode(offer)])).messages;
  if (done?.fields.result !== true) throw new Error(`not installed: ${JSON.stringify(done)}`);
  return certificate;
}

const serial = (pem: string) => new X509Certificate(pem).serialNumber;
const read = ({ folder }: Bench, name: string) => readFileSync(join(folder, name), 'utf8');
const mustersServer = (server: FakeServer) => {
  server.context = secureContext(serverCredentials);
};

t.test('certificates: a recorded session of CloudStack 4.22: the answers have the recorded shape', async t => {
  const world = await bench(t, {
    wallTime: THEN,
    file: 'guid=g\nhost=a\n',
    files: { 'cloud.ca.crt': recorded.root, 'cloud.key': recorded.key },
  });
  const { a, agent } = world;
  a.context = secureContext({ cert: recorded.root, key: recorded.rootKey });
  const session = readCertificateSession();
  const asked = session.filter(({ from, content }) => from === 'server' && /ca\.Setup/.test(content));
  t.equal(asked.length, 2);
  agent.start();
  await world.upOn(a);
  for (const { flags, content, sequence } of asked) {
    const [[type, fields] = ['', {}]] = Object.entries(
      (JSON.parse(content) as Record<string, Record<string, unknown>>[])[0] ?? {},
    );
    const answer = await a.links[0]?.send([{ type, fields }], flags & 0x06);
    const was = session.find(other => other.from === 'agent' && other.sequence === sequence);
    const [[wasType, wasFields] = ['', {}]] = Object.entries(
      (JSON.parse(was?.content ?? '[{}]') as Record<string, object>[])[0] ?? {},
    );
    t.equal(answer?.flags, was?.flags);
    t.equal(answer?.messages[0]?.type, wasType);
    t.same(Object.keys(answer?.messages[0]?.fields ?? {}), Object.keys(wasFields), type);
  }
  t.equal(serial(read(world, 'cloud.crt')), serial(recorded.cert));
  t.equal(read(world, 'cloud.ca.crt').trim(), recorded.root.trim());
  await until(() => a.links.length === 2);
  await world.upOn(a);
});

t.test('certificates: a new one is taken into use by a second link, before the first one ends', async t => {
  const world = await bench(t, { files: { 'cloud.ca.crt': ca.pem } });
  const { a, agent, log } = world;
  for (const server of [a, world.b, world.c]) mustersServer(server);
  const presented = noting(a);
  agent.start();
  await world.upOn(a);
  const certificate = await provision(a.last, ca, HOST);
  await until(() => a.links[1]?.isReady === true);
  t.equal(a.links[0]?.closed, undefined, 'the old link is there when the new one is Ready');
  await until(() => a.ready.length === 1);
  await world.upOn(a);
  t.same(presented, [undefined, serial(certificate)]);
  await until(() => !existsSync(join(world.folder, 'cloud.ca.crt.old')));
  t.equal(log.count('warn Lost connection'), 0);
  t.equal(log.count('info The new certificate is in use'), 1);

  const next = await provision(a.last, ca, HOST);
  await until(() => presented.length === 3);
  await world.upOn(a);
  t.equal(presented[2], serial(next), 'and the one after it, with another key');
  await until(() => !existsSync(join(world.folder, 'cloud.crt.old')));
  t.notOk(existsSync(join(world.folder, 'cloud.key.new')));
});

t.test('certificates: new files with which no server is trusted: the former ones come back', async t => {
  const former = await ca.leaf(HOST);
  const world = await bench(t, {
    files: { 'cloud.ca.crt': ca.pem, 'cloud.crt': former.cert, 'cloud.key': former.key },
  });
  const { a, agent, log } = world;
  mustersServer(a);
  const presented = noting(a);
  agent.start();
  await world.upOn(a);
  const other = await TestCa.make('Another CA');
  await provision(a.last, other, HOST);
  await until(() => log.count('error The new certificate does not work: the former files are back') === 1);
  await settle();
  t.equal(serial(read(world, 'cloud.crt')), serial(former.cert));
  t.equal(read(world, 'cloud.ca.crt'), ca.pem);
  t.equal(a.ready.length, 1);
  t.equal(agent.state.phase.kind, 'up', 'the link has never been away');
  t.equal(log.count('warn Lost connection'), 0);
  t.equal(presented[0], serial(former.cert));
});

t.test('certificates: a new one that the server refuses: the former one comes back', async t => {
  const former = await ca.leaf(HOST);
  const world = await bench(t, {
    files: { 'cloud.ca.crt': ca.pem, 'cloud.crt': former.cert, 'cloud.key': former.key },
  });
  const { a, agent, log } = world;
  mustersServer(a);
  const register = a.onStartup;
  let isPicky = true;
  a.judge = peer => {
    const isRefused = isPicky && serialOf(peer) !== serial(former.cert);
    a.onStartup = isRefused ? link => link.link.close('not this one') : register;
  };
  agent.start();
  await world.upOn(a);
  await provision(a.last, ca, HOST);
  await until(() => log.count('error The new certificate does not work') === 1);
  t.equal(serial(read(world, 'cloud.crt')), serial(former.cert));
  t.match(log.fieldsOf('error The new certificate'), { reason: /may not accept the certificate/ });
  isPicky = false;
  const [link] = a.ready;
  t.ok(link !== undefined && (await provision(link, ca, HOST)));
  await until(() => log.count('info The new certificate is in use') === 1);
});

t.test('certificates: what cannot be used is answered by its own class, said, and changes nothing', async t => {
  const world = await bench(t);
  const { a, agent, log } = world;
  agent.start();
  await world.upOn(a);
  const offer = { certificate: (await ca.leaf()).cert, privateKey: '', caCertificates: ca.pem, handleByAgent: true };
  const [answer] = (await a.last.send([SetupCertificateCommand.encode(offer)])).messages;
  t.match(answer, { type: /SetupCertificateAnswer$/, fields: { result: false, details: /fits no key of this agent/ } });
  t.equal(log.count('error Cannot carry out what a server asks for: certificate'), 1);
  const ofSystemVm = SetupKeyStoreCommand.encode({ validityDays: 1, keystorePassword: 'x', handleByAgent: false });
  const [unsupported] = (await a.last.send([ofSystemVm])).messages;
  t.match(unsupported, { type: /UnsupportedAnswer$/ }, 'a system VM of this host is the business of the resource');
  t.notOk(existsSync(join(world.folder, 'cloud.key')));
  t.equal(a.connections, 1);
});

t.test('certificates: SIGHUP: other files are presented by a new link, equal ones change nothing', async t => {
  const world = await bench(t, { files: { 'cloud.ca.crt': ca.pem } });
  const { a, agent } = world;
  mustersServer(a);
  const presented = noting(a);
  agent.start();
  await world.upOn(a);
  await agent.reloadCertificates();
  await settle();
  t.equal(a.connections, 1);
  const own = await ca.leaf(HOST);
  writeFileSync(join(world.folder, 'cloud.crt'), own.cert);
  writeFileSync(join(world.folder, 'cloud.key'), own.key, { mode: 0o600 });
  await agent.reloadCertificates();
  await until(() => presented.length === 2);
  await world.upOn(a);
  t.same(presented, [undefined, serial(own.cert)]);
  writeFileSync(join(world.folder, 'cloud.key'), (await ca.leaf()).key);
  await agent.reloadCertificates();
  await settle();
  t.equal(a.connections, 2, 'what does not fit is said, and the former one stays');
  t.equal(world.log.count('error The certificate of this agent cannot be used: going on with the one'), 1);
});

// ---- enrolment

/** A strict Muster server: a link without a certificate gets one for the token, and nothing else. */
function strict(
  server: FakeServer,
  issuer = ca,
): { tokens: unknown[]; issued: string[]; presented: (string | undefined)[] } {
  const register = server.onStartup;
  const seen = { tokens: [] as unknown[], issued: [] as string[], presented: [] as (string | undefined)[] };
  let last: string | undefined;
  server.judge = peer => {
    last = serialOf(peer);
    seen.presented.push(last);
  };
  server.onStartup = async (link, startup) => {
    const presents = last;
    if (presents !== undefined && seen.issued.includes(presents)) {
      await register(link, startup);
      return;
    }
    const given = (startup.messages[0]?.fields.muster as { token?: unknown } | undefined)?.token;
    seen.tokens.push(given);
    if (given !== undefined) seen.issued.push(serial(await provision(link, issuer, HOST)));
    link.link.close('come back with it');
  };
  return seen;
}

t.test('enrolment: a token becomes a certificate, and goes', async t => {
  const world = await bench(t, {
    file: `# mine\nguid=g\nenrollment.token=${token}\nhost=a\n`,
    files: { 'cloud.ca.crt': '' },
  });
  const { a, agent, log, text } = world;
  mustersServer(a);
  const { tokens, issued, presented } = strict(a);
  agent.start();
  await world.upOn(a);
  t.same(tokens, [token]);
  t.same(presented, [undefined, issued[0]], 'it came back at once');
  t.match(
    log.lines.filter(line => !line.startsWith('info')),
    [],
    'which is no failure of the host',
  );
  await until(() => !text().includes('enrollment'));
  t.match(text(), /^# mine\nguid=g\nhost=a\n/);
  t.equal(read(world, 'cloud.ca.crt'), ca.pem);
  t.notMatch(JSON.stringify(log.entries), token.slice(0, 43));
});

t.test('enrolment: the token is sent to no server but those of the CA that it names', async t => {
  const other = await TestCa.make('A CA in between');
  const agents = await ca.leaf(HOST);
  const real = await ca.leaf({ name: 'a KVM agent' });
  for (const [what, credentials] of [
    ['another CA', await other.server()],
    ['the CA is only shown', { ...(await other.leaf()), cert: (await other.leaf()).cert + ca.pem }],
    ['an agent', { ...agents, cert: agents.cert + ca.pem }],
    ['a real agent', { ...real, cert: real.cert + ca.pem }],
    ['not in date', await ca.server({ notAfter: new Date(Date.UTC(2025, 0, 1)) })],
  ] as const) {
    const world = await bench(t, {
      file: `guid=g\nenrollment.token=${token}\nhost=a\n`,
      files: { 'cloud.ca.crt': '' },
    });
    try {
      world.a.context = secureContext(credentials);
    } catch {
      continue;
    }
    world.agent.start();
    await until(() => world.log.count('warn Cannot connect to host: a') === 1);
    t.equal(world.a.links.flatMap(link => link.of(StartupRoutingCommand)).length, 0, what);
    t.notOk(existsSync(join(world.folder, 'cloud.ca.crt')), `${what}: nothing is pinned`);
  }
});

t.test('enrolment: ended at any moment, the next process finishes it, with the same key', async t => {
  const first = await bench(t, { file: `guid=g\nenrollment.token=${token}\nhost=a\n`, files: { 'cloud.ca.crt': '' } });
  mustersServer(first.a);
  first.a.onStartup = async link => {
    await link.send([keyStore()]);
    await first.agent.stop();
  };
  first.agent.start();
  await until(() => existsSync(join(first.folder, 'cloud.csr')));
  const key = read(first, 'cloud.key');
  const second = await bench(t, { file: first.text(), files: { 'cloud.ca.crt': '', 'cloud.key': key } });
  mustersServer(second.a);
  strict(second.a);
  second.agent.start();
  await second.upOn(second.a);
  t.equal(read(second, 'cloud.key'), key);

  const third = await bench(t, {
    file: first.text(),
    files: { 'cloud.ca.crt': ca.pem, 'cloud.key': key, 'cloud.crt': read(second, 'cloud.crt') },
  });
  mustersServer(third.a);
  const presented = noting(third.a);
  third.agent.start();
  await third.upOn(third.a);
  t.same(presented, [serial(read(second, 'cloud.crt'))], 'with a certificate it needs no token');
  await until(() => !third.text().includes('enrollment'));
});

t.test('enrolment: a certificate that servers no longer accept gives way to a new token', async t => {
  const revoked = await ca.leaf(HOST);
  const world = await bench(t, {
    file: `guid=g\nenrollment.token=${token}\nhost=a\n`,
    files: { 'cloud.ca.crt': ca.pem, 'cloud.crt': revoked.cert, 'cloud.key': revoked.key },
  });
  mustersServer(world.a);
  const { issued, tokens } = strict(world.a);
  world.agent.start();
  await passes(world.clock, () => tokens.length === 2, 60_000);
  await until(() => readyLink(world.agent.state) !== undefined);
  t.same(tokens, [undefined, token]);
  t.equal(serial(read(world, 'cloud.crt')), issued[0]);
});

t.test('regression: enrolment: a certificate that a server refuses in words gives way to a new token', async t => {
  const removed = await ca.leaf(HOST);
  const world = await bench(t, {
    file: `guid=g\nenrollment.token=${token}\nhost=a\n`,
    files: { 'cloud.ca.crt': ca.pem, 'cloud.crt': removed.cert, 'cloud.key': removed.key },
  });
  const { a, agent, clock } = world;
  mustersServer(a);
  const { issued, tokens, presented } = strict(a);
  const judge = a.onStartup;
  a.onStartup = async (link: FakeLink, startup: Packet) => {
    if (presented.at(-1) !== serial(removed.cert)) {
      await judge(link, startup);
      return;
    }
    link.startupAnswer(startup, { result: false, details: 'the certificate is that of a host which was removed' });
    link.link.close('refused');
  };
  agent.start();
  await passes(clock, () => tokens.length === 1, 60_000);
  await until(() => readyLink(agent.state) !== undefined);
  t.same(tokens, [token]);
  t.equal(serial(read(world, 'cloud.crt')), issued[0]);
});

t.test('enrolment: a refusal is an error in the log, and the token stays', async t => {
  const world = await bench(t, { file: `guid=g\nenrollment.token=${token}\nhost=a\n`, files: { 'cloud.ca.crt': '' } });
  const { a, agent, log, text } = world;
  mustersServer(a);
  a.onStartup = (link: FakeLink, startup: Packet) => {
    link.startupAnswer(startup, { result: false, details: 'the token is spent' });
    link.link.close('refused');
  };
  agent.start();
  await until(() => log.count('error Cannot connect to host: a') === 1);
  t.match(log.fieldsOf('error Cannot connect'), { reason: 'the token is spent' });
  t.match(text(), /enrollment\.token=/);
});

t.test('certificates: a server that closes without an answer may want one: the log says so', async t => {
  const world = await bench(t, { file: 'guid=g\nhost=a\n' });
  world.a.onStartup = link => link.link.close('strict');
  world.agent.start();
  await until(() => world.log.count('warn Cannot connect to host: a') === 1);
  t.match(world.log.fieldsOf('warn Cannot connect'), { reason: /may demand a certificate, and this agent has none/ });
});

t.test('certificates: with one for this host, only the servers of its CA are servers', async t => {
  const own = await ca.leaf(HOST);
  const other = await TestCa.make('The cloud’s own CA');
  const files = { 'cloud.ca.crt': ca.pem + other.pem, 'cloud.crt': own.cert, 'cloud.key': own.key };
  const agents = await ca.leaf({ ...HOST, uris: ['muster:host:2'] });
  const plain = await ca.leaf({ name: 'a KVM agent' });
  for (const [what, credentials, message] of [
    ['another agent', agents, /is one of an agent|INVALID_PURPOSE/],
    ['a real agent', plain, /is not one of a management server/],
    ['a server', serverCredentials, undefined],
    ['a server of the other CA', await other.leaf({ name: 'ms' }), undefined],
  ] as const) {
    const world = await bench(t, { file: 'guid=g\nhost=a\n', files });
    world.a.context = secureContext(credentials);
    world.agent.start();
    await until(() => world.log.count('warn Cannot connect') + world.a.ready.length > 0);
    if (message === undefined) t.equal(world.a.ready.length, 1, what);
    else t.match(world.log.fieldsOf('warn Cannot connect'), { reason: message }, what);
  }
});
