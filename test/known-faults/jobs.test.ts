import t from 'tap';
import { silentLog } from '../../src/lib/logger.js';
import { JobRunner } from '../../src/mgmt/jobs/job-runner.js';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../src/mgmt/store/store-health.js';
import { apiBench, freshStore, MSID_1, MSID_2 } from '../helpers/api-bench.js';
import { startCluster } from '../helpers/cluster-bench.js';
import { FakeClock, settle } from '../helpers/fake-clock.js';
import { knownFault } from '../helpers/known-fault.js';
import { setConfiguration } from '../helpers/set-configuration.js';
import { fails } from '../helpers/store-faults.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

knownFault(t, 'jobs: a triggerShutdown whose job cannot be written leaves the server Up', async t => {
  const bench = await apiBench(t);
  const { createJob } = bench.store;
  bench.store.createJob = async () => {
    throw new StoreError('STORE_BUSY', 'createJob');
  };
  const managementserverid = bench.two.uuid;
  t.equal((await bench.call('triggerShutdown', { managementserverid })).status, 530);
  bench.store.createJob = createJob;
  t.match(
    (await bench.store.servers()).find(({ msid }) => msid === MSID_2),
    { state: 'Up' },
  );
  const again = await bench.call('triggerShutdown', { managementserverid });
  t.equal(again.status, 200, JSON.stringify(again.body));
  const cancel = await bench.call('cancelShutdown', { managementserverid });
  t.equal(cancel.status, 200, JSON.stringify(cancel.body));
  t.same(await bench.store.countPendingJobs(), new Map([[MSID_2, 1]]));
});

knownFault(
  t,
  'jobs: a prepareForMaintenance during which the store goes away is carried out, or taken back',
  async t => {
    const bench = await apiBench(t);
    const { createJob, changeServerState } = bench.store;
    bench.store.createJob = async () => {
      bench.store.changeServerState = async () => {
        throw new StoreError('STORE_UNAVAILABLE', 'changeServerState');
      };
      throw new StoreError('STORE_UNAVAILABLE', 'createJob');
    };
    const managementserverid = bench.two.uuid;
    t.equal((await bench.call('prepareForMaintenance', { managementserverid })).status, 530);
    Object.assign(bench.store, { createJob, changeServerState });
    t.match(
      (await bench.store.servers()).find(({ msid }) => msid === MSID_2),
      { state: 'Up' },
    );
    const again = await bench.call('prepareForMaintenance', { managementserverid });
    t.equal(again.status, 200, JSON.stringify(again.body));
  },
);

knownFault(t, 'jobs: one whose start was committed though the call failed is carried out, or ends', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(2, `${A},${B}`);
  cluster.node(A).faults.after = fails('startJob', 1, 'STORE_UNAVAILABLE');
  const { body } = await cluster.node(B).call('prepareForMaintenance', {
    managementserverid: (await cluster.row(A)).uuid,
  });
  await cluster.goesOn(300_000);
  t.equal(cluster.node(A).state, 'Maintenance');
  t.match(await cluster.job(body.prepareformaintenance.jobid), { status: /succeeded|failed/ });
});

knownFault(t, 'jobs: a deleteHost that was refused is not carried out later', async t => {
  const cluster = await startCluster(t, [A, B]);
  await setConfiguration(cluster.store, 'host', A);
  await cluster.addAgents(3, A);
  await cluster.goesOn(4_000);
  const hosts = await cluster.store.hosts();
  // The power fails, for the server and for its agents.
  await cluster.node(A).kill();
  for (const { agent } of cluster.agents.splice(0)) await agent.stop();
  await cluster.goesOn(500);
  t.same(new Set(hosts.map(({ status }) => status)), new Set(['Up']));
  const replies = await Promise.all(hosts.map(({ uuid }) => cluster.node(B).call('deleteHost', { id: uuid })));
  t.same(new Set(replies.map(({ status }) => status)), new Set([530]), 'all are refused');
  await cluster.start(A);
  const agents = await cluster.addAgents(3, A);
  await cluster.goesOn(90_000);
  t.same(
    agents.map(({ agent }) => agent.state.phase.kind),
    ['up', 'up', 'up'],
  );
  t.equal(cluster.counts()[A], 3, 'the agents are back');
});

knownFault(t, 'jobs: one whose result the store refuses ends all the same', async t => {
  const store = await freshStore(t);
  const clock = new FakeClock();
  let attempts = 0;
  const refusing = new Proxy(store, {
    get(target, name, receiver) {
      if (name !== 'finishJob') return Reflect.get(target, name, receiver);
      const finishJob: typeof store.finishJob = async (uuid, msid, outcome) => {
        attempts++;
        if (outcome.result.length > 1_000) throw new StoreError('STORE_VALUE_REFUSED', 'finishJob');
        return target.finishJob(uuid, msid, outcome);
      };
      return finishJob;
    },
  });
  const runner = new JobRunner(refusing, {
    clock,
    log: silentLog,
    health: new StoreHealth(silentLog),
    msid: MSID_1,
    work: { talk: async () => ({ text: 'y'.repeat(5_000) }) },
  });
  t.teardown(() => runner.stop());
  const job = await store.createJob({ cmd: 'talk', params: '{}', targetMsid: MSID_1, hostId: null, createdBy: null });
  runner.start();
  for (let i = 0; i < 300; i++) {
    await clock.advance(2_000);
    await settle();
  }
  t.ok(attempts < 5, `${attempts} attempts in 10 minutes`);
  t.match(await store.job(job.uuid), { status: /succeeded|failed/ });
});
