import t, { type Test } from 'tap';
import { RemovalNotices } from '../../../src/mgmt/agents/removal-notices.js';
import type { ClusterEvent } from '../../../src/mgmt/cluster/events.js';
import { hostJobs } from '../../../src/mgmt/jobs/host-jobs.js';
import { JobRunner, type JobWork } from '../../../src/mgmt/jobs/job-runner.js';
import type { JobRow, NewJob, Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { MigrateAgentConnectionAnswer } from '../../../src/protocol/index.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { freshStore, MSID_1, MSID_2 } from '../../helpers/api-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostDisconnected, hostReady, registerHost } from '../../helpers/one-host.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const JOB: NewJob = { cmd: 'add', params: '{"a":1,"b":2}', targetMsid: null, hostId: 7, createdBy: null };
const add: JobWork = async ({ params, hostId }) => ({ sum: Number(params.a) + Number(params.b), hostId });

function runner(t: Test, store: Store, msid: number, work: Readonly<Record<string, JobWork>> = { add }) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const events: ClusterEvent[] = [];
  const sink = { add: (event: ClusterEvent) => void events.push(event) };
  const jobs = new JobRunner(store, { clock, log, health: new StoreHealth(log), events: sink, msid, work });
  t.teardown(() => jobs.stop());
  return { jobs, clock, log, events };
}

async function jobOf(store: Store, { uuid }: JobRow): Promise<JobRow> {
  const job = await store.job(uuid);
  if (job === undefined) throw new Error('the job is gone');
  return job;
}

/** What these jobs about hosts do not need. */
const NO_EVENTS = { add() {} };
const UNUSED = {
  stopping: new AbortController().signal,
  notices: new RemovalNotices(),
  lists: { listFor: () => unused() },
  propagation: { check: () => unused() },
  sender: { send: async () => unused() },
};

function unused(): never {
  throw new Error('nothing of it is needed');
}

t.test('jobs: of two servers that look at once, one carries a job out', async t => {
  const store = await freshStore(t);
  const done: number[] = [];
  const by = (msid: number) => runner(t, store, msid, { add: async () => ({ by: done.push(msid) }) });
  const [one, two] = [by(MSID_1), by(MSID_2)];
  const jobs = await Promise.all(Array.from({ length: 10 }, () => store.createJob(JOB)));
  await Promise.all([one.jobs.look(), two.jobs.look(), one.jobs.look()]);
  await settle();
  t.equal(done.length, 10);
  t.same([...new Set(await Promise.all(jobs.map(async job => (await jobOf(store, job)).status)))], ['succeeded']);
});

t.test('regression: jobs: an event of a job has the name of the key that asked for it', async t => {
  const store = await freshStore(t);
  const add: JobWork = async ({ events }) => {
    events.add({ type: 'CA.CERTIFICATE.ISSUE', level: 'INFO', description: 'done' });
    return {};
  };
  const { jobs, events } = runner(t, store, MSID_1, { add });
  for (const createdBy of ['ci', null]) await store.createJob({ ...JOB, createdBy });
  await jobs.look();
  await settle();
  t.same(
    events.map(({ username }) => username),
    ['ci', undefined],
  );
});

t.test('jobs: one for another server is left to it', async t => {
  const store = await freshStore(t);
  const { jobs } = runner(t, store, MSID_1);
  const job = await store.createJob({ ...JOB, targetMsid: MSID_2 });
  await jobs.look();
  await settle();
  t.match(await jobOf(store, job), { status: 'pending', runnerMsid: null });
});

t.test('jobs: parameters come in, the result is kept, and it is looked for every two seconds', async t => {
  const store = await freshStore(t);
  const { jobs, clock } = runner(t, store, MSID_1);
  jobs.start();
  const job = await store.createJob(JOB);
  await clock.advance(1_999);
  t.equal((await jobOf(store, job)).status, 'pending');
  await clock.advance(1);
  await settle();
  const finished = await jobOf(store, job);
  t.match(finished, { status: 'succeeded', resultCode: 0, result: '{"sum":3,"hostId":7}', runnerMsid: MSID_1 });
  t.ok(finished.completed);
});

t.test('jobs: a failure is the job’s outcome, in the words of what was thrown', async t => {
  const store = await freshStore(t);
  const { jobs, log } = runner(t, store, MSID_1, {
    add: async () => {
      throw new Error('it cannot be added');
    },
  });
  const job = await store.createJob(JOB);
  await jobs.look();
  await settle();
  t.match(await jobOf(store, job), { status: 'failed', resultCode: 530 });
  t.same(JSON.parse((await jobOf(store, job)).result ?? ''), { errorcode: 530, errortext: 'it cannot be added' });
  t.match(log.fieldsOf('warn Job failed'), { cmd: 'add', reason: 'it cannot be added' });
});

t.test('jobs: one that this version does not know fails, and says why', async t => {
  const store = await freshStore(t);
  const { jobs } = runner(t, store, MSID_1);
  const job = await store.createJob({ ...JOB, cmd: 'subtract' });
  await jobs.look();
  await settle();
  t.match((await jobOf(store, job)).result, /does not know the job subtract: is it of another version/);
});

t.test('jobs: parameters that are no JSON fail the job, and nothing else', async t => {
  const store = await freshStore(t);
  const { jobs } = runner(t, store, MSID_1);
  const [bad, good] = [await store.createJob({ ...JOB, params: '{' }), await store.createJob(JOB)];
  await jobs.look();
  await settle();
  t.equal((await jobOf(store, bad)).status, 'failed');
  t.equal((await jobOf(store, good)).status, 'succeeded');
});

t.test('jobs: progress is there to be read while the work goes on', async t => {
  const store = await freshStore(t);
  let release = () => {};
  const gate = new Promise<void>(resolve => {
    release = resolve;
  });
  const { jobs } = runner(t, store, MSID_1, {
    add: async (_job, progress) => {
      await progress('half way');
      await gate;
      return {};
    },
  });
  const job = await store.createJob(JOB);
  await jobs.look();
  await settle();
  t.match(await jobOf(store, job), { status: 'running', progress: 'half way' });
  release();
  await settle();
  t.match(await jobOf(store, job), { status: 'succeeded' });
});

/** The store, but for one method that fails while `away` is set. */
function faulty(store: Store, method: keyof Store) {
  const state = { away: false, calls: 0 };
  const proxy = new Proxy(store, {
    get(target, name, receiver) {
      const value = Reflect.get(target, name, receiver);
      if (name !== method) return typeof value === 'function' ? value.bind(target) : value;
      return async (...args: unknown[]) => {
        state.calls++;
        if (state.away) throw new StoreError('STORE_UNAVAILABLE', method);
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { state, proxy };
}

t.test('jobs: an outcome waits for a store that is away, and is complained about once', async t => {
  const store = await freshStore(t);
  const { state, proxy } = faulty(store, 'finishJob');
  const { jobs, clock, log } = runner(t, proxy, MSID_1);
  const job = await store.createJob(JOB);
  state.away = true;
  await jobs.look();
  await settle();
  for (let i = 0; i < 5; i++) {
    await clock.advance(2_000);
    await settle();
  }
  t.equal(state.calls, 6);
  t.equal((await jobOf(store, job)).status, 'running');
  t.equal(log.count('warn The outcome of a job could not be written'), 1);
  state.away = false;
  await clock.advance(2_000);
  await settle();
  t.match(await jobOf(store, job), { status: 'succeeded', result: '{"sum":3,"hostId":7}' });
});

t.test('regression: progress that cannot be written does not fail the job', async t => {
  const store = await freshStore(t);
  const { state, proxy } = faulty(store, 'jobProgress');
  const { jobs } = runner(t, proxy, MSID_1, {
    add: async (_job, progress) => {
      await progress('half way');
      return {};
    },
  });
  const job = await store.createJob(JOB);
  state.away = true;
  await jobs.look();
  await settle();
  t.equal((await jobOf(store, job)).status, 'succeeded');
});

t.test('jobs: a store that is away is looked at again; one that stops looks no more', async t => {
  const store = await freshStore(t);
  const { state, proxy } = faulty(store, 'openJobs');
  const { jobs, clock } = runner(t, proxy, MSID_1);
  const job = await store.createJob(JOB);
  state.away = true;
  jobs.start();
  await clock.advance(2_000);
  state.away = false;
  await clock.advance(2_000);
  await settle();
  t.equal((await jobOf(store, job)).status, 'succeeded');
  jobs.stop();
  t.equal(clock.pending, 0);
  const late = await store.createJob(JOB);
  await jobs.look();
  await settle();
  t.equal((await jobOf(store, late)).status, 'pending');
});

t.test('jobs: a look deletes the old ones, once an hour', async t => {
  const store = await freshStore(t);
  const { state, proxy } = faulty(store, 'deleteOldJobs');
  const { jobs, clock } = runner(t, proxy, MSID_1);
  const callsAfter = async (ms: number) => {
    await clock.advance(ms);
    await jobs.look();
    await settle();
    return state.calls;
  };
  t.equal(await callsAfter(3_599_000), 0);
  t.equal(await callsAfter(2_000), 1);
  t.equal(await callsAfter(2_000), 1);
});

t.test(
  "regression: a server whose clock is a year ahead deletes no job that is young by the store's clock",
  async t => {
    const store = await freshStore(t);
    const job = await store.createJob(JOB);
    await store.cancelJob(job.uuid, { resultCode: 530, result: '{}' });
    const { jobs, clock } = runner(t, store, MSID_1);
    clock.setWallTime(365 * 86_400_000);
    await clock.advance(3_604_000);
    await jobs.look();
    await settle();
    t.match(await jobOf(store, job), { status: 'failed' });
  },
);

t.test('regression: a job whose result or reason the store refuses ends all the same', async t => {
  const store = await freshStore(t);
  const { finishJob } = store;
  let attempts = 0;
  store.finishJob = async (uuid, msid, outcome) => {
    attempts++;
    if (outcome.result.length > 1_000) throw new StoreError('STORE_VALUE_REFUSED', 'finishJob');
    return finishJob(uuid, msid, outcome);
  };
  const { jobs, clock } = runner(t, store, MSID_1, {
    talk: async () => ({ text: 'y'.repeat(5_000) }),
    complain: async () => {
      throw new Error(`no\0${'\u202e'.repeat(300)}${'x'.repeat(70_000)}`);
    },
  });
  const [talk, complain] = [
    await store.createJob({ ...JOB, cmd: 'talk' }),
    await store.createJob({ ...JOB, cmd: 'complain' }),
  ];
  jobs.start();
  for (let i = 0; i < 100; i++) {
    await clock.advance(2_000);
    await settle();
  }
  await settle();
  t.equal(attempts, 3);
  t.match(await store.job(talk.uuid), { status: 'failed', result: /carried out, but its result could not be kept/ });
  const { result } = await jobOf(store, complain);
  t.same(JSON.parse(result ?? ''), { errorcode: 530, errortext: 'no' });
});

t.test('regression: a job whose start was committed though the call failed is carried out, and once', async t => {
  const store = await freshStore(t);
  const { startJob } = store;
  store.startJob = async (...args) => {
    store.startJob = startJob;
    await startJob(...args);
    throw new StoreError('STORE_UNAVAILABLE', 'startJob');
  };
  let done = 0;
  const { jobs } = runner(t, store, MSID_1, { add: async () => ({ done: ++done }) });
  const job = await store.createJob(JOB);
  await jobs.look();
  t.match(await jobOf(store, job), { status: 'running' });
  await Promise.all([jobs.look(), jobs.look(), jobs.look()]);
  await settle();
  await jobs.look();
  await settle();
  t.equal(done, 1);
  t.match(await jobOf(store, job), { status: 'succeeded', result: '{"done":1}' });
});

t.test('jobs: one that cannot be started does not hold up the others', async t => {
  const store = await freshStore(t);
  const { startJob } = store;
  const [bad, good] = [await store.createJob(JOB), await store.createJob(JOB)];
  store.startJob = async (uuid, msid) => {
    if (uuid === bad.uuid) throw new StoreError('STORE_FAILED', 'startJob');
    return startJob(uuid, msid);
  };
  const { jobs } = runner(t, store, MSID_1);
  await jobs.look();
  await settle();
  t.match(await jobOf(store, good), { status: 'succeeded' });
  t.match(await jobOf(store, bad), { status: 'pending' });
});

// ---- what is done about one host

t.test('reconnectHost: the link is closed, and the job ends when the host is Ready in a later epoch', async t => {
  const store = await freshStore(t);
  const clock = new FakeClock();
  const zoneId = await store.zoneId('default');
  const { host } = await registerHost(store, hostDescription('g', zoneId));
  const ready = { msid: MSID_1, msHostList: null, at: 0 };
  const epoch = await hostReady(store, host.id, ready);
  const closed: string[] = [];
  const attache = { host, end: (why: string) => void closed.push(why) };
  const work = hostJobs({ ...UNUSED, clock, registry: { get: () => attache as never }, store });
  const said: string[] = [];
  const job = { hostId: host.id, params: { id: host.uuid }, uuid: 'u', createdBy: null, events: NO_EVENTS };
  const running = work.reconnectHost?.(job, async text => void said.push(text));
  await settle();
  t.same([closed, said], [['an operator asked for a reconnect'], ['waiting for the agent to come back']]);
  await clock.advance(1_000);
  await settle();
  await hostDisconnected(store, host.id, { msid: MSID_1, epoch: epoch ?? 0, at: 1, reason: 'x' });
  await hostReady(store, host.id, { ...ready, msid: MSID_2 });
  await clock.advance(500);
  t.same(await running, { hostid: host.uuid }, 'wherever it is');
});

t.test('reconnectHost: an agent that does not come back fails the job after a minute', async t => {
  const store = await freshStore(t);
  const clock = new FakeClock();
  const { host } = await registerHost(store, hostDescription('g', await store.zoneId('default')));
  const attache = { host, end() {} };
  const work = hostJobs({ ...UNUSED, clock, registry: { get: () => attache as never }, store });
  const running = work.reconnectHost?.(
    { hostId: host.id, params: {}, uuid: 'u', createdBy: null, events: NO_EVENTS },
    async () => {},
  );
  const outcome = t.rejects(async () => void (await running), { message: /did not come back within 60 s/ });
  for (let passed = 0; passed <= 61_000; passed += 500) {
    await clock.advance(500);
    await settle();
  }
  await outcome;
});

t.test(
  'migrateHost: the agent avoids all others for this once, and is told again whom to avoid when it stays',
  async t => {
    const store = await freshStore(t);
    const clock = new FakeClock();
    const { host } = await registerHost(store, hostDescription('g', await store.zoneId('default')));
    const ready = { msid: MSID_1, msHostList: null, at: 0 };
    await hostReady(store, host.id, ready);
    const list = { hosts: ['a', 'b', 'c'], algorithm: 'static', avoid: ['c'], checkIntervalSeconds: 0 };
    const asked: unknown[] = [];
    const checked: unknown[] = [];
    const answer = { result: true, details: 'it has no other host' };
    const attache = {
      host,
      held: list,
      async ask([command]: { fields: unknown }[]) {
        asked.push(command?.fields);
        return { messages: [MigrateAgentConnectionAnswer.encode(answer)] };
      },
    };
    const work = hostJobs({
      ...UNUSED,
      clock,
      registry: { get: () => attache as never },
      lists: { listFor: () => list as never },
      propagation: { check: agent => void checked.push(agent) },
      store,
    });
    const params = { id: host.uuid, address: 'b', msid: MSID_2 };
    const job = { hostId: host.id, params, uuid: 'u', createdBy: null, events: NO_EVENTS };
    const stays = t.rejects(async () => work.migrateHost?.(job, async () => {}), {
      message: /not Ready at b within 60 s/,
    });
    for (let passed = 0; passed <= 61_000; passed += 500) {
      await clock.advance(500);
      await settle();
    }
    await stays;
    t.match(asked, [{ msList: ['a', 'b', 'c'], avoidMsList: ['a', 'c'] }]);
    t.same(checked, [attache]);
    answer.result = false;
    await t.rejects(async () => work.migrateHost?.(job, async () => {}), {
      message: /^the agent says: it has no other/,
    });
    const elsewhere = { ...job, params: { ...params, address: 'd' } };
    await t.rejects(async () => work.migrateHost?.(elsewhere, async () => {}), { message: /^d is not in the list/ });
    answer.result = true;
    const running = work.migrateHost?.(job, async () => {});
    await settle();
    await hostReady(store, host.id, { ...ready, msid: MSID_2 });
    await clock.advance(500);
    t.same(await running, { hostid: host.uuid });
  },
);

t.test('deleteHost: the host of an agent that answers is removed, then the agent is told', async t => {
  const store = await freshStore(t);
  const { host } = await registerHost(store, hostDescription('g', await store.zoneId('default')));
  const asked: unknown[] = [];
  const closed: string[] = [];
  const answers = { health: true, shutdown: true };
  const attacheOf = () => ({
    host,
    end: (why: string) => void closed.push(why),
    ask: async ([command]: { type: string }[]) => {
      const isHealth = command?.type.endsWith('CheckHealthCommand');
      if (!isHealth) asked.push({ command, row: await store.host(host.id) });
      if (isHealth && !answers.health) throw new Error('no answer');
      return { messages: [{ fields: { result: answers.shutdown } }] };
    },
  });
  const notices = new RemovalNotices();
  const work = (attache: unknown) =>
    hostJobs({ ...UNUSED, clock: new FakeClock(), registry: { get: () => attache as never }, notices, store });
  const job = { hostId: host.id, params: { id: host.uuid }, uuid: 'u', createdBy: null, events: NO_EVENTS };
  answers.health = false;
  await t.rejects(async () => work(attacheOf()).deleteHost?.(job, async () => {}), { message: /does not answer/ });
  t.match(await store.host(host.id), { guid: 'g' }, 'nothing has changed');
  answers.health = true;
  const attache = attacheOf();
  t.same(await work(attache).deleteHost?.(job, async () => {}), { hostid: host.uuid });
  t.match(asked, [{ command: { fields: { reason: 'deleteHost', removeHost: true } }, row: undefined }]);
  t.same(closed, ['the host was removed']);
  await notices.tell(attache as never);
  t.equal(asked.length, 1, 'told once');
  answers.shutdown = false;
  t.match(await work(attacheOf()).deleteHost?.(job, async () => {}), { nottold: 'the agent refused to shut down' });
  await t.rejects(async () => work(undefined).deleteHost?.(job, async () => {}), { message: /no link to this server/ });
});
