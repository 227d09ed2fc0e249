import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findApiKeyPair } from '../../src/admin/api-key-file.js';
import { type ApiAnswer, call, rowsOf } from '../../src/admin/client.js';
import { post } from '../../src/admin/http-post.js';
import { dateText } from '../../src/api/moment.js';
import { sign } from '../../src/api/signature.js';
import { systemClock } from '../../src/lib/clock.js';
import { systemRandom } from '../../src/lib/random.js';
import { privatePem } from '../../src/mgmt/security/signing-ca.js';
import {
  connectTls,
  SetupCertificateAnswer,
  SetupCertificateCommand,
  SetupKeystoreAnswer,
  StartupRoutingCommand,
  secureContext,
} from '../../src/protocol/index.js';
import { contentOf, FakeAgent } from '../../src/testing/fake-agent.js';
import { FakeServer } from '../../src/testing/fake-server.js';
import { AgentProcess } from '../helpers/agent-process.js';
import { longKeyRequestPem, requestKeys, requestPem } from '../helpers/certificate-requests.js';
import type { TestCertificate } from '../helpers/certificates.js';
import { MgmtProcess } from '../helpers/mgmt-process.js';
import { TestCa } from '../helpers/test-ca.js';
import { until } from '../helpers/until.js';

// Attacks on identity, on the running programs: a strict server, an honest agent with its link, and an attacker who has stolen
// or made what he presents. Each is refused, and the log or an event says so.

const SERVER = '127.0.0.1';
/** Where attackers come from. */
const [THIEF, GUESSER, STRANGER] = ['127.2.0.1', '127.2.0.2', '127.2.0.3'] as const;
const DAY_MS = 86_400_000;

/** The CA of the cluster; its key is in a file, so that a test can issue what a server would not. */
const ca = await TestCa.make();
const api = await ca.leaf({ name: 'api', address: SERVER, usages: ['serverAuth'] });
const folder = t.testdir({
  server: { 'ca.crt': ca.pem, 'ca.key': await ca.keyPem(), 'api.crt': api.cert, 'api.key': api.key },
  honest: {},
  victim: {},
  newcomer: {},
});
const server = new MgmtProcess(t, join(folder, 'server'), [
  `bind.address=${SERVER}`,
  `cluster.node.IP=${SERVER}`,
  'port=0',
  `api.address=${SERVER}`,
  'api.port=0',
  'api.tls.cert=api.crt',
  'api.tls.key=api.key',
  'ca.cert=ca.crt',
  'ca.key=ca.key',
]);
const port = await server.port();
const keyPair = {
  ...(await findApiKeyPair({
    config: join(folder, 'server', 'data', 'cloudstack.ini'),
    endpoint: undefined,
    environment: {},
    home: '',
  })),
  ca: { pem: ca.pem, source: 'ca.crt' },
};
const honest = new AgentProcess(t, join(folder, 'honest'), {
  host: SERVER,
  port,
  'enrollment.token': await newToken(),
});
await honest.says(/This host is enrolled/);
const honestFile = (name: string) => readFileSync(join(folder, 'honest', name), 'utf8');
const honestGuid = `${/^guid=(.+)$/m.exec(honestFile('agent.properties'))?.[1]}-LibvirtComputingResource`;
const honestFiles: TestCertificate = { cert: honestFile('cloud.crt'), key: honestFile('cloud.key') };
const honestUri = new X509Certificate(honestFiles.cert).subjectAltName?.replace(/^URI:/, '') ?? '';

function ask(command: string, params: Readonly<Record<string, string>> = {}, pair = keyPair): Promise<ApiAnswer> {
  return call(pair, command, new Map(Object.entries(params)), { clock: systemClock, random: systemRandom });
}

async function newToken(params: Readonly<Record<string, string>> = {}): Promise<string> {
  const { enrollmenttoken } = await ask('createEnrollmentToken', params);
  return (enrollmenttoken as { readonly token: string }).token;
}

/** A job's outcome. */
async function done(command: string, params: Readonly<Record<string, string>>): Promise<unknown> {
  const { jobid } = await ask(command, params);
  for (;;) {
    const job = await ask('queryAsyncJobResult', { jobid: String(jobid) });
    if (job.jobstatus !== 0) return job.jobresult;
  }
}

interface From {
  readonly files?: Partial<TestCertificate>;
  readonly address?: string;
}

/** A connection of the attacker's, after its TLS handshake. */
async function dial({ files = {}, address = THIEF }: From = {}): Promise<FakeAgent> {
  const socket = connect({ host: SERVER, port, localAddress: address });
  const transport = await connectTls(socket, {
    clock: systemClock,
    context: secureContext(files),
    handshakeTimeoutMs: 20_000,
    remote: { address: SERVER, port },
    host: SERVER,
    judge: () => {},
  });
  return new FakeAgent(transport);
}

/** He comes as this guid, and the server closes, perhaps before the handshake has ended for him, without an answer. */
async function isRefused(t: Test, guid: string, from: From, why: RegExp): Promise<void> {
  const agent = await dial(from).catch(() => undefined);
  if (agent !== undefined) {
    agent.startup({ guid });
    await until(() => agent.closed);
  }
  t.same(agent?.received.map(contentOf) ?? [], [], 'he is told nothing');
  await server.says(
    new RegExp(`A link is refused for its certificate address=${from.address ?? THIEF} .*${why.source}`),
  );
}

/** He comes with a token. @returns what the server answers to Startup: a type and its fields */
async function withToken(token: string, guid: string, address: string = THIEF) {
  const agent = await dial({ address });
  agent.startup({ guid, muster: { instanceId: 'i-1', version: '0.1.0', token } });
  const packet = await agent.receive();
  return { agent, packet, content: contentOf(packet) };
}

/** The whole enrolment. @returns the last that the server has said, and the certificate */
async function enrol(token: string, guid: string, csr: string, address: string = THIEF) {
  const { agent, packet, content } = await withToken(token, guid, address);
  if (content[0] !== 'SetupKeyStoreCommand') return { content, certificate: '' };
  agent.answer(packet, [SetupKeystoreAnswer.encode({ csr, result: true })]);
  const next = await agent.receive().catch(() => undefined);
  if (next === undefined) return { content: ['closed', {}] as const, certificate: '' };
  const last = contentOf(next);
  if (last[0] === 'SetupCertificateCommand') agent.answer(next, [SetupCertificateAnswer.encode({ result: true })]);
  return { content: last, certificate: String(last[1].certificate ?? '') };
}

/** A host of the attacker's own, which is enrolled as it should be. */
async function ownHost(guid: string): Promise<TestCertificate> {
  const keys = await requestKeys();
  const { certificate } = await enrol(await newToken(), guid, await requestPem({ keys }));
  return { cert: certificate, key: await privatePem(keys) };
}

t.test('identity: a stolen certificate is of no use for another guid', async t => {
  await isRefused(t, 'another', { files: honestFiles }, /which no host has/);
  const own = await ownHost('thief-1');
  await isRefused(t, honestGuid, { files: own }, new RegExp(honestGuid));
});

t.test('identity: nor for its own, while its host is connected', async t => {
  const agent = await dial({ files: honestFiles });
  agent.startup({ guid: honestGuid });
  t.match(contentOf(await agent.receive()), ['StartupAnswer', { hostId: 0 }]);
  t.match(contentOf(await agent.receive()), ['ReadyCommand', { _details: /is in use by the agent at/ }]);
  agent.close();
  await server.says(/Two agents have the same guid/);
});

t.test('identity: a stolen address certificate, from another address and for another guid', async t => {
  const keys = await requestKeys();
  const { certificate: issued } = (await done('issueCertificate', {
    csr: await requestPem({ keys }),
    ipaddress: THIEF,
  })) as { readonly certificate: { readonly certificate: string } };
  const files = { cert: issued.certificate, key: await privatePem(keys) };
  await isRefused(t, 'addressed', { files, address: STRANGER }, new RegExp(STRANGER.replaceAll('.', '\\.')));
  const agent = await dial({ files });
  await agent.join({ guid: 'addressed' });
  t.notOk(agent.closed, 'it works where it is for');
  agent.close();
  await isRefused(t, 'another', { files }, /first seen with the guid addressed/);
});

t.test('identity: a certificate after its revocation and after its expiry', async t => {
  const own = await ownHost('thief-2');
  const agent = await dial({ files: own });
  await agent.join({ guid: 'thief-2' });
  await done('revokeCertificate', { serial: new X509Certificate(own.cert).serialNumber });
  await until(() => agent.closed);
  await isRefused(t, 'thief-2', { files: own }, /was revoked/);
  const expired = await ca.leaf({
    uris: [honestUri],
    usages: ['clientAuth'],
    notAfter: new Date(systemClock.wallTime() - DAY_MS),
  });
  await isRefused(t, honestGuid, { files: expired }, /it ended/);
});

t.test(
  'identity: a host whose certificate was revoked comes back by a token for its guid, with another key',
  async t => {
    const own = await ownHost('victim-3-LibvirtComputingResource');
    const home = join(folder, 'victim-3');
    mkdirSync(home);
    for (const [name, text] of [
      ['cloud.crt', own.cert],
      ['cloud.key', own.key],
      ['cloud.ca.crt', ca.pem],
    ] as const) {
      writeFileSync(join(home, name), text, { mode: 0o600 });
    }
    const link = await dial({ files: own });
    await link.join({ guid: 'victim-3-LibvirtComputingResource' });
    await done('revokeCertificate', { serial: new X509Certificate(own.cert).serialNumber });
    await until(() => link.closed);
    const guid = 'victim-3';
    const token = await newToken({ guid: `${guid}-LibvirtComputingResource` });
    const agent = new AgentProcess(t, home, { host: SERVER, port, guid, 'enrollment.token': token });
    await agent.says(/This host is enrolled/);
    t.notSame(readFileSync(join(home, 'cloud.key'), 'utf8'), own.key);
    await agent.stop('SIGTERM');
  },
);

t.test('identity: a CA of his own, by another name and by ours, and a server’s certificate as an agent’s', async t => {
  const named = { uris: [honestUri], usages: ['clientAuth'] as const };
  const other = await (await TestCa.make('Another CA')).leaf(named);
  await isRefused(t, honestGuid, { files: other }, /of no CA that is known here/);
  const forged = await (await TestCa.make()).leaf(named);
  await isRefused(t, honestGuid, { files: forged, address: STRANGER }, /of no CA that is known here/);
  await isRefused(t, honestGuid, { files: await ca.server() }, /the certificate of a management server is no agent’s/);
});

/** A server of the attacker's, which presents this. */
async function falseServer(t: Test, files: TestCertificate) {
  const fake = new FakeServer(SERVER, secureContext(files));
  const listener = createServer(socket => {
    socket.on('error', () => {});
    void fake.accept(socket, { address: SERVER, port: socket.remotePort ?? 0 });
  });
  listener.listen(0, SERVER);
  await once(listener, 'listening');
  t.teardown(() => void listener.close());
  const startups = () => fake.links.flatMap(link => link.of(StartupRoutingCommand));
  return { fake, startups, port: (listener.address() as AddressInfo).port };
}

t.test('identity: an agent’s certificate as a server’s, towards an agent that trusts its CA', async t => {
  writeFileSync(join(folder, 'victim', 'cloud.ca.crt'), ca.pem);
  const { startups, ...impostor } = await falseServer(t, honestFiles);
  const victim = new AgentProcess(t, join(folder, 'victim'), { host: SERVER, port: impostor.port });
  await victim.says(/is one of an agent: this is no management server/);
  t.same(startups(), [], 'it is told nothing');
  await victim.stop('SIGTERM');
});

t.test('identity: a server in between at first contact does not see the token', async t => {
  const between = await TestCa.make();
  const { startups, ...impostor } = await falseServer(t, await between.server());
  const newcomer = new AgentProcess(t, join(folder, 'newcomer'), {
    host: SERVER,
    port: impostor.port,
    'enrollment.token': await newToken(),
  });
  await newcomer.says(/does not lead to the CA that enrollment\.token names/);
  t.same(startups(), []);
  await newcomer.stop('SIGTERM');
});

t.test('identity: a SetupCertificate that does not fit changes nothing, and the link stays', async t => {
  // One who has a server: its certificate is good.
  const own = await ca.leaf({ uris: [honestUri], usages: ['clientAuth'] });
  const { fake, ...taken } = await falseServer(t, await ca.server());
  for (const [name, text] of Object.entries({ 'cloud.crt': own.cert, 'cloud.key': own.key, 'cloud.ca.crt': ca.pem })) {
    writeFileSync(join(folder, 'victim', name), text, { mode: 0o600 });
  }
  const victim = new AgentProcess(t, join(folder, 'victim'), { host: SERVER, port: taken.port });
  await until(() => fake.ready.length === 1);
  const others = await ca.leaf({ uris: [honestUri], usages: ['clientAuth'] });
  const offer = { certificate: others.cert, privateKey: '', caCertificates: ca.pem, handleByAgent: true };
  const [answer] = (await fake.last.send([SetupCertificateCommand.encode(offer)])).messages;
  t.match(answer?.fields, { result: false, details: /key/ });
  t.equal(readFileSync(join(folder, 'victim', 'cloud.crt'), 'utf8'), own.cert);
  t.equal(fake.ready.length, 1);
  await victim.says(/ERROR.*certificate/i);
  await victim.stop('SIGTERM');
});

t.test('identity: a token is spent once, also when two race for it', async t => {
  const token = await newToken();
  t.equal((await enrol(token, 'first', await requestPem())).content[0], 'SetupCertificateCommand');
  const second = await enrol(token, 'second', await requestPem());
  t.match(second.content, ['StartupAnswer', { result: false, details: /used as often as allowed/ }]);
  await server.says(/An enrolment is refused.*used as often as allowed/);
  const raced = await newToken();
  const racers = await Promise.all(['left', 'right'].map(async guid => enrol(raced, guid, await requestPem())));
  t.same(racers.map(({ content: [type] }) => type).toSorted(), ['SetupCertificateCommand', 'StartupAnswer']);
});

t.test('identity: a token is guessed by a thousand: then none from there is looked at', async t => {
  const token = await newToken();
  let guesses = 0;
  const answers: string[] = [];
  const guess = async (): Promise<string> => {
    const wrong = `${String(guesses++).padStart(43, 'A')}${token.slice(43)}`;
    const { agent, content } = await withToken(wrong, `guess-${guesses}`, GUESSER);
    agent.close();
    return String(content[1].details);
  };
  /** Until one is not looked at. A slow machine needs some more than a thousand: the allowance fills again, one in 3.6 s. */
  const guessOn = async () => {
    for (;;) {
      const answer = await guess();
      if (/too many wrong enrolment tokens from this address/.test(answer)) return;
      answers.push(answer);
    }
  };
  await Promise.all(Array.from({ length: 32 }, guessOn));
  t.ok(answers.length >= 1_000, `${answers.length} were looked at`);
  t.same(new Set(answers), new Set(['there is no such enrolment token']));
  // It may come just when the allowance has one again.
  let details: unknown;
  for (let tries = 0; tries < 10 && details === undefined; tries++) {
    await guessOn();
    const { agent, content } = await withToken(token, 'guesser', GUESSER);
    agent.close();
    details = content[1].details;
  }
  t.match(details, /too many/, 'the right one');
  await server.says(/An enrolment is refused.*too many wrong enrolment tokens/);
  t.match(
    (await enrol(token, 'elsewhere', await requestPem())).certificate,
    /BEGIN CERTIFICATE/,
    'others enrol meanwhile',
  );
});

t.test('identity: a certificate request with another’s name, 1,000 names, and a key of 16,384 bits', async t => {
  const sans = Array.from({ length: 1_000 }, (_, i) => `h${i}`);
  const csr = await requestPem({ name: `CN=${honestUri}`, sans });
  const { certificate } = await enrol(await newToken(), 'named', csr);
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  t.match(names, /^URI:muster:host:[0-9a-f-]{36}$/, 'of the request no name is taken over');
  t.not(names, `URI:${honestUri}`);
  const long = sans.map(name => `${name}.${'x'.repeat(40)}.example`);
  const tooLong = await enrol(await newToken(), 'too-long', await requestPem({ sans: long }));
  t.equal(tooLong.content[0], 'closed');
  await server.says(/An enrolment was not finished guid=too-long.*too large/);
  t.equal((await enrol(await newToken(), 'long-key', longKeyRequestPem())).content[0], 'closed');
  await server.says(/An enrolment was not finished.*its RSA key has 16384 bits/);
});

t.test('identity: a reader’s key on an operator’s command', async t => {
  const { apikey } = (await ask('createApiKey', { name: 'watch', role: 'reader' })) as {
    readonly apikey: { readonly apikey: string; readonly secretkey: string };
  };
  const reader = { ...keyPair, key: apikey.apikey, secret: apikey.secretkey };
  await t.rejects(ask('updateConfiguration', { name: 'ping.interval', value: '5' }, reader), { code: 432 });
  await server.says(/A request is refused.*key=watch.*its role is reader/);
});

t.test('identity: a replayed request', async t => {
  const { endpoint, key, secret } = keyPair;
  const params = new Map([
    ['command', 'createEnrollmentToken'],
    ['response', 'json'],
    ['apiKey', key],
    ['signatureVersion', '3'],
    ['expires', dateText(systemClock.wallTime() + 600_000)],
  ]);
  params.set('signature', sign(params, secret));
  const send = () => {
    const { signal } = new AbortController();
    return post(endpoint, new URLSearchParams([...params]), { ca: ca.pem, signal });
  };
  t.equal((await send()).status, 200);
  t.match(await send(), { status: 401, text: /this request was sent before/ });
  await server.says(/A request is refused.*it was sent before/);
});

t.test('identity: operators are told of all of it, and the honest agent has not noticed', async t => {
  const types = ['AGENT.CERTIFICATE.REFUSED', 'AGENT.GUID.FIGHT', 'ENROLLMENT.REFUSED', 'API.REFUSED'];
  for (const type of types) {
    let events: readonly ApiAnswer[] = [];
    while (events.length === 0) events = rowsOf((await ask('listEvents', { type })).event);
    t.ok(events.length > 0, type);
  }
  t.notMatch(honest.stdout, /Lost connection|ERROR/);
  t.match(await ask('listHosts', { state: 'Up', keyword: '' }), { host: [{ certificatestate: 'good' }] });
  await honest.stop('SIGTERM');
});
