import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { readCertificateRequest } from '../../src/mgmt/security/certificate-request.js';
import { contentOf, FakeAgent } from '../../src/testing/fake-agent.js';
import { memoryTransports } from '../../src/testing/memory-transport.js';
import { requestPem } from '../helpers/certificate-requests.js';
import { type Cluster, ClusterAgent, ca, startCluster } from '../helpers/cluster-bench.js';
import { setConfiguration } from '../helpers/set-configuration.js';
import { TestCa } from '../helpers/test-ca.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;
const STRICT = { 'ping.interval': '86400', 'ca.plugin.root.auth.strictness': 'true' };
const QUIET = { 'ping.interval': '86400' };

async function tokenOf(cluster: Cluster, uses = 1): Promise<string> {
  return (await cluster.node(A).call('createEnrollmentToken', { uses })).body.enrollmenttoken.token;
}

/** The refusals that operators are told of. @param least so many are waited for, as events are written in batches */
async function refusals(cluster: Cluster, least = 1): Promise<readonly string[]> {
  for (let left = 10; ; left--) {
    await cluster.goesOn(1_100);
    const { body } = await cluster.node(A).call('listEvents', { type: 'AGENT.CERTIFICATE.REFUSED' });
    const told = (body.event ?? []).map(({ description }: { description: string }) => description);
    if (told.length >= least || left === 0) return told;
  }
}

/** An agent that is started with these files, from the next address. */
async function comes(cluster: Cluster, guid: string, files: Readonly<Record<string, string>>, host: string = A) {
  const agent = await ClusterAgent.make(cluster, cluster.agents.length, host, { guid, files });
  cluster.agents.push(agent);
  agent.agent.start();
  return agent;
}

const filesOf = (agent: ClusterAgent) => ({
  'cloud.crt': agent.read('cloud.crt'),
  'cloud.key': agent.read('cloud.key'),
});
/** The guid as its Startup has it: with the name of its resource. */
const onWire = ({ guid }: ClusterAgent) => `${guid}-R`;
const isRefused = (agent: ClusterAgent) => () =>
  agent.log.entries.some(({ message }) => message.startsWith('Cannot connect'));
const losses = (agent: ClusterAgent) => agent.log.count('warn Lost connection');

/** Two agents that are enrolled. */
async function two(t: Parameters<typeof startCluster>[0], configuration: Readonly<Record<string, string>>) {
  const cluster = await startCluster(t, [A, B], configuration);
  const [victim, thief] = await cluster.addAgents(2, `${A},${B}`, await tokenOf(cluster, 2));
  if (victim === undefined || thief === undefined) throw new Error('two');
  await cluster.goesOn(3_000);
  return { cluster, victim, thief };
}

for (const [name, configuration] of Object.entries({ strict: STRICT, 'not strict': QUIET })) {
  t.test(`admission, ${name}: a certificate is of no use for the guid of another host`, async t => {
    const { cluster, victim, thief } = await two(t, configuration);
    const before = await cluster.store.hosts();
    for (const guid of [victim.guid, 'nobody']) {
      const stranger = await comes(cluster, guid, filesOf(thief));
      await cluster.comes(isRefused(stranger));
      await stranger.stop();
    }
    const [ofNobody = '', ofVictim = ''] = await refusals(cluster, 2);
    const uuidOf = (agent: ClusterAgent) => before.find(({ guid }) => guid === onWire(agent))?.uuid ?? '-';
    for (const part of [uuidOf(thief), uuidOf(victim), victim.guid]) t.ok(ofVictim.includes(part), ofVictim);
    t.match(ofNobody, /which no host has/);
    t.same(await cluster.store.hosts(), before, 'no row has changed');
    t.same([losses(victim), losses(thief)], [0, 0]);
  });

  t.test(`admission, ${name}: a revoked certificate ends its link at every server, and is refused`, async t => {
    const { cluster, victim, thief } = await two(t, configuration);
    const serial = new X509Certificate(thief.read('cloud.crt')).serialNumber;
    await cluster.node(B).call('revokeCertificate', { serial });
    await cluster.comes(() => losses(thief) === 1, 10_000);
    await cluster.goesOn(20_000);
    t.equal(thief.host, undefined);
    const again = await comes(cluster, thief.guid, filesOf(thief), B);
    await cluster.comes(isRefused(again));
    t.match(await refusals(cluster), [/was revoked/]);
    t.equal(losses(victim), 0);
  });

  t.test(`admission, ${name}: the certificate of a deleted host is refused`, async t => {
    const { cluster, victim, thief } = await two(t, configuration);
    const row = (await cluster.store.hosts()).find(({ guid }) => guid === onWire(thief));
    t.ok(await cluster.store.removeHost(row?.id ?? 0, cluster.clock.wallTime()));
    await cluster.comes(() => thief.host === undefined, 5_000);
    const again = await comes(cluster, thief.guid, filesOf(thief), B);
    await cluster.comes(isRefused(again));
    t.match(await refusals(cluster), [/the certificate is that of host/]);
    t.equal(losses(victim), 0);
  });
}

t.test('admission, strict: a certificate works from any address, at any server', async t => {
  const { cluster, thief } = await two(t, STRICT);
  const files = filesOf(thief);
  await thief.stop();
  const moved = await comes(cluster, thief.guid, files, B);
  await cluster.comes(() => moved.host === B);
  t.same(await refusals(cluster, 0), []);
});

t.test('admission, strict: a link without a certificate may only enrol, and is told nothing', async t => {
  const cluster = await startCluster(t, [A], STRICT);
  const startup = (agent: FakeAgent) => agent.startup();
  for (const send of [startup, (agent: FakeAgent) => agent.ping()]) {
    const ends = memoryTransports();
    cluster.node(A).server.serveTransport(ends.server);
    const agent = new FakeAgent(ends.agent);
    send(agent);
    await cluster.comes(() => agent.closed);
    t.same(agent.received, []);
  }
  t.same(await cluster.store.hosts(), []);
});

t.test(
  'admission, strict: what a stranger has signed himself, and a server’s certificate, end the handshake',
  async t => {
    const { cluster, victim } = await two(t, STRICT);
    const row = (await cluster.store.hosts()).find(({ guid }) => guid === onWire(victim));
    const named = { uris: [`muster:host:${row?.uuid}`], usages: ['clientAuth'] as const };
    const self = await (await TestCa.make('A CA of his own')).leaf(named);
    const forged = await (await TestCa.make('Muster CA')).leaf(named);
    const server = await ca.issueServerCertificate({ addresses: ['198.51.100.3'], msid: 9 });
    for (const [files, why] of [
      [{ 'cloud.crt': self.cert, 'cloud.key': self.key }, /of no CA that is known here/],
      [{ 'cloud.crt': forged.cert, 'cloud.key': forged.key }, /the CA that its certificate names has not signed it/],
      [{ 'cloud.crt': server.certPem, 'cloud.key': server.keyPem }, /is no agent/],
    ] as const) {
      const agent = await comes(cluster, victim.guid, files);
      await cluster.comes(isRefused(agent));
      const [last] = await refusals(cluster);
      t.match(last, why);
      await agent.stop();
    }
    t.equal(losses(victim), 0);
  },
);

t.test('admission, strict: an address certificate belongs to the guid that is first seen with it', async t => {
  const cluster = await startCluster(t, [A], STRICT);
  const identity = {
    kind: 'address',
    fingerprint: 'f'.repeat(64),
    serial: '4f01',
    issuer: new X509Certificate(ca.chainPem),
    ends: 0,
  } as const;
  const join = (guid: string) => {
    const ends = memoryTransports({ address: '10.99.0.10', port: 40_000 });
    cluster.node(A).server.serveTransport(ends.server, identity);
    const agent = new FakeAgent(ends.agent);
    return { agent, startup: () => agent.startup({ guid }), join: () => cluster.passes(agent.join({ guid })) };
  };
  const first = join('guid-1');
  await first.join();
  const other = join('guid-2');
  other.startup();
  await cluster.comes(() => other.agent.closed);
  t.same(other.agent.received, [], 'a Java agent would exit for a refusal');
  t.match(await refusals(cluster), [/first seen with the guid guid-1, and the agent has the guid guid-2/]);
  await join('guid-1').join();
  cluster.node(A).outage = true;
  const away = join('guid-1');
  await away.join();
  t.notOk(away.agent.closed, 'while the store is away, from where it was last');
});

t.test('admission: what a request says of itself is not what its certificate says', async t => {
  const uri = 'muster:host:another';
  const request = await readCertificateRequest(await requestPem({ name: 'CN=muster:host:another', sans: [uri] }));
  const { certPem } = await ca.issueHostCertificate(request, { uuid: 'own', name: 'n', validityDays: 1 });
  t.equal(new X509Certificate(certPem).subjectAltName, 'URI:muster:host:own');
});

t.test(
  'admission: strict from one moment to the next: links stay, strangers go; while it is not, each start warns',
  async t => {
    const cluster = await startCluster(t, [A], QUIET);
    const warnings = () => cluster.node(A).log.count('warn Agents are let in without a certificate');
    t.equal(warnings(), 1);
    const [agent] = await cluster.addAgents(1, A);
    await setConfiguration(cluster.store, 'ca.plugin.root.auth.strictness', 'true');
    await cluster.goesOn(4_000);
    const ends = memoryTransports();
    cluster.node(A).server.serveTransport(ends.server);
    const stranger = new FakeAgent(ends.agent);
    stranger.startup({ guid: 'guid-2' });
    await cluster.comes(() => stranger.closed);
    t.same(stranger.received.map(contentOf), []);
    t.equal(agent?.host, A);
    t.equal(warnings(), 1);
    await setConfiguration(cluster.store, 'ca.plugin.root.auth.strictness', 'false');
    await cluster.goesOn(4_000);
    t.equal(warnings(), 2, 'and when it ends');
  },
);
