import t from 'tap';
import { Answer, isRequest, KeptAnswersAnswer, KeptAnswersCommand, type Message } from '../../src/protocol/index.js';
import type { FakeAgent } from '../../src/testing/fake-agent.js';
import { type Cluster, startCluster } from '../helpers/cluster-bench.js';
import { results, send, summary, whileWorking, works } from '../helpers/command-jobs.js';
import { agentOn, type CommandedAgent, gotBy, WORK } from '../helpers/commanded-agent.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;
const CAPABLE = ['commandIds'];

t.test('commands: to several hosts by any server, with one outcome for each', async t => {
  const cluster = await startCluster(t, [A, B]);
  const agents = [await agentOn(cluster, A, 'guid-1'), await agentOn(cluster, B, 'guid-2', CAPABLE)];
  const refusing = await agentOn(cluster, B, 'guid-3', CAPABLE);
  const workers = [
    ...agents.map(agent => works(agent)),
    works(refusing, () => Answer.encode({ result: false, details: 'disk is full' })),
  ];
  await cluster.goesOn(3_000);
  const params = { ids: 'guid-1,guid-2,guid-3', class: WORK, fields: '{"name":"x"}', maxerrors: -1, wait: 20 };
  const jobid = await send(cluster, params);
  t.match(await whileWorking(cluster, workers, summary(cluster, jobid)), {
    ...{ total: 3, answered: 3, failed: 1, unsupported: 0, refused: 0, cancelled: 0, unknown: 0, waiting: 0, sent: 0 },
  });
  t.match(await results(cluster, jobid), [
    { hostname: 'guid-1', outcome: 'answered', result: true, managementservername: 'ms-1001' },
    { hostname: 'guid-2', outcome: 'answered', result: true, managementservername: 'ms-1002' },
    { hostname: 'guid-3', outcome: 'answered', result: false, reason: 'disk is full' },
  ]);
  t.match(JSON.parse(String((await results(cluster, jobid))[0]?.answers)), [{ [Answer.type]: { result: true } }]);
  const { body } = await cluster.node(B).call('listCommandResults', { jobid, outcome: 'unknown' });
  t.same(body, {});
  t.strictSame(
    workers.map(({ runs }) => runs.length),
    [1, 1, 1],
  );
});

t.test('commands: the same key gives the same job, and another text is refused', async t => {
  const cluster = await startCluster(t, [A]);
  const agent = await agentOn(cluster, A, 'guid-1');
  const worker = works(agent);
  const params = { ids: 'guid-1', class: WORK, key: 'nightly' };
  const jobid = await send(cluster, params);
  await whileWorking(cluster, [worker], summary(cluster, jobid));
  t.equal(await send(cluster, params), jobid);
  t.rejects(send(cluster, { ...params, fields: '{"other":1}' }), { message: /431|531|the key nightly was used/ });
  await cluster.goesOn(3_000);
  t.equal(worker.runs.length, 1);
});

t.test('commands: what cannot be sent is refused before there is a job', async t => {
  const cluster = await startCluster(t, [A]);
  await agentOn(cluster, A, 'guid-1');
  const cases: readonly (readonly [Readonly<Record<string, string | number>>, RegExp])[] = [
    [{ class: WORK }, /^exactly one of ids, clusterid, zoneid, tag and all=true is needed; none is given$/],
    [{ all: 'false', class: WORK }, /^exactly one of .*; none is given$/],
    [{ ids: 'guid-1', all: 'true', class: WORK }, /^exactly one of .*; given are ids, all$/],
    [{ ids: 'nobody', class: WORK }, /there is no host with this id, name or guid/],
    [{ ids: 'guid-1' }, /class/],
    [{ ids: 'guid-1', class: 'ReadyCommand' }, /only the servers send it/],
    [{ ids: 'guid-1', class: 'StartVmCommand' }, /due to only these may be named without/],
    [{ ids: 'guid-1', class: 'gethoststatcommand' }, /due to is GetHostStatsCommand meant\? only these may be named/],
    [{ ids: 'guid-1', class: 'com.cloud.agent.api.ReadyCommand' }, /only the servers send it/],
    [{ ids: 'guid-1', class: WORK, fields: '{' }, /it is no JSON/],
    [{ ids: 'guid-1', class: WORK, fields: '[]' }, /a JSON object is expected/],
    [{ ids: 'guid-1', class: WORK, wait: 0 }, /1 to 3600 are allowed/],
    [{ ids: 'guid-1', commands: '[{}]' }, /an object with class and fields/],
  ];
  for (const [params, why] of cases) {
    const { body } = await cluster.node(A).call('sendCommand', params);
    t.match(body.errortext, why);
  }
  t.same((await cluster.node(A).call('listAsyncJobs')).body, {});
});

t.test('commands: the first failure ends the job, or a canary does', async t => {
  const cluster = await startCluster(t, [A]);
  const agents: CommandedAgent[] = [];
  for (const guid of ['guid-1', 'guid-2', 'guid-3', 'guid-4']) agents.push(await agentOn(cluster, A, guid));
  const bad = () => Answer.encode({ result: false, details: 'no' });
  const workers = agents.map((agent, index) => works(agent, index === 0 ? bad : undefined));
  const ids = 'guid-1,guid-2,guid-3,guid-4';
  const first = await send(cluster, { ids, class: WORK, maxconcurrency: 1 });
  t.match(await whileWorking(cluster, workers, summary(cluster, first)), { answered: 1, failed: 1, cancelled: 3 });
  t.match((await results(cluster, first))[3], { outcome: 'cancelled', reason: /^stopped: a host has failed/ });
  const canary = await send(cluster, { ids, class: WORK, maxerrors: -1, canary: 2 });
  t.match(await whileWorking(cluster, workers, summary(cluster, canary)), { answered: 2, failed: 1, cancelled: 2 });
  const all = await send(cluster, { ids, class: WORK, maxerrors: -1, canary: 0, maxconcurrency: 1 });
  t.match(await whileWorking(cluster, workers, summary(cluster, all)), { answered: 4, failed: 1, cancelled: 0 });
});

t.test('commands: what was not sent can be taken back', async t => {
  const cluster = await startCluster(t, [A]);
  const agents = [await agentOn(cluster, A, 'guid-1'), await agentOn(cluster, A, 'guid-2')];
  const workers = agents.map(agent => works(agent));
  const jobid = await send(cluster, { ids: 'guid-1,guid-2', class: WORK, maxconcurrency: 1 });
  await cluster.comes(() => agents[0] !== undefined && gotBy(agents[0]).length === 1);
  const { body } = await cluster.node(A).call('cancelCommand', { jobid });
  t.match(body, { success: true, displaytext: /^1 host / });
  t.match(await whileWorking(cluster, workers, summary(cluster, jobid)), { answered: 1, cancelled: 1 });
  t.strictSame(
    workers.map(({ runs }) => runs.length),
    [1, 0],
  );
});

t.test('commands: a host that is not connected in time is refused', async t => {
  const cluster = await startCluster(t, [A]);
  const agent = await agentOn(cluster, A, 'guid-1');
  agent.close();
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { ids: 'guid-1', class: WORK, wait: 5 });
  t.match(await summary(cluster, jobid), { total: 1, refused: 1 });
  t.match(await results(cluster, jobid), [{ outcome: 'refused', reason: /not sent in time/ }]);
});

t.test('commands: another server goes on when the one that carries the job out is killed', async t => {
  const cluster = await startCluster(t, [A, B], { 'cluster.heartbeat.threshold': '4500' });
  const capable = await agentOn(cluster, B, 'guid-1', CAPABLE);
  const real = await agentOn(cluster, B, 'guid-2');
  const later = await agentOn(cluster, B, 'guid-3', CAPABLE);
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { ids: 'guid-1,guid-2,guid-3', class: WORK, maxconcurrency: 2, maxerrors: -1 });
  await cluster.comes(() => gotBy(capable).length === 1 && gotBy(real).length === 1);
  await cluster.node(A).kill();
  const workers = [works(capable), works(later)];
  t.match(await whileWorking(cluster, workers, summary(cluster, jobid, B)), { answered: 2, unknown: 1 });
  t.match(await results(cluster, jobid, B), [
    { hostname: 'guid-1', outcome: 'answered' },
    { hostname: 'guid-2', outcome: 'unknown' },
    { hostname: 'guid-3', outcome: 'answered' },
  ]);
  t.equal(gotBy(real).length, 1, 'to a CloudStack agent nothing is sent twice');
  t.equal(new Set(workers[0]?.runs).size, 1, 'it was asked again by the same id');
});

t.test('commands: what an agent has kept becomes the outcome that nobody knew', async t => {
  const cluster = await startCluster(t, [A]);
  const agent = await agentOn(cluster, A, 'guid-1', CAPABLE);
  const jobid = await send(cluster, { ids: 'guid-1', class: WORK, wait: 5 });
  t.match(await summary(cluster, jobid), { unknown: 1 });
  const kept = (commandId: string) =>
    keptBy(cluster, agent, [{ commandId, answers: [{ [Answer.type]: { result: true, details: 'late' } }] }]);
  t.strictSame(await kept(`${jobid}/999`), [`${jobid}/999`], 'another host’s: nobody is told');
  t.match(await results(cluster, jobid), [{ outcome: 'unknown' }]);
  t.strictSame(await kept(`${jobid}/${agent.id}`), [`${jobid}/${agent.id}`]);
  t.match(await results(cluster, jobid), [{ outcome: 'answered', result: true }]);
});

async function keptBy(cluster: Cluster, agent: FakeAgent, kept: readonly Readonly<Record<string, unknown>>[]) {
  const { sequence } = agent.request([{ type: KeptAnswersCommand.type, fields: { kept } }]);
  const answers = (): readonly Message[] =>
    agent.received
      .filter(packet => packet.sequence === sequence && !isRequest(packet))
      .flatMap(({ messages }) => messages);
  await cluster.comes(() => answers().length > 0);
  const [answer] = answers();
  return answer && KeptAnswersAnswer.decode(answer).taken;
}
