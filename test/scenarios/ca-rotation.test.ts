import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { certificatesIn } from '../../src/lib/pem.js';
import { type Cluster, type ClusterAgent, startCluster } from '../helpers/cluster-bench.js';
import { certificateFile } from '../helpers/wire.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;
const CONFIGURATION = { 'ping.interval': '86400', 'ca.plugin.root.auth.strictness': 'true' };

interface Shown {
  readonly fingerprint: string;
  readonly name: string;
  readonly state: string;
  readonly hostsbehind?: number;
  readonly hostsbehindup?: number;
  readonly hostsbehindnames?: readonly string[];
}

async function authorities(cluster: Cluster): Promise<readonly Shown[]> {
  const { body } = await cluster.node(A).call('listCertificateAuthorities');
  return body.certificateauthority;
}

const states = async (cluster: Cluster) => (await authorities(cluster)).map(({ state }) => state);

async function until(cluster: Cluster, holds: () => Promise<boolean>, withinMs = 300_000): Promise<void> {
  for (let gone = 0; gone < withinMs; gone += 2_000) {
    if (await holds()) return;
    await cluster.goesOn(2_000);
  }
  throw new Error(`it has not come to this: ${holds}`);
}

async function enrolled(cluster: Cluster, count: number): Promise<readonly ClusterAgent[]> {
  const { body } = await cluster.node(A).call('createEnrollmentToken', { uses: count });
  return cluster.addAgents(count, `${A},${B}`, body.enrollmenttoken.token);
}

const bundleOf = (agent: ClusterAgent) =>
  certificatesIn(agent.read('cloud.ca.crt')).map(({ fingerprint256 }) =>
    fingerprint256.replaceAll(':', '').toLowerCase(),
  );
const issuerOf = (agent: ClusterAgent, [root]: readonly X509Certificate[]) =>
  root !== undefined && new X509Certificate(agent.read('cloud.crt')).verify(root.publicKey);
const losses = (agents: readonly ClusterAgent[]) =>
  agents.reduce((sum, { log }) => sum + log.count('warn Lost connection'), 0);

t.test('CA: another one takes the place of the first, step by step, and no agent loses its link', async t => {
  const cluster = await startCluster(t, [A, B], CONFIGURATION, true);
  const agents = await enrolled(cluster, 6);
  const away = agents[5];
  if (away === undefined) throw new Error('six');
  await cluster.goesOn(5_000);
  const [first] = await authorities(cluster);
  t.match(first, { state: 'issuing', name: 'CN=Muster CA', hostsbehind: 0 });
  // It is out of reach while the others are told.
  await away.stop();
  await cluster.goesOn(5_000);

  const watch = () => {
    for (const agent of agents)
      if (agent !== away && agent.host === undefined) t.fail(`${agent.guid} has no Ready link`);
  };
  const { body } = await cluster.node(B).call('introduceCertificateAuthority');
  const second = body.certificateauthority as Shown;
  t.match(second, { state: 'introduced', hostsbehind: 6, hostsbehindup: 5 });
  t.match((await cluster.node(A).call('introduceCertificateAuthority')).body, { errortext: /one CA at a time/ });
  t.match((await cluster.node(A).call('switchCertificateAuthority')).body, {
    errortext: /^5 hosts \(.*have not confirmed/,
  });
  for (let i = 0; i < 10; i++) await cluster.goesOn(1_000, watch);
  const living = agents.filter(agent => agent !== away);
  t.ok(
    living.every(agent => bundleOf(agent).join() === [first?.fingerprint, second.fingerprint].join()),
    'agents trust both, the one that issues first',
  );
  await until(cluster, async () => (await states(cluster)).join() === 'trusted,issuing');
  watch();
  await until(cluster, async () => (await authorities(cluster))[1]?.hostsbehindup === 0);
  watch();
  const roots = certificatesIn(living[0]?.read('cloud.ca.crt') ?? '').filter(
    ({ fingerprint256 }) => fingerprint256.replaceAll(':', '').toLowerCase() === second.fingerprint,
  );
  t.ok(
    living.every(agent => issuerOf(agent, roots)),
    'the new one has signed their certificates',
  );

  const drop = (params = {}) =>
    cluster.node(A).call('dropCertificateAuthority', { fingerprint: first?.fingerprint ?? '', ...params });
  t.match((await drop()).body, { errortext: /^1 host \(.*still need it/ });
  // It knows the old one alone, which vouches for the new one.
  const back = await cluster.restart(away);
  await cluster.comes(() => back.host !== undefined);
  await until(cluster, async () => (await authorities(cluster))[1]?.hostsbehind === 0);
  t.match((await drop()).body, { success: true });
  for (let i = 0; i < 10; i++) await cluster.goesOn(1_000, watch);
  await until(cluster, async () => [...living, back].every(agent => bundleOf(agent).join() === second.fingerprint));
  watch();
  t.strictSame(await states(cluster), ['dropped', 'issuing']);
  t.equal(losses([...living, back]), 0);
  t.equal(await cluster.store.secret('ca'), undefined, 'the key of the former one is gone');
  await cluster.goesOn(2_000);
  const { body: told } = await cluster.node(A).call('listEvents');
  const types: readonly string[] = told.event.map(({ type }: { type: string }) => type);
  t.strictSame(types.filter(type => type.startsWith('CA.AUTHORITY.')).toReversed(), [
    'CA.AUTHORITY.INTRODUCE',
    'CA.AUTHORITY.SWITCH',
    'CA.AUTHORITY.DROP',
  ]);

  const [later] = await enrolled(cluster, 1);
  t.ok(later && bundleOf(later).join() === second.fingerprint, 'tokens name the new one');
  const node = await cluster.start('192.0.2.3');
  t.equal(node.state, 'Up', 'a new server starts with it');
});

t.test('CA: one that was introduced can be dropped again, and the one that issues cannot', async t => {
  const cluster = await startCluster(t, [A], CONFIGURATION, true);
  const [agent] = await enrolled(cluster, 1);
  const [first] = await authorities(cluster);
  const { body } = await cluster.node(A).call('introduceCertificateAuthority');
  const { fingerprint } = body.certificateauthority;
  const drop = async (wanted: string) =>
    (await cluster.node(A).call('dropCertificateAuthority', { fingerprint: wanted })).body;
  t.match(await drop(first?.fingerprint ?? ''), { errortext: /this CA issues/ });
  t.match(await drop('ff'), { errortext: /there is no CA with it/ });
  t.match(await drop(fingerprint), { success: true });
  t.match(await drop(fingerprint), { errortext: /dropped before/ });
  await cluster.goesOn(40_000);
  t.strictSame(await states(cluster), ['issuing', 'dropped']);
  t.ok(agent && bundleOf(agent).join() === first?.fingerprint);
});

t.test('CA: a given one is introduced by its certificate, and switched to by command', async t => {
  const cluster = await startCluster(t, [A], CONFIGURATION, true);
  await enrolled(cluster, 1);
  const introduce = async (certificate: string) =>
    (await cluster.node(A).call('introduceCertificateAuthority', { certificate })).body;
  t.match(await introduce('x'), { errortext: /there is no certificate in it/ });
  t.match(await introduce(certificateFile('cloud.crt')), { errortext: /is not the certificate of a CA/ });
  const { certificateauthority } = await introduce(certificateFile('root.crt'));
  t.match(certificateauthority, { state: 'introduced', isgiven: true, name: 'CN=ca.cloudstack.apache.org' });
  await until(cluster, async () => (await authorities(cluster))[1]?.hostsbehindup === 0);
  await cluster.goesOn(60_000);
  t.strictSame(await states(cluster), ['issuing', 'introduced'], 'servers do not switch by themselves');
});
