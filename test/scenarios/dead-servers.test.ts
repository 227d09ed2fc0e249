import t from 'tap';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { startCluster } from '../helpers/cluster-bench.js';
import { type Member, memberBench } from '../helpers/member-bench.js';
import { fails } from '../helpers/store-faults.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test(
  'regression: membership: who takes a server down and is killed before it lets go of the hosts is replaced',
  async t => {
    const bench = await memberBench(t);
    const [one, killed, other] = (await bench.members(1001, 1002, 1003)) as [Member, Member, Member];
    const hostId = await bench.hostOn(1002);
    const job = await bench.jobOf(1002, hostId);
    await bench.clock.advance(3_000);
    killed.faults.isAway = true;
    // Whoever is first dies between the two writes.
    for (const member of [one, other]) {
      member.faults.before = call => {
        if (call !== 'releaseHosts') return;
        member.faults.isAway = true;
        for (const { faults } of [one, other]) faults.before = undefined;
        throw new StoreError('STORE_UNAVAILABLE', call);
      };
    }
    await bench.clock.advance(400_000);
    t.match(await bench.row(1002), { state: 'Down' });
    t.match(await bench.store.host(hostId), { status: 'Disconnected', msid: null });
    t.match(await bench.store.job(job.uuid), { status: 'failed' });
  },
);

t.test(
  'regression: membership: a server that joins right after an outage of the store takes nobody for dead',
  async t => {
    const bench = await memberBench(t);
    const living = await bench.members(1001, 1002);
    const hostId = await bench.hostOn(1001);
    const job = await bench.jobOf(1001, hostId);
    await bench.store.startJob(job.uuid, 1001);
    await bench.clock.advance(3_000);
    for (const { faults } of living) faults.isAway = true;
    // For longer than the threshold.
    await bench.clock.advance(160_000);
    // The store is back, and the others' next heartbeats come a little later.
    await bench.members(1003);
    await bench.clock.advance(1_600);
    for (const { faults } of living) faults.isAway = false;
    await bench.clock.advance(10_000);
    t.same(bench.down, []);
    t.match(await bench.store.host(hostId), { status: 'Up', msid: 1001 });
    t.match(await bench.store.job(job.uuid), { status: 'running' });
  },
);

t.test(
  'regression: membership: hosts of a server silent in PreparingForMaintenance are let go, if not at once',
  async t => {
    const bench = await memberBench(t);
    const [one, killed] = (await bench.members(1001, 1002)) as [Member, Member];
    await bench.store.changeServerState(1002, { from: ['Up'], to: 'PreparingForMaintenance' });
    const hostId = await bench.hostOn(1002);
    const job = await bench.jobOf(1002);
    await bench.clock.advance(3_000);
    killed.faults.isAway = true;
    one.faults.before = fails('releaseHosts');
    await bench.clock.advance(400_000);
    t.match(await bench.row(1002), { state: 'Maintenance' });
    t.match(await bench.store.host(hostId), { status: 'Disconnected', msid: null });
    t.match(await bench.store.job(job.uuid), { status: 'failed' });
  },
);

t.test(
  'regression: membership: hosts of a server that stopped while the store was busy do not stay Up on it',
  async t => {
    const cluster = await startCluster(t, [A, B]);
    await cluster.addAgents(2, A);
    await cluster.goesOn(3_000);
    cluster.node(A).faults.before = fails('releaseHosts');
    // The agents' machines go down with it.
    const stop = cluster.passes(cluster.node(A).stop('SIGINT'));
    for (const { agent } of cluster.agents) await agent.stop();
    await stop;
    await cluster.goesOn(400_000);
    t.same(
      (await cluster.store.hosts()).filter(({ status }) => status === 'Up').map(({ id, msid }) => `${id} on ${msid}`),
      [],
    );
  },
);
