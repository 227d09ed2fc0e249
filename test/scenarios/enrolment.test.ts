import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { SetupCertificateAnswer, SetupKeystoreAnswer } from '../../src/protocol/index.js';
import { contentOf, FakeAgent } from '../../src/testing/fake-agent.js';
import { memoryTransports } from '../../src/testing/memory-transport.js';
import { requestKeys, requestPem } from '../helpers/certificate-requests.js';
import { type Cluster, ClusterAgent, ca, startCluster } from '../helpers/cluster-bench.js';
import { until } from '../helpers/until.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;
const HOUR = 3_600_000;
const STRICT = { 'ping.interval': '86400', 'ca.plugin.root.auth.strictness': 'true' };

async function tokenOf(cluster: Cluster, params: Readonly<Record<string, string | number>> = {}) {
  const { body } = await cluster.node(A).call('createEnrollmentToken', params);
  return body.enrollmenttoken as { readonly token: string; readonly id: string };
}

async function eventsOf(cluster: Cluster, type: string): Promise<readonly string[]> {
  await cluster.goesOn(1_100);
  const { body } = await cluster.node(A).call('listEvents', { type });
  return (body.event ?? []).map(({ description }: { description: string }) => description);
}

async function started(cluster: Cluster, token: string, guid?: string): Promise<ClusterAgent> {
  const options = { token, ...(guid !== undefined && { guid }) };
  const agent = await ClusterAgent.make(cluster, cluster.agents.length, A, options);
  cluster.agents.push(agent);
  agent.agent.start();
  return agent;
}

t.test('enrolment: an agent comes with a token, gets its certificate, and comes back with it', async t => {
  const cluster = await startCluster(t, [A, B], STRICT);
  const { token, id } = await tokenOf(cluster);
  const [agent] = await cluster.addAgents(1, `${A},${B}`, token);
  if (agent === undefined) throw new Error('one');
  await cluster.goesOn(1_000);
  const { body } = await cluster.node(A).call('listHosts');
  const [host] = body.host;
  t.match(host, { state: 'Up', certificatestate: 'good' });
  const certificate = new X509Certificate(agent.read('cloud.crt'));
  t.equal(certificate.subjectAltName, `URI:muster:host:${host.id}`);
  t.equal(certificate.serialNumber.toLowerCase(), host.certificateserial);
  await until(() => !agent.read('agent.properties').includes('enrollment'));
  t.match((await cluster.node(A).call('listEnrollmentTokens')).body, { enrollmenttoken: [{ id, used: 1, uses: 1 }] });
  t.match(await eventsOf(cluster, 'ENROLLMENT.USE'), [new RegExp(`with token ${id}`)]);
  const said = JSON.stringify([...cluster.nodes.values()].map(({ log }) => log.entries).concat(agent.log.entries));
  t.notOk(said.includes(token.slice(0, 43)), 'no log has the token');
});

t.test('enrolment: 100 agents with one token, in one go', async t => {
  const cluster = await startCluster(t, [A], STRICT);
  const { token } = await tokenOf(cluster, { uses: 100 });
  await cluster.addAgents(100, A, token);
  await cluster.goesOn(1_000);
  t.equal(cluster.node(A).node.agents.registry.size, 100);
  t.match((await cluster.node(A).call('listEnrollmentTokens')).body, { enrollmenttoken: [{ used: 100 }] });
  await until(() => !cluster.agents.some(agent => agent.read('agent.properties').includes('enrollment')));
  const one = await started(cluster, token);
  await cluster.comes(() => one.log.count('error Cannot connect to host') > 0);
  t.match(one.log.fieldsOf('error Cannot connect to host'), { reason: /used as often as allowed/ });
});

t.test('regression: enrolment: agents that come at once do not wait for each other in the store', async t => {
  const cluster = await startCluster(t, [A], STRICT);
  const { token } = await tokenOf(cluster, { uses: 20 });
  const { faults } = cluster.node(A);
  const isUse = (call: string) => call === 'useEnrollmentToken';
  let [inStore, most] = [0, 0];
  faults.before = async call => {
    if (!isUse(call)) return;
    most = Math.max(most, ++inStore);
    await new Promise<void>(resolve => setImmediate(resolve));
  };
  faults.after = call => {
    if (isUse(call)) inStore--;
  };
  await cluster.addAgents(20, A, token);
  t.equal(cluster.node(A).node.agents.registry.size, 20);
  t.equal(most, 1, 'they would take all its connections');
});

t.test('enrolment: a token that does not fit is refused, and told once', async t => {
  const cluster = await startCluster(t, [A], { ...STRICT, zones: 'default,other' });
  const made = await tokenOf(cluster, { validity: 1 });
  const deleted = await tokenOf(cluster);
  await cluster.node(A).call('deleteEnrollmentToken', { id: deleted.id });
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['wrong', `${'A'.repeat(43)}${made.token.slice(43)}`, /there is no such enrolment token/],
    ['deleted', deleted.token, /was deleted/],
    ['another guid', (await tokenOf(cluster, { guid: 'somebody' })).token, /is for another guid/],
    ['another zone', (await tokenOf(cluster, { zone: 'other' })).token, /is for another zone/],
    ['another cluster', (await tokenOf(cluster, { cluster: 'c2' })).token, /is for another cluster/],
  ];
  for (const [what, token, reason] of cases) {
    const agent = await started(cluster, token);
    await cluster.comes(() => agent.log.count('error Cannot connect to host') > 0);
    t.match(agent.log.fieldsOf('error Cannot connect to host'), { reason }, what);
    t.match(agent.read('agent.properties'), /enrollment\.token=/, 'it keeps its token');
    await cluster.comes(() => agent.log.count('error Cannot connect to host') > 1);
    await agent.stop();
  }
  t.equal((await eventsOf(cluster, 'ENROLLMENT.REFUSED')).length, cases.length, 'once for each address and reason');
  await cluster.goesOn(HOUR);
  const late = await started(cluster, made.token);
  await cluster.comes(() => late.log.count('error Cannot connect to host') > 0);
  t.match(late.log.fieldsOf('error Cannot connect to host'), { reason: /has expired/ });
  t.match((await cluster.node(A).call('listHosts')).body, {}, 'none of them has made a row');
});

/** A played agent with a token. */
function played(cluster: Cluster, token: string, guid: string): FakeAgent {
  const ends = memoryTransports({ address: '198.51.100.77', port: 40_000 });
  cluster.node(A).server.serveTransport(ends.server);
  const agent = new FakeAgent(ends.agent);
  agent.startup({ guid, muster: { instanceId: 'i-1', version: '0.1.0', token } });
  return agent;
}

/** It answers what it is told with this request. @returns what it has got */
async function enrols(cluster: Cluster, agent: FakeAgent, csr: string, upTo: 'key' | 'certificate' | 'end') {
  const setup = await cluster.passes(agent.receive());
  const content = contentOf(setup);
  if (content[0] !== 'SetupKeyStoreCommand' || upTo === 'key') return content;
  agent.answer(setup, [SetupKeystoreAnswer.encode({ csr, result: true })]);
  const next = await cluster.passes(agent.receive());
  if (upTo === 'end') agent.answer(next, [SetupCertificateAnswer.encode({ result: true })]);
  return contentOf(next);
}

t.test('enrolment: interrupted at any step it can be finished, and by nobody else', async t => {
  const cluster = await startCluster(t, [A], STRICT);
  const { token } = await tokenOf(cluster);
  const csr = await requestPem({ keys: await requestKeys() });
  for (const upTo of ['key', 'certificate', 'certificate', 'end'] as const) {
    const agent = played(cluster, token, 'guid-9');
    const [type, fields] = await enrols(cluster, agent, csr, upTo);
    t.equal(type, upTo === 'key' ? 'SetupKeyStoreCommand' : 'SetupCertificateCommand');
    if (upTo !== 'key') t.match(new X509Certificate(String(fields.certificate)).subjectAltName, /^URI:muster:host:/);
    if (upTo === 'end') await cluster.comes(() => agent.closed);
    else agent.close();
    await cluster.goesOn(100);
  }
  const other = played(cluster, token, 'guid-9');
  const [type, fields] = await enrols(cluster, other, await requestPem(), 'certificate');
  t.match([type, fields], ['StartupAnswer', { result: false, details: /used as often as allowed/ }], 'another key');
  await cluster.comes(() => other.closed);
  t.match((await cluster.node(A).call('listHosts')).body, { count: 1, host: [{ state: 'Creating' }] });
});

t.test('enrolment: a store that is away when the agent confirms is told later; the agent does not wait', async t => {
  const cluster = await startCluster(t, [A], STRICT);
  const { token } = await tokenOf(cluster);
  const { faults } = cluster.node(A);
  let isAway = true;
  faults.before = call => {
    if (isAway && call === 'certificatesInstalled') throw new StoreError('STORE_UNAVAILABLE', call);
  };
  await cluster.addAgents(1, A, token);
  await cluster.goesOn(5_000);
  t.match((await cluster.node(A).call('listHosts')).body, { host: [{ state: 'Up', certificatestate: 'none' }] });
  isAway = false;
  await cluster.goesOn(10_000);
  t.match((await cluster.node(A).call('listHosts')).body, { host: [{ state: 'Up', certificatestate: 'good' }] });
});

t.test(
  'enrolment: a certificate whose confirmation was lost is one that the agent has, once it comes with it',
  async t => {
    const cluster = await startCluster(t, [A], STRICT);
    const { token } = await tokenOf(cluster);
    const agent = played(cluster, token, 'guid-9');
    const [, { certificate }] = await enrols(cluster, agent, await requestPem(), 'certificate');
    const { serialNumber } = new X509Certificate(String(certificate));
    const serial = serialNumber.toLowerCase().replace(/^0+/, '');
    agent.close();
    await cluster.goesOn(100);
    const [host] = (await cluster.node(A).call('listHosts')).body.host;
    t.match(host, { certificatestate: 'none' });
    const joins = async () => {
      const ends = memoryTransports({ address: '198.51.100.77', port: 40_001 });
      cluster.node(A).server.serveTransport(ends.server, {
        ...{ kind: 'host', uuid: host.id, serial, ends: 0 },
        issuer: new X509Certificate(ca.chainPem),
      });
      await cluster.passes(new FakeAgent(ends.agent).join({ guid: 'guid-9' }));
      await cluster.goesOn(3_000);
    };
    await joins();
    t.match((await cluster.node(A).call('listHosts')).body, {
      host: [{ certificatestate: 'good', certificateserial: serial }],
    });
    const known = await cluster.store.certificate(serial);
    await joins();
    t.strictSame(await cluster.store.certificate(serial), known, 'and it is not written again');
  },
);

t.test('enrolment: a token is raced by two, and one of them gets its certificate', async t => {
  const cluster = await startCluster(t, [A], STRICT);
  const { token } = await tokenOf(cluster);
  const racers = await Promise.all(
    ['guid-1', 'guid-2'].map(async guid => ({ agent: played(cluster, token, guid), csr: await requestPem() })),
  );
  const got = await Promise.all(racers.map(({ agent, csr }) => enrols(cluster, agent, csr, 'certificate')));
  t.same(got.map(([type]) => type).toSorted(), ['SetupCertificateCommand', 'StartupAnswer']);
});

t.test('enrolment: guesses are bounded for each address, and cost others nothing', async t => {
  const cluster = await startCluster(t, [A], {
    ...STRICT,
    'agent.max.concurrent.new.connections.per.address': '10000',
  });
  const { token } = await tokenOf(cluster);
  const guesses: FakeAgent[] = [];
  for (let i = 0; i < 1_010; i++) {
    guesses.push(played(cluster, `${String(i).padStart(43, 'A')}${token.slice(43)}`, `guid-${i}`));
    if (i % 100 === 99) await cluster.goesOn(200);
  }
  await cluster.comes(() => guesses.every(({ closed }) => closed));
  const [, { details }] = contentOf(await (guesses.at(-1) as FakeAgent).receive());
  t.match(details, /too many wrong enrolment tokens/);
  const right = played(cluster, token, 'guid-right');
  t.match(await enrols(cluster, right, await requestPem(), 'key'), ['StartupAnswer', { details: /too many/ }]);
  await cluster.addAgents(1, A, token);
  t.equal((await eventsOf(cluster, 'ENROLLMENT.REFUSED')).length, 2);
});
