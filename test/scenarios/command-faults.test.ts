import t from 'tap';
import {
  Answer,
  CancelCommand,
  ConfirmAnswersCommand,
  FLAG,
  IN_PLACE_OF_RESOURCE,
  type Message,
  type Packet,
} from '../../src/protocol/index.js';
import type { FakeAgent } from '../../src/testing/fake-agent.js';
import { startCluster } from '../helpers/cluster-bench.js';
import { results, send, summary, whileWorking, works } from '../helpers/command-jobs.js';
import { agentOn, gotBy, WORK } from '../helpers/commanded-agent.js';
import { fails } from '../helpers/store-faults.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;
const CAPABLE = ['commandIds', 'cancel'];
const DOWN_SOON = { 'cluster.heartbeat.threshold': '9000' };
const done = (details = 'done') => Answer.encode({ result: true, details });

function firstOf(agent: FakeAgent): Packet {
  const [packet] = gotBy(agent);
  if (packet === undefined) throw new Error('nothing has come');
  return packet;
}

function cameTo(agent: FakeAgent, type: { is(message: Message): boolean }): readonly Message[] {
  return agent.received.flatMap(({ messages }) => messages.filter(message => type.is(message)));
}

t.test('regression: commands: an agent keeps its answer when the server has only given up waiting for it', async t => {
  const cluster = await startCluster(t, [A]);
  const agent = await agentOn(cluster, A, 'guid-1', CAPABLE);
  const late = await send(cluster, { ids: 'guid-1', class: WORK, wait: 5 });
  t.match(await summary(cluster, late), { unknown: 1 });
  await cluster.goesOn(5_000);
  t.same(cameTo(agent, ConfirmAnswersCommand), []);
  const worker = works(agent);
  await whileWorking(cluster, [worker], summary(cluster, await send(cluster, { ids: 'guid-1', class: WORK })));
  await cluster.goesOn(1_000);
  t.equal(cameTo(agent, ConfirmAnswersCommand).length, 1);
});

t.test('regression: commands: a server that has lost its job does not say what was not sent', async t => {
  const cluster = await startCluster(t, [A, B], DOWN_SOON);
  const gone = await agentOn(cluster, B, 'guid-1', CAPABLE);
  gone.close();
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { ids: 'guid-1', class: WORK, wait: 20, maxerrors: -1 });
  await cluster.goesOn(2_000);
  cluster.node(A).outage = true;
  await cluster.comes(() => cluster.node(B).membership.lifeOf(cluster.node(A).msid) === 'dead');
  const back = await agentOn(cluster, B, 'guid-1', CAPABLE);
  await cluster.comes(() => gotBy(back).length === 1);
  // The first server gives up meanwhile, and can write it.
  await cluster.goesOn(12_000);
  cluster.node(A).outage = false;
  await cluster.goesOn(3_000);
  back.answer(firstOf(back), [done()]);
  t.match(await summary(cluster, jobid, B), { answered: 1, refused: 0 });
});

t.test('regression: commands: a job that comes back to its server goes on as it was', async t => {
  const cluster = await startCluster(t, [A, B], DOWN_SOON);
  const real = await agentOn(cluster, A, 'guid-1');
  const later = await agentOn(cluster, A, 'guid-2');
  const jobid = await send(cluster, { ids: 'guid-1,guid-2', class: WORK, maxconcurrency: 1, maxerrors: -1, wait: 90 });
  await cluster.comes(() => gotBy(real).length === 1);
  const two = cluster.node(B);
  two.faults.before = fails('startJob', 1_000);
  cluster.node(A).outage = true;
  await cluster.comes(() => two.membership.lifeOf(cluster.node(A).msid) === 'dead');
  await cluster.goesOn(5_000);
  t.match(await cluster.job(jobid), { status: 'pending' });
  cluster.node(A).outage = false;
  await cluster.goesOn(10_000);
  t.match(await cluster.job(jobid), { status: 'running', runnerMsid: cluster.node(A).msid });
  const workers = [works(real), works(later)];
  t.match(await whileWorking(cluster, workers, summary(cluster, jobid)), { answered: 2, unknown: 0, sent: 0 });
  t.same(
    workers.map(({ runs }) => runs.length),
    [1, 1],
  );
});

t.test(
  'regression: commands: hosts that the store has taken in a call that seemed to fail are not forgotten',
  async t => {
    const cluster = await startCluster(t, [A]);
    const agents = [await agentOn(cluster, A, 'guid-1'), await agentOn(cluster, A, 'guid-2')];
    cluster.node(A).faults.after = fails('takeCommands');
    const jobid = await send(cluster, { ids: 'guid-1,guid-2', class: WORK, maxconcurrency: 1 });
    const workers = agents.map(agent => works(agent));
    t.match(await whileWorking(cluster, workers, summary(cluster, jobid)), { answered: 2, sent: 0, unknown: 0 });
    t.same(
      workers.map(({ runs }) => runs.length),
      [1, 1],
    );
  },
);

t.test('regression: commands: what another server has sent for a job meanwhile is not sent again', async t => {
  const cluster = await startCluster(t, [A, B], DOWN_SOON);
  const [one, two] = [cluster.node(A), cluster.node(B)];
  const first = await agentOn(cluster, A, 'guid-1');
  const second = await agentOn(cluster, B, 'guid-2');
  await cluster.goesOn(3_000);
  const ids = 'guid-1,guid-2';
  const jobid = await send(cluster, { ids, class: WORK, maxconcurrency: 1, maxerrors: -1, wait: 300 });
  await cluster.comes(() => gotBy(first).length === 1);
  one.outage = true;
  await cluster.comes(() => gotBy(second).length === 1);
  // The job comes back to the first one, which still waits for its agent.
  two.outage = true;
  one.outage = false;
  await cluster.comes(() => one.membership.lifeOf(two.msid) === 'dead');
  await cluster.goesOn(5_000);
  t.match(await cluster.job(jobid), { status: 'running', runnerMsid: one.msid });
  first.answer(firstOf(first), [done()]);
  two.outage = false;
  t.match(await summary(cluster, jobid), { answered: 1, unknown: 1 });
  t.equal(gotBy(second).length, 1);
  second.answer(firstOf(second), [done()]);
  await cluster.goesOn(10_000);
  t.match(await results(cluster, jobid), [{ outcome: 'answered' }, { outcome: 'answered' }]);
});

t.test('commands: the store is away in the middle of a job, and no outcome is lost', async t => {
  const cluster = await startCluster(t, [A, B]);
  const agents: FakeAgent[] = [];
  for (let number = 1; number <= 6; number++) {
    agents.push(await agentOn(cluster, number % 2 === 0 ? A : B, `guid-${number}`, number > 3 ? CAPABLE : undefined));
  }
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { all: 'true', class: WORK, maxconcurrency: 2, wait: 120 });
  const workers = agents.map(agent => works(agent as Parameters<typeof works>[0]));
  await cluster.comes(() => agents.filter(agent => gotBy(agent).length > 0).length === 2);
  for (const node of cluster.nodes.values()) node.outage = true;
  await whileWorking(cluster, workers, cluster.goesOn(30_000));
  const ran = () => workers.map(({ runs }) => runs.length);
  t.equal(ran().filter(count => count > 0).length, 2, 'none is sent that is not marked');
  for (const node of cluster.nodes.values()) node.outage = false;
  t.match(await whileWorking(cluster, workers, summary(cluster, jobid)), { total: 6, answered: 6, sent: 0 });
  t.same(ran(), [1, 1, 1, 1, 1, 1]);
});

t.test('commands: a server that stops in order leaves what it has not sent to another one', async t => {
  const cluster = await startCluster(t, [A, B]);
  const sent = await agentOn(cluster, B, 'guid-1');
  const gone = await agentOn(cluster, B, 'guid-2');
  gone.close();
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { ids: 'guid-1,guid-2', class: WORK, wait: 60, maxerrors: -1 });
  await cluster.comes(() => gotBy(sent).length === 1);
  const one = cluster.node(A);
  await cluster.passes(one.stop('SIGTERM'));
  t.match(await results(cluster, jobid, B), [{ outcome: 'sent' }, { outcome: 'waiting' }]);
  const back = await agentOn(cluster, B, 'guid-2');
  const worker = works(back);
  t.match(await whileWorking(cluster, [worker], summary(cluster, jobid, B)), { answered: 1, unknown: 1 });
  t.equal(worker.runs.length, 1);
  t.match(await results(cluster, jobid, B), [{ outcome: 'unknown' }, { outcome: 'answered' }]);
});

t.test('commands: a server that stops does not end a job whose last host has no outcome', async t => {
  const cluster = await startCluster(t, [A, B]);
  const gone = await agentOn(cluster, B, 'guid-1');
  gone.close();
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { ids: 'guid-1', class: WORK, wait: 60 });
  await cluster.goesOn(2_000);
  await cluster.passes(cluster.node(A).stop('SIGTERM'));
  const worker = works(await agentOn(cluster, B, 'guid-1'));
  t.match(await whileWorking(cluster, [worker], summary(cluster, jobid, B)), { answered: 1, waiting: 0, sent: 0 });
});

t.test('commands: a job does not wait until its silent server counts as down', async t => {
  const cluster = await startCluster(t, [A, B]);
  const agent = await agentOn(cluster, B, 'guid-1', CAPABLE);
  const jobid = await send(cluster, { ids: 'guid-1', class: WORK });
  await cluster.comes(() => gotBy(agent).length === 1);
  await cluster.node(A).kill();
  const worker = works(agent);
  await whileWorking(cluster, [worker], cluster.goesOn(15_000));
  t.match(await summary(cluster, jobid, B), { answered: 1 });
});

t.test(
  'commands: cancelled when they were sent, an agent is asked to end them, also by way of another server',
  async t => {
    const cluster = await startCluster(t, [A, B]);
    const here = await agentOn(cluster, A, 'guid-1', CAPABLE);
    const there = await agentOn(cluster, B, 'guid-2', CAPABLE);
    const real = await agentOn(cluster, B, 'guid-3');
    const gone = await agentOn(cluster, B, 'guid-4', CAPABLE);
    gone.close();
    await cluster.goesOn(3_000);
    const agents = [here, there, real];
    const jobid = await send(cluster, { all: 'true', class: WORK, maxerrors: -1, wait: 60 });
    await cluster.comes(() => agents.every(agent => gotBy(agent).length === 1));
    const { body } = await cluster.node(B).call('cancelCommand', { jobid });
    t.match(body, { success: true, displaytext: /^0 hosts get no command any more; of 4 that may have it/ });
    await cluster.goesOn(3_000);
    for (const agent of [here, there]) {
      const [cancel] = cameTo(agent, CancelCommand);
      t.equal(BigInt(String(cancel?.fields.sequence)), firstOf(agent).sequence, 'it names the packet');
      agent.answer(firstOf(agent), [Answer.encode({ result: false, details: 'ended early' })]);
    }
    t.same(cameTo(real, CancelCommand), [], 'a CloudStack agent does not know it');
    real.answer(firstOf(real), [done()]);
    t.match(await summary(cluster, jobid), { answered: 3, failed: 2, cancelled: 1 });
    t.match(await results(cluster, jobid), [
      { outcome: 'answered', reason: 'ended early' },
      { outcome: 'answered', reason: 'ended early' },
      { outcome: 'answered', result: true },
      { outcome: 'cancelled' },
    ]);
  },
);

t.test('commands: two operators at once', async t => {
  const cluster = await startCluster(t, [A, B]);
  const agents = [await agentOn(cluster, A, 'guid-1'), await agentOn(cluster, B, 'guid-2', CAPABLE)];
  const workers = agents.map(agent => works(agent));
  await cluster.goesOn(3_000);
  const ask = (at: string, params: Readonly<Record<string, string | number>> = {}) =>
    cluster.node(at).call('sendCommand', { all: 'true', class: WORK, key: 'nightly', ...params });
  const [one, two] = await Promise.all([ask(A), ask(B)]);
  const jobid = String(one.body.jobid);
  t.equal(two.body.jobid, jobid, 'one job');
  const [first, second] = await Promise.all([ask(A, { key: 'x' }), ask(B, { key: 'x', fields: '{"other":1}' })]);
  t.equal([first, second].filter(({ status }) => status === 200).length, 1, 'of two texts one is refused');
  const jobs = [
    jobid,
    String((first.body.jobid ?? second.body.jobid) as string),
    await send(cluster, { all: 'true', class: WORK }, B),
  ];
  for (const job of jobs) {
    t.match(await whileWorking(cluster, workers, summary(cluster, job)), { total: 2, answered: 2 });
  }
  t.same(
    workers.map(({ runs }) => runs.length),
    [3, 3],
  );
});

t.test('commands: in sequence, in their order, also when the agent fails over between them', async t => {
  const cluster = await startCluster(t, [A, B]);
  const before = await agentOn(cluster, B, 'guid-1', CAPABLE);
  await cluster.goesOn(3_000);
  const ask = (name: string) =>
    send(cluster, { ids: 'guid-1', class: WORK, fields: JSON.stringify({ name }), insequence: 'true', wait: 90 });
  const jobs = [await ask('one')];
  await cluster.comes(() => gotBy(before).length === 1);
  jobs.push(await ask('two'));
  jobs.push(await ask('three'));
  await cluster.goesOn(2_000);
  t.equal(gotBy(before).length, 1, 'one at a time');
  t.equal(firstOf(before).flags & FLAG.inSequence, FLAG.inSequence);
  // The first one is still under way when its link ends, and goes on at the agent.
  before.ends.agent.cut(new Error('the network fails'));
  const after = await agentOn(cluster, A, 'guid-1', CAPABLE);
  await cluster.comes(() => gotBy(after).length === 1);
  await cluster.goesOn(5_000);
  t.equal(gotBy(after).length, 1, 'the others wait for it');
  const names: unknown[] = [];
  const worker = works(after, ({ fields }) => {
    names.push(fields.name);
    return done();
  });
  for (const job of jobs) t.match(await whileWorking(cluster, [worker], summary(cluster, job)), { answered: 1 });
  t.same(names, ['one', 'two', 'three']);
});

t.test('regression: commands: that a resource has failed is an event, once for each way', async t => {
  const cluster = await startCluster(t, [A, B]);
  const agent = await agentOn(cluster, B, 'guid-1', CAPABLE);
  const failed = Answer.encode({ result: false, details: 'the resource has thrown' });
  for (let count = 1; count <= 2; count++) {
    const jobid = await send(cluster, { ids: 'guid-1', class: WORK, maxerrors: -1 });
    await cluster.comes(() => gotBy(agent).length === count);
    const packet = gotBy(agent)[count - 1] ?? firstOf(agent);
    agent.answer(packet, [{ type: failed.type, fields: { ...failed.fields, ...IN_PLACE_OF_RESOURCE } }]);
    t.match(await summary(cluster, jobid), { failed: 1 });
  }
  await cluster.goesOn(3_000);
  const { body } = await cluster.node(A).call('listEvents', { type: 'AGENT.RESOURCE.FAILED' });
  t.match(body.event, [{ description: /^The resource of host .* has failed: the resource has thrown$/ }]);
  t.equal(body.event.length, 1);
});

t.test('regression: commands: the agent is told how long it has, and its word at the last moment counts', async t => {
  const cluster = await startCluster(t, [A]);
  const agent = await agentOn(cluster, A, 'guid-1', CAPABLE);
  const jobid = await send(cluster, { ids: 'guid-1', class: WORK, wait: 5, maxerrors: -1 });
  await cluster.comes(() => gotBy(agent).length === 1);
  const packet = firstOf(agent);
  t.equal(packet.messages[0]?.fields.wait, 5);
  await cluster.goesOn(7_000);
  agent.answer(packet, [Answer.encode({ result: false, details: 'it was not done within 5 s' })]);
  t.match(await summary(cluster, jobid), { failed: 1, unknown: 0 });

  const own = await send(cluster, { ids: 'guid-1', class: WORK, fields: '{"wait":70}', wait: 5, maxerrors: -1 });
  await cluster.comes(() => gotBy(agent).length === 2);
  const [, second = packet] = gotBy(agent);
  t.equal(second.messages[0]?.fields.wait, 70, 'a command that says it itself');
  agent.answer(second, [done()]);
  t.match(await summary(cluster, own), { answered: 1 });
});
