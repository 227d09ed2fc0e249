import t, { type Test } from 'tap';
import { Answer, SetupMSListCommand } from '../../../src/protocol/index.js';
import { apiBench, MSID_1 } from '../../helpers/api-bench.js';
import { assignments, leads } from '../../helpers/assign.js';
import { type Cluster, startCluster } from '../../helpers/cluster-bench.js';
import { agentOn } from '../../helpers/commanded-agent.js';
import { setConfiguration } from '../../helpers/set-configuration.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
const ALGORITHM = 'indirect.agent.lb.algorithm';
type Bench = Awaited<ReturnType<typeof apiBench>>;

const started = async (bench: Bench, params: Readonly<Record<string, string | number>>) => {
  const { status, body } = await bench.call('startCanary', params);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.canary;
};

/** Its hosts say what they have reached. */
async function dialled(bench: Bench, isGood: (index: number) => boolean = () => true): Promise<void> {
  const { canary } = await bench.store.configuration();
  const job = canary?.job ?? '';
  await bench.store.startJob(job, MSID_1);
  await bench.store.takeCommands(job, MSID_1, 500);
  const outcomes = [...(canary?.hosts.keys() ?? [])].map((hostId, index) => ({
    ...{ hostId, kind: 'answered' as const, isGood: isGood(index), answers: null, isTruncated: false },
    ...{ durationMs: 5, msid: MSID_1, reason: isGood(index) ? null : `${C}: refused` },
  }));
  await bench.store.commandOutcomes(job, outcomes, MSID_1);
}

async function withHosts(t: Test, count: number): Promise<Bench> {
  const bench = await apiBench(t);
  await bench.addHosts(count);
  return bench;
}

t.test('canary: a few hosts have the change, all others have what holds, until it holds for all', async t => {
  const bench = await withHosts(t, 100);
  const canary = await started(bench, { host: `${B},${A}`, percent: 10 });
  const { version, values, canary: stored } = await bench.store.configuration();
  t.equal(values.get('host'), `${A},${B}`);
  t.match(canary, { id: version, host: `${B},${A}`, hosts: stored?.hosts.size, connected: stored?.hosts.size });
  t.match(canary, { listed: 0, arrived: 0, dialling: stored?.hosts.size, createdby: 'operator' });
  t.ok(canary.hosts >= 1 && canary.hosts < 30, canary.hosts);
  t.match((await bench.call('listCanaries')).body, { count: 1, canary: [{ id: canary.id }] });
  const refused = await bench.call('commitCanary', { id: canary.id });
  t.match(refused.body.errortext, /have not ended dialling; forced=true does it all the same/);
  await dialled(bench);
  const { body } = await bench.call('commitCanary', { id: canary.id });
  t.match(body, { success: true });
  const after = await bench.store.configuration();
  t.same([after.canary, after.values.get('host'), after.version], [undefined, `${B},${A}`, version + 1]);
  t.equal((await bench.call('listCanaries')).body.canary, undefined);
  t.match(
    bench.events.map(({ type, username }) => [type, username]).filter(([type]) => type?.startsWith('CANARY')),
    [
      ['CANARY.START', 'operator'],
      ['CANARY.COMMIT', 'operator'],
    ],
  );
});

t.test('canary: it is taken back, and what holds has not changed', async t => {
  const bench = await withHosts(t, 20);
  const { id, jobid } = await started(bench, { host: `${B},${A}` });
  t.match((await bench.call('deleteCanary', { id })).body, { success: true });
  const { canary, values } = await bench.store.configuration();
  t.same([canary, values.get('host')], [undefined, `${A},${B}`]);
  t.match(await bench.store.commandSummary(jobid), { waiting: 0, cancelled: 1 }, 'nobody dials any more');
  for (const command of ['commitCanary', 'deleteCanary', 'verifyCanary']) {
    const { status, body } = await bench.call(command, { id });
    t.match([status, body.errortext], [431, /no canary stands/], command);
  }
  const next = await started(bench, { host: `${B},${A}` });
  t.ok(next.id > id, 'each has another id');
  t.match((await bench.call('deleteCanary', { id })).body.errortext, new RegExp(`canary ${next.id} stands`));
});

t.test('canary: hosts that have failed to reach a server keep it from holding for all, but for force', async t => {
  const bench = await withHosts(t, 60);
  const { id, hosts } = await started(bench, { host: `${A},${C}`, percent: 20, forced: 'true' });
  await dialled(bench, index => index > 0);
  const { body } = await bench.call('listCanaries');
  t.match(body.canary[0], {
    ...{ hosts, failed: 1, reached: hosts - 1, dialling: 0 },
    causes: [{ outcome: 'answered', reason: `${C}: refused`, hosts: 1, hostname: /^host-/ }],
    objection: '1 host has failed to reach the servers that they would be told',
  });
  t.match((await bench.call('commitCanary', { id })).body.errortext, /1 host has failed/);
  const { jobid } = (await bench.call('verifyCanary', { id })).body.canary;
  t.not(jobid, body.canary[0].jobid, 'asked once more');
  await dialled(bench);
  t.equal((await bench.call('listCanaries')).body.canary[0].objection, undefined);
  await bench.call('verifyCanary', { id });
  t.equal((await bench.call('commitCanary', { id, forced: 'true' })).status, 200);
});

t.test('canary: it is checked as updateConfiguration checks', async t => {
  const bench = await withHosts(t, 5);
  for (const [params, text] of [
    [{}, /one of host, algorithm and weights is needed/],
    [{ host: '-' }, /parameter host value=-/],
    [{ host: '198.51.100.9' }, /none of these servers can take agents/],
    [{ algorithm: 'best' }, /parameter algorithm value=best/],
    [{ host: `${B},${A}`, percent: 51 }, /1 to 50 are allowed/],
    [{ host: `${A},${B}` }, /no agent would get another list/],
    [{ weights: `${A}=3` }, /no agent would get another list/],
  ] as const) {
    const { status, body } = await bench.call('startCanary', params);
    t.match([status === 200, body.errortext], [false, text], JSON.stringify(params));
  }
  t.equal((await bench.store.configuration()).canary, undefined);
});

t.test('canary: without hosts there is nothing to try', async t => {
  const bench = await apiBench(t);
  t.match((await bench.call('startCanary', { host: `${B},${A}` })).body.errortext, /there are no hosts/);
});

t.test('canary: while one stands, what lists follow from is not changed, and other values are', async t => {
  const bench = await withHosts(t, 20);
  await bench.call('updateConfiguration', { name: ALGORITHM, value: 'rendezvous' });
  const { id } = await started(bench, { host: A });
  for (const [command, params] of [
    ['updateConfiguration', { name: 'host', value: B }],
    ['updateConfiguration', { name: ALGORITHM, value: 'static' }],
    ['resetConfiguration', { name: 'indirect.agent.lb.weights' }],
    ['startCanary', { host: B }],
    ['rebalanceAgents', {}],
  ] as const) {
    const { status, body } = await bench.call(command, params);
    t.match([status === 200, body.errortext], [false, new RegExp(`canary ${id} stands: commitCanary`)], command);
  }
  t.equal((await bench.call('updateConfiguration', { name: 'ping.interval', value: '30' })).status, 200);
  await dialled(bench);
  t.equal((await bench.call('commitCanary', { id })).status, 200);
  const { values } = await bench.store.configuration();
  t.same([values.get('host'), values.get('ping.interval')], [A, '30']);
});

t.test('canary: a change that another server makes in between is judged by that one', async t => {
  const bench = await withHosts(t, 20);
  const { updateConfiguration } = bench.store;
  bench.store.updateConfiguration = async (...args) => {
    bench.store.updateConfiguration = updateConfiguration;
    await setConfiguration(bench.store, 'ping.interval', '30');
    return updateConfiguration(...args);
  };
  const { id } = await started(bench, { host: `${B},${A}` });
  const { version, canary } = await bench.store.configuration();
  t.same([version, canary?.id], [id, id]);
});

t.test('canary: with rendezvous its hosts prefer what they would if all did, and keep it when all do', async t => {
  const bench = await withHosts(t, 400);
  await bench.call('updateConfiguration', { name: ALGORITHM, value: 'rendezvous' });
  const proposed = { host: `${A},${B},${C}` };
  const { body: told } = await bench.call('previewHostList', { ...proposed, pagesize: -1 });
  const previewed = new Map<string, string>(
    told.preview.agents.map((one: { hostid: string; preferredhost: string }) => [one.hostid, one.preferredhost]),
  );
  const uuids = new Map((await bench.store.hosts()).map(({ id, uuid }) => [id, uuid]));
  const before = await assignments(bench.store);
  const { id } = await started(bench, { ...proposed, percent: 20 });
  const chosen = (await bench.store.configuration()).canary?.hosts ?? new Map();
  t.same(
    [...chosen].filter(([host, preferred]) => previewed.get(uuids.get(host) ?? '') !== preferred),
    [],
    'as previewed',
  );
  t.same(await assignments(bench.store), before, 'the others’ assignments stay');
  await dialled(bench);
  await bench.call('commitCanary', { id });
  const after = await assignments(bench.store);
  t.same(
    [...chosen].filter(([host, preferred]) => after.get(host) !== preferred),
    [],
    'none of them moves again',
  );
  const counts = Object.values(await leads(bench.store));
  t.ok(Math.max(...counts) - Math.min(...counts) <= 0.1 * 400, `${counts}`);
});

const listsOf = (cluster: Cluster) => cluster.agents.map(({ agent }) => agent.state.list.hosts.join());

t.test('canary: agents are told it at once, and taken back when it is, whichever server is asked', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(4, `${A},${B}`);
  const [old, tried] = [`${A},${B}`, `${B},${A}`];
  const { body } = await cluster.node(A).call('startCanary', { host: tried });
  const { id, hosts } = body.canary;
  await cluster.goesOn(10_000);
  const counted = (list: string) => listsOf(cluster).filter(one => one === list).length;
  t.same([counted(tried), counted(old)], [hosts, 4 - hosts]);
  t.match((await cluster.node(B).call('listCanaries')).body.canary, [{ id, listed: hosts }]);
  const shown = await cluster.node(A).shown();
  const behind = [...shown].filter(([name]) => name.startsWith('muster_agents_behind'));
  t.ok(behind.length > 0 && behind.every(([, value]) => value === 0), 'nobody is behind anybody');
  await cluster.node(B).call('deleteCanary', { id });
  await cluster.goesOn(10_000);
  t.equal(counted(old), 4);
});

/** Until its hosts have ended dialling. */
async function verified(cluster: Cluster, at: string) {
  for (let i = 0; i < 60; i++) {
    const [canary] = (await cluster.node(at).call('listCanaries')).body.canary;
    if (canary.dialling === 0) return canary;
    await cluster.goesOn(1_000);
  }
  throw new Error('the dials do not end');
}

t.test('canary: with roundrobin its hosts get the former lists back, and nobody else is told anything', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(4, A);
  await cluster.node(A).call('updateConfiguration', { name: ALGORITHM, value: 'roundrobin' });
  await cluster.goesOn(10_000);
  const former = listsOf(cluster);
  const { id, hosts } = (await cluster.node(A).call('startCanary', { host: `${C},${A},${B}`, percent: 50 })).body
    .canary;
  await cluster.goesOn(10_000);
  t.equal(listsOf(cluster).filter((list, index) => list !== former[index]).length, hosts);
  await cluster.node(B).call('deleteCanary', { id });
  await cluster.goesOn(10_000);
  t.same(listsOf(cluster), former);
});

t.test(
  'regression: canary: whose list stays when it holds for all keeps it when hosts are removed, as the others do',
  async t => {
    const cluster = await startCluster(t, [A, B]);
    await cluster.addAgents(6, `${A},${B}`);
    const { id } = (await cluster.node(A).call('startCanary', { algorithm: 'roundrobin', percent: 50 })).body.canary;
    await cluster.goesOn(10_000);
    await cluster.node(A).call('commitCanary', { id, forced: 'true' });
    await cluster.goesOn(10_000);
    const former = listsOf(cluster);
    t.equal(new Set(former).size, 2);
    await cluster.store.removeHost(1, 1);
    await cluster.goesOn(10_000);
    for (const { node } of cluster.nodes.values()) node.agents.lists.avoid([C]);
    await cluster.goesOn(10_000);
    t.same(listsOf(cluster).slice(1), former.slice(1));
  },
);

t.test('canary: its agents dial the servers that they are told, and it holds for all by any server', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(4, A);
  const { id, hosts } = (await cluster.node(A).call('startCanary', { host: `${B},${A}`, percent: 50 })).body.canary;
  t.match(await verified(cluster, B), { id, hosts, listed: hosts, reached: hosts, failed: 0, causes: [] });
  t.same(cluster.counts(), { [A]: 4, [B]: 0 }, 'nobody has moved for it');
  t.equal((await cluster.node(B).call('commitCanary', { id })).status, 200);
  await cluster.goesOn(10_000);
  t.same(new Set(listsOf(cluster)), new Set([`${B},${A}`]));
});

t.test('canary: a server that its agents cannot reach is found before all are told of it', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(4, A);
  const { id, hosts } = (await cluster.node(A).call('startCanary', { host: `${C},${A}` })).body.canary;
  t.match(await verified(cluster, A), {
    ...{ hosts, reached: 0, failed: hosts },
    causes: [{ outcome: 'answered', hosts, reason: new RegExp(`^${C} port 8250: .*ECONNREFUSED`) }],
  });
  t.match((await cluster.node(B).call('commitCanary', { id })).body.errortext, /failed to reach the servers/);
  await cluster.node(B).call('deleteCanary', { id });
  await cluster.goesOn(10_000);
  t.same(new Set(listsOf(cluster)), new Set([`${A},${B}`]));
});

t.test('canary: agents that cannot be asked have proved it when they have come', async t => {
  const cluster = await startCluster(t, [A, B]);
  const agent = await agentOn(cluster, A, 'guid-1');
  const { id } = (await cluster.node(A).call('startCanary', { host: `${B},${A}` })).body.canary;
  t.match(await verified(cluster, A), { unable: 1, failed: 0, objection: /none of its hosts has dialled or come/ });
  t.match(
    agent.waiting.map(({ messages }) => messages[0]?.type),
    [SetupMSListCommand.type],
    'it is told, and not asked',
  );
  const [told] = agent.waiting;
  if (told !== undefined) agent.answer(told, [Answer.encode({ result: true })]);
  await cluster.goesOn(3_000);
  agent.close();
  await agentOn(cluster, B, 'guid-1');
  await cluster.goesOn(3_000);
  t.match(await verified(cluster, A), { arrived: 1, objection: undefined });
  t.equal((await cluster.node(A).call('commitCanary', { id })).status, 200);
});

t.test('canary: a server that starts while one stands tells its hosts the same', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(3, `${A},${B}`);
  await cluster.node(A).call('startCanary', { host: `${B},${A}` });
  await cluster.goesOn(10_000);
  const before = listsOf(cluster);
  t.equal(new Set(before).size, 2);
  for (const address of [A, B]) {
    await cluster.node(address).stop('SIGINT');
    await cluster.start(address);
  }
  await cluster.goesOn(60_000);
  t.same(listsOf(cluster), before);
});
