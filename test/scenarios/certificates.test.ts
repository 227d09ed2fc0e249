import { X509Certificate } from 'node:crypto';
import Database from 'libsql';
import t, { type Test } from 'tap';
import { FakeAgent } from '../../src/testing/fake-agent.js';
import { memoryTransports } from '../../src/testing/memory-transport.js';
import { certificateTaker, recordedMessages, requestPem } from '../helpers/certificate-requests.js';
import { type ClusterNode, ca, startCluster } from '../helpers/cluster-bench.js';
import { obeys } from '../helpers/obedient-agent.js';
import { setConfiguration } from '../helpers/set-configuration.js';
import { certificateFile } from '../helpers/wire.js';

const DAY = 86_400_000;
const ADDRESS = '192.0.2.1';

/** One server and a played agent that is Ready. */
async function ready(t: Test, csr: string, startup: Parameters<FakeAgent['startup']>[0] = {}) {
  const bench = await startCluster(t, [ADDRESS], { 'ping.interval': '86400' });
  const node = bench.node(ADDRESS);
  const join = async () => {
    const ends = memoryTransports({ address: '10.99.0.10', port: 40_000 });
    node.server.serveTransport(ends.server);
    const agent = new FakeAgent(ends.agent);
    await bench.passes(agent.join({ privateIpAddress: '10.99.0.10', name: 'ja', ...startup }));
    return agent;
  };
  const agent = await join();
  const taker = certificateTaker(csr);
  const obedience = obeys(agent, taker.reply);
  await bench.goesOn(2_000);
  const [host] = (await node.call('listHosts')).body.host;
  return { bench, node, agent, host, taker, obedience, join };
}

type Ready = Awaited<ReturnType<typeof ready>>;

async function jobOf({ bench, node }: Pick<Ready, 'bench' | 'node'>, command: string, params: Record<string, string>) {
  const { body } = await node.call(command, params);
  if (body.jobid === undefined) return body;
  for (let i = 0; i < 60; i++) {
    const { body: job } = await node.call('queryAsyncJobResult', { jobid: body.jobid });
    if (job.jobstatus !== 0) return job;
    await bench.goesOn(1_000);
  }
  throw new Error(`${command} does not end`);
}

const hostOf = async (node: ClusterNode) => (await node.call('listHosts')).body.host[0];
const eventsOf = async (node: ClusterNode, type: string) =>
  ((await node.call('listEvents', { type })).body.event ?? []).map((event: { level: string }) => event.level);

t.test('certificates: a CloudStack agent gets one as from CloudStack, and its link is ended', async t => {
  const parts = await ready(t, certificateFile('cloud.csr'));
  const { bench, node, agent, host, taker, obedience } = parts;
  t.match(host, { certificatestate: 'none' });
  const job = await jobOf(parts, 'provisionCertificate', { hostid: host.id });
  t.match(job, { jobstatus: 1, jobresult: { success: true }, jobinstanceid: host.id });
  const recorded = recordedMessages().filter(
    ({ from, messages }) => from === 'server' && /Setup/.test(JSON.stringify(messages)),
  );
  const setups = agent.received.filter(({ messages }) =>
    /Setup(KeyStore|Certificate)Command/.test(messages[0]?.type ?? ''),
  );
  t.strictSame(
    setups.map(({ flags, messages }) => [flags, messages[0]?.type, Object.keys(messages[0]?.fields ?? {})]),
    recorded.map(({ flags, messages }) => {
      const [[type, fields] = ['', {}]] = Object.entries(messages[0] ?? {});
      return [flags, type, Object.keys(fields)];
    }),
    'flags, classes and fields are the recorded ones',
  );
  t.match(obedience.told[0], ['SetupKeyStoreCommand', { validityDays: 365, keystorePassword: /^[A-Za-z0-9]{16}$/ }]);
  const [installed] = taker.installed;
  const certificate = new X509Certificate(installed?.certificate ?? '');
  t.equal(certificate.subjectAltName, 'IP Address:10.99.0.10, DNS:10.99.0.10, DNS:ja');
  t.equal(certificate.verify(new X509Certificate(installed?.caCertificates ?? '').publicKey), true);
  await bench.comes(() => agent.closed);
  await bench.goesOn(2_000);
  const shown = await hostOf(node);
  t.match(shown, { certificatestate: 'good', certificateserial: certificate.serialNumber.toLowerCase() });
  t.strictSame(await eventsOf(node, 'CA.CERTIFICATE.PROVISION'), ['INFO']);
});

t.test("certificates: a Muster agent's names its host, and its link is left to it", async t => {
  const parts = await ready(t, await requestPem(), { instanceId: 'process-1' });
  const { bench, agent, host, taker } = parts;
  t.match(await jobOf(parts, 'provisionCertificate', { hostid: host.id }), { jobstatus: 1 });
  await bench.goesOn(10_000);
  t.equal(agent.closed, false);
  const certificate = new X509Certificate(taker.installed[0]?.certificate ?? '');
  t.equal(certificate.subjectAltName, `URI:muster:host:${host.id}`);
});

t.test('certificates: an agent that does not understand, or sends no request, keeps its link', async t => {
  for (const [csr, reason] of [
    ['no request', /there is no certificate request in PEM form/],
    [await requestPem({ algorithm: { name: 'ECDSA', namedCurve: 'P-521' } as never }), /its key is secp521r1/],
  ] as const) {
    const parts = await ready(t, csr);
    const job = await jobOf(parts, 'provisionCertificate', { hostid: parts.host.id });
    await parts.bench.goesOn(2_000);
    t.match(job, { jobstatus: 2, jobresult: { errorcode: 530, errortext: reason } });
    t.equal(parts.agent.closed, false);
    t.match(await hostOf(parts.node), { state: 'Up', certificatestate: 'none' });
    t.strictSame(await eventsOf(parts.node, 'CA.CERTIFICATE.PROVISION'), ['ERROR']);
  }
});

/** The host has a certificate that was issued 300 days ago, and ends in ten. */
async function isOld({ bench, host }: Ready): Promise<void> {
  const now = bench.clock.wallTime();
  const [row] = (await bench.store.findHosts({ uuid: host.id, page: 1, pagesize: 1 })).rows;
  await bench.store.addCertificate({
    ...{ serial: '4f01', kind: 'host', bundle: 0, hostId: row?.id ?? 0, guid: row?.guid ?? '', cn: 'kvm-1' },
    ...{ keyFingerprint: 'k', issuerFingerprint: ca.fingerprint, created: now - 300 * DAY },
    ...{ notBefore: now - 301 * DAY, notAfter: now + 10 * DAY },
  });
  await bench.store.certificatesInstalled(['4f01'], now - 300 * DAY);
}

t.test('certificates: one is renewed before it ends; a renewal that fails is shown, and tried again', async t => {
  const parts = await ready(t, await requestPem(), { instanceId: 'process-1' });
  const { bench, node, agent, taker, obedience } = parts;
  const takes = obedience.reply;
  obedience.reply = ({ type }) => ({
    type: 'com.cloud.agent.api.UnsupportedAnswer',
    fields: { result: false, contextMap: {}, wait: 0, details: `unknown: ${type}` },
  });
  await isOld(parts);
  await setConfiguration(bench.store, 'ca.framework.background.task.delay', '10');
  await bench.goesOn(30_000);
  const { body } = await node.call('listAgentLinks', { expiring: 'true' });
  t.match(body, { count: 1, agentlink: [{ certificatestate: 'due', certificateserial: '4f01' }] });
  t.match(body.agentlink[0].certificatefailure, /^the agent refused SetupKeyStoreCommand: unknown: /);
  t.strictSame(await eventsOf(node, 'CA.CERTIFICATE.PROVISION'), ['WARN'], 'told once');
  obedience.reply = takes;
  await bench.goesOn(15_000);
  t.equal(taker.installed.length, 1);
  t.match((await node.call('listAgentLinks', { expiring: 'true' })).body, {});
  t.match(await hostOf(node), { certificatestate: 'good' });
  await bench.goesOn(30_000);
  t.equal(taker.installed.length, 1, 'the new one is not renewed');
  t.equal(agent.closed, false);
});

t.test('certificates: where they are not renewed, operators are told once before one ends', async t => {
  const parts = await ready(t, await requestPem(), { instanceId: 'process-1' });
  const { bench, node, taker } = parts;
  await isOld(parts);
  await setConfiguration(bench.store, 'alert.webhook.url', 'https://alerts.example.org');
  await setConfiguration(bench.store, 'ca.framework.cert.automatic.renewal', 'false');
  await setConfiguration(bench.store, 'ca.framework.background.task.delay', '10');
  await bench.goesOn(60_000);
  t.match(bench.posts, [
    { body: { name: 'ALERT.CA.CERT', state: 'raised', description: /the first on 2026-01-11: \w/ } },
  ]);
  t.equal(bench.posts.length, 1);
  t.equal(taker.installed.length, 0);
  t.match(await hostOf(node), { certificatestate: 'due', certificaterenews: undefined });
  t.strictSame(await eventsOf(node, 'CA.CERTIFICATE.EXPIRY'), ['WARN']);
});

t.test('certificates: one that was revoked is not replaced by itself, and only on request', async t => {
  const parts = await ready(t, await requestPem(), { instanceId: 'process-1' });
  const { bench, node, host } = parts;
  await jobOf(parts, 'provisionCertificate', { hostid: host.id });
  const { certificateserial } = await hostOf(node);
  const serial = `0${certificateserial.toUpperCase()}`;
  t.match(await jobOf(parts, 'revokeCertificate', { serial, cn: 'kvm-1' }), {
    jobstatus: 1,
    jobresult: { success: true },
  });
  t.match(await hostOf(node), { certificatestate: 'revoked', certificateserial });
  t.equal((await bench.store.configuration()).revocation, 1);
  const database = new Database(bench.file);
  t.strictSame(database.prepare('SELECT revoker FROM crl').all(), [{ revoker: 'operator' }], 'the key that asked');
  database.close();
  await bench.goesOn(2_000);
  t.strictSame(await eventsOf(node, 'CA.CERTIFICATE.REVOKE'), ['INFO']);
  const refused = await jobOf(parts, 'provisionCertificate', { hostid: host.id });
  t.match(refused, { errorcode: 530, errortext: /was revoked; forced=true gives it a new one/ });
  t.match(await jobOf(parts, 'provisionCertificate', { hostid: host.id, forced: 'true' }), { jobstatus: 1 });
  t.match(await hostOf(node), { certificatestate: 'good' });
});

t.test('certificates: one is issued for a request, and the CA is shown', async t => {
  const bench = await startCluster(t, [ADDRESS]);
  const node = bench.node(ADDRESS);
  const { body } = await node.call('listCaCertificate');
  const ca = new X509Certificate(body.cacertificates.certificate);
  t.match((await node.call('listCAProviders')).body, { count: 1, caprovider: [{ name: 'root' }] });
  const csr = await requestPem({ name: 'CN=libvirt' });
  const params = { csr, domain: 'kvm-1.example.org', ipaddress: '192.0.2.7, 2001:db8::7', duration: '7' };
  const job = await jobOf({ bench, node }, 'issueCertificate', params);
  const issued = new X509Certificate(job.jobresult.certificate.certificate);
  t.equal(job.jobresult.certificate.cacertificates, body.cacertificates.certificate);
  t.equal(issued.verify(ca.publicKey), true);
  t.equal(issued.subject, 'CN=libvirt');
  t.match(issued.subjectAltName, /^IP Address:192\.0\.2\.7, IP Address:2001:.*, DNS:kvm-1\.example\.org$/);
  t.equal(Date.parse(issued.validTo) - Date.parse(issued.validFrom), 8 * DAY);
  await bench.goesOn(2_000);
  t.match(await bench.store.certificate(issued.serialNumber.toLowerCase()), { kind: 'csr', hostId: null });
  t.strictSame(await eventsOf(node, 'CA.CERTIFICATE.ISSUE'), ['INFO']);
  for (const [name, wrong] of [
    ['csr', { csr: 'x' }],
    ['domain', { domain: 'a b' }],
    ['domain', { domain: '', ipaddress: '' }],
    ['ipaddress', { ipaddress: '300.1.1.1' }],
    ['duration', { duration: '0' }],
    ['provider', { provider: 'other' }],
  ] as const) {
    const refused = await node.call('issueCertificate', { ...params, ...wrong });
    t.match(refused, { status: 431, body: { errortext: new RegExp(`Invalid parameter ${name} `) } }, name);
  }
  t.match(await node.call('revokeCertificate', { serial: 'xyz' }), { status: 431 });
});
