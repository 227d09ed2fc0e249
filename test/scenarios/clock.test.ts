import t from 'tap';
import { startCluster } from '../helpers/cluster-bench.js';
import { memberBench } from '../helpers/member-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test("regression: clock: when the store's clock steps forward, nobody is taken for dead", async t => {
  const bench = await memberBench(t);
  await bench.members(1001, 1002, 1003);
  const job = await bench.jobOf(1002);
  await bench.store.startJob(job.uuid, 1002);
  await bench.clock.advance(6_000);
  bench.clock.setWallTime(600_000);
  await bench.clock.advance(10_000);
  t.same(bench.down, []);
  t.match(await bench.store.job(job.uuid), { status: 'running' });
});

t.test("regression: clock: when the store's clock is put back by 10 minutes, a drain still finds a target", async t => {
  const cluster = await startCluster(t, [A, B], { 'management.server.maintenance.timeout': '3' });
  await cluster.addAgents(3, `${A},${B}`);
  cluster.clock.setWallTime(-600_000);
  await cluster.goesOn(5_000);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid: (await cluster.row(A)).uuid });
  await cluster.goesOn(60_000);
  t.equal(cluster.counts()[B], 3);
});

t.test(
  'heartbeat: interval and threshold change while the servers run, and nobody is taken for silent by it',
  async t => {
    const cluster = await startCluster(t, [A, B], { 'cluster.heartbeat.threshold': '1000000' });
    const set = (name: string, value: number) => cluster.node(A).call('updateConfiguration', { name, value });
    const wrong: string[] = [];
    const watch = () => {
      for (const { membership } of cluster.nodes.values())
        for (const { serviceIp, isSilent } of membership.servers) if (isSilent) wrong.push(serviceIp);
    };
    await set('cluster.heartbeat.interval', 60_000);
    await cluster.goesOn(10_000, watch);
    const { beat } = await cluster.row(B);
    await cluster.goesOn(30_000, watch);
    t.ok((await cluster.row(B)).beat - beat <= 1, 'it beats once a minute');
    await set('cluster.heartbeat.interval', 1_500);
    await cluster.goesOn(20_000, watch);
    t.ok((await cluster.row(B)).beat - beat >= 10, 'it does not sleep the long interval to its end');
    t.same(wrong, []);
    await set('cluster.heartbeat.threshold', 12_000);
    await cluster.goesOn(3_000);
    await cluster.passes(cluster.node(B).kill());
    await cluster.goesOn(18_000);
    t.match(await cluster.row(B), { state: 'Down' });
  },
);
