import t from 'tap';
import { DoctorAnswer, DoctorCommand } from '../../src/protocol/index.js';
import { type Cluster, startCluster } from '../helpers/cluster-bench.js';
import { results, send, summary } from '../helpers/command-jobs.js';
import { agentOn } from '../helpers/commanded-agent.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('doctor: asked of many hosts through any server, and never of an agent that does not know it', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(1, `${A},${B}`);
  await cluster.addAgents(1, `${B},${A}`);
  const older = await agentOn(cluster, B, 'guid-1', ['commandIds', 'cancel']);
  const cloudStacks = await agentOn(cluster, A, 'guid-2');
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { all: 'true', class: 'DoctorCommand', maxerrors: -1 });
  t.match(await summary(cluster, jobid), { total: 4, answered: 2, failed: 0, unsupported: 2, unknown: 0 });
  const found = await results(cluster, jobid);
  t.match(
    found.filter(({ outcome }) => outcome === 'unsupported').map(({ hostname, reason }) => `${hostname}: ${reason}`),
    [/^guid-1: the agent has not said that it can do this: nothing was sent/, /^guid-2/],
  );
  t.same(
    [older, cloudStacks].flatMap(({ waiting }) => waiting.flatMap(({ messages }) => messages)),
    [],
  );
  for (const { outcome, answers } of found) {
    if (outcome !== 'answered') continue;
    const [answer] = JSON.parse(String(answers));
    const { findings } = answer[DoctorAnswer.type];
    t.match(
      findings.slice(-2).map((finding: Readonly<Record<string, string>>) => `${finding.level} ${finding.found}`),
      [/^ok 192\.0\.2\.\d: takes agents/, /^ok 192\.0\.2\.\d: takes agents/],
    );
  }
  t.strictSame(
    cluster.agents.map(({ host }) => host),
    [A, B],
    'their links are as they were',
  );
});

t.test(
  'doctor: whether agents reach a server is known before it is in a list, and no server is loud about it',
  async t => {
    const cluster = await startCluster(t, [A, B]);
    await cluster.addAgents(1, A);
    await cluster.goesOn(3_000);
    const ask = async (hosts: readonly string[]) => {
      const fields = JSON.stringify({ hosts });
      const jobid = await send(cluster, { all: 'true', class: DoctorCommand.type, fields, maxerrors: -1 });
      await summary(cluster, jobid);
      return (await results(cluster, jobid))[0];
    };
    const node = cluster.node(B);
    const before = node.log.lines.length;
    t.match(await ask([B]), { outcome: 'answered', result: true });
    t.same(
      node.log.lines.slice(before).filter(line => !line.startsWith('debug')),
      [],
    );
    t.match(await ask([B, '192.0.2.9']), {
      ...{ outcome: 'answered', result: false },
      reason: /^192\.0\.2\.9 port 8250: 192\.0\.2\.9: no connection: connect ECONNREFUSED/,
    });
  },
);

/** Until a job has ended. @returns the job */
async function ended(cluster: Cluster, at: string, command: string, params: Readonly<Record<string, string>>) {
  const { body, status } = await cluster.node(at).call(command, params);
  if (typeof body.jobid !== 'string') return { status, errortext: body.errortext };
  for (let i = 0; i < 120; i++) {
    const job = (await cluster.node(at).call('queryAsyncJobResult', { jobid: body.jobid })).body;
    if (job.jobstatus !== 0) return job;
    await cluster.goesOn(1_000);
  }
  throw new Error('the job does not end');
}

t.test('doctor: one host is diagnosed through any server, and one that cannot be says why', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(1, `${A},${B}`);
  const cloudStacks = await agentOn(cluster, A, 'guid-2');
  await cluster.goesOn(3_000);
  const idOf = async (name: string) => (await cluster.node(B).call('listHosts', { name })).body.host[0].id as string;
  const mine = await idOf(
    (await cluster.node(A).call('listHosts')).body.host.find(({ name }: { name: string }) => name !== 'guid-2').name,
  );
  const { jobresult } = await ended(cluster, B, 'diagnoseHost', { id: mine });
  t.match(jobresult.diagnosis, { hostid: mine, result: true });
  t.match(jobresult.diagnosis.findings.at(-1), { level: 'ok', what: `${B} port 8250` });
  t.match(await ended(cluster, B, 'diagnoseHost', { id: mine, hosts: '192.0.2.9' }), {
    jobstatus: 1,
    jobresult: { diagnosis: { result: false, details: /ECONNREFUSED/, findings: { length: 1 } } },
  });
  t.match(await ended(cluster, B, 'diagnoseHost', { id: await idOf('guid-2') }), {
    jobstatus: 2,
    jobresult: { errortext: /its agent does not know this: it is one of CloudStack, or of an earlier Muster/ },
  });
  cloudStacks.close();
});

t.test('migrateHost: one agent goes to another server without a gap, and its list is as before', async t => {
  const cluster = await startCluster(t, [A, B], { 'indirect.agent.lb.check.interval': '0' });
  const [agent] = await cluster.addAgents(1, `${A},${B}`);
  await cluster.goesOn(3_000);
  const [host] = (await cluster.node(A).call('listHosts')).body.host;
  const list = agent?.agent.state.list;
  const to = async (address: string) => {
    const { managementserver } = (await cluster.node(A).call('listManagementServers')).body;
    const server = managementserver.find(({ ipaddress }: { ipaddress: string }) => ipaddress === address);
    return ended(cluster, A, 'migrateHost', { id: host.id, managementserverid: server.id });
  };
  t.match(await to(B), { jobstatus: 1, jobresult: { host: { name: host.name, managementservername: 'ms-1002' } } });
  t.equal(agent?.host, B);
  t.same(agent?.agent.state.list, list);
  const { rows } = await cluster.store.moves({ page: 1, pagesize: 10 });
  t.match(rows[0], { kind: 'migrate', gapMs: 0 });
  t.match(await to(B), { status: 530, errortext: /is on 192\.0\.2\.2 already/ });
  await cluster.goesOn(60_000);
  t.equal(agent?.host, B, 'it stays while it does not check its preferred host');
});

t.test('migrateHost: an agent that does not get there stays, and may go elsewhere again', async t => {
  const cluster = await startCluster(t, [A, B], { 'indirect.agent.lb.check.interval': '0' });
  const [agent] = await cluster.addAgents(1, `${A},${B}`);
  await cluster.goesOn(3_000);
  const [host] = (await cluster.node(A).call('listHosts')).body.host;
  const { managementserver } = (await cluster.node(A).call('listManagementServers')).body;
  const { id } = managementserver.find(({ ipaddress }: { ipaddress: string }) => ipaddress === B);
  // Nobody has noticed yet.
  await cluster.node(B).kill();
  t.match(await ended(cluster, A, 'migrateHost', { id: host.id, managementserverid: id }), {
    jobstatus: 2,
    jobresult: { errortext: /the agent was not Ready at 192\.0\.2\.2 within 60 s/ },
  });
  t.equal(agent?.host, A);
  await cluster.goesOn(5_000);
  t.same(agent?.agent.state.avoid, [], 'what it was told to avoid for the move is taken back');
});
