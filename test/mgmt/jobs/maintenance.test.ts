import t from 'tap';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { type Cluster, startCluster } from '../../helpers/cluster-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostReady, registerHost } from '../../helpers/one-host.js';
import { setConfiguration } from '../../helpers/set-configuration.js';
import { fails } from '../../helpers/store-faults.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;

async function idOf(cluster: Cluster, address: string): Promise<string> {
  return (await cluster.row(address)).uuid;
}

/** Hosts in the store that this server has. */
async function giveHosts(cluster: Cluster, address: string, count: number): Promise<void> {
  const { store } = cluster;
  const zone = await store.zoneId('default');
  for (let i = 0; i < count; i++) {
    const { host } = await registerHost(store, hostDescription(`${address}-${i}`, zone));
    await hostReady(store, host.id, { msid: cluster.node(address).msid, msHostList: null, at: 0 });
  }
}

const stateOf = async (cluster: Cluster, address: string) => (await cluster.row(address)).state;

t.test('maintenance: an empty server is prepared, in Maintenance, and Up again after a cancel', async t => {
  const cluster = await startCluster(t, [A, B, C]);
  const managementserverid = await idOf(cluster, A);
  const prepared = await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  t.equal(prepared.name, 'prepareformaintenanceresponse');
  t.match(prepared.body.prepareformaintenance, {
    managementserverid,
    state: 'PreparingForMaintenance',
    maintenanceinitiated: true,
    shutdowntriggered: false,
    pendingjobscount: 1,
    agentscount: 0,
    agents: [],
  });
  await cluster.goesOn(5_000);
  t.equal(await stateOf(cluster, A), 'Maintenance');
  t.match(await cluster.job(prepared.body.prepareformaintenance.jobid), {
    status: 'succeeded',
    result: JSON.stringify({ moved: 0, leftcount: 0, left: [], forced: false }),
  });
  t.same(cluster.node(C).membership.avoided, [A]);
  const cancelled = await cluster.node(C).call('cancelMaintenance', { managementserverid });
  t.match(cancelled.body.cancelmaintenance, { state: 'Up', maintenanceinitiated: false });
  await cluster.goesOn(2_000);
  t.equal(cluster.node(A).state, 'Up');
  t.same(cluster.node(B).membership.avoided, []);
});

t.test('maintenance: shutdown is prepared, told to be ready, cancelled, and triggered', async t => {
  const cluster = await startCluster(t, [A, B]);
  const managementserverid = await idOf(cluster, A);
  const call = async (command: string) => {
    const { status, body } = await cluster.node(B).call(command, { managementserverid });
    return status === 200 ? body[command.toLowerCase()] : body;
  };
  t.match(await call('prepareForShutdown'), { state: 'PreparingForShutDown', shutdowntriggered: true });
  await cluster.goesOn(5_000);
  t.match(await call('readyForShutdown'), { state: 'ReadyToShutDown', readyforshutdown: true });
  t.match(await call('cancelShutdown'), { state: 'Up', readyforshutdown: false, shutdowntriggered: false });
  await cluster.goesOn(3_000);
  t.match(await call('triggerShutdown'), { state: 'ShuttingDown', shutdowntriggered: true });
  await cluster.goesOn(3_000);
  t.ok(cluster.node(A).wasToldToStop);
});

t.test('maintenance: what cannot be done is refused with 530 and the reason', async t => {
  const cluster = await startCluster(t, [A, B, C]);
  const managementserverid = await idOf(cluster, A);
  const other = await idOf(cluster, B);
  const refused = async (command: string, params: Record<string, string>, text: RegExp) => {
    const { status, body } = await cluster.node(C).call(command, params);
    t.match(
      { status, errorcode: body.errorcode, text: body.errortext },
      { status: 530, errorcode: 530, text },
      command,
    );
  };
  await refused(
    'prepareForMaintenance',
    { managementserverid, algorithm: 'best' },
    /algorithm best is unknown: static/,
  );
  await refused('cancelMaintenance', { managementserverid }, /is Up; PreparingForMaintenance or Maintenance is needed/);
  await refused('cancelShutdown', { managementserverid }, /is Up; PreparingForShutDown or ReadyToShutDown is needed/);
  await cluster.store.changeServerState(cluster.node(B).msid, { from: ['Up'], to: 'PreparingForShutDown' });
  await refused('prepareForMaintenance', { managementserverid }, /192\.0\.2\.2 is PreparingForShutDown already/);
  await refused('prepareForMaintenance', { managementserverid: other }, /is PreparingForShutDown, not Up/);
  await refused('prepareForShutdown', { managementserverid }, /192\.0\.2\.2 is PreparingForShutDown already/);
  await cluster.store.changeServerState(cluster.node(B).msid, { from: ['PreparingForShutDown'], to: 'Down' });
  await cluster.store.changeServerState(cluster.node(C).msid, { from: ['Up'], to: 'Down' });
  await refused(
    'prepareForMaintenance',
    { managementserverid, forced: 'true' },
    /no other management server can take agents/,
  );
  await cluster.store.changeServerState(cluster.node(C).msid, { from: ['Down'], to: 'ShuttingDown' });
  await refused('triggerShutdown', { managementserverid: await idOf(cluster, C) }, /is ShuttingDown; Up or /);
  t.equal(await stateOf(cluster, A), 'Up', 'and nothing has changed');
});

t.test('maintenance: a server with agents is refused when no other of host is Up, unless it is forced', async t => {
  const cluster = await startCluster(t, [A, B, C], { host: `${A},${C}` });
  await cluster.passes(cluster.node(C).stop('SIGINT'));
  const managementserverid = await idOf(cluster, A);
  await cluster.goesOn(2_000);
  await giveHosts(cluster, A, 2);
  const refusal = await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  t.equal(refusal.status, 530);
  t.match(
    refusal.body.errortext,
    /no other management server of host \(192\.0\.2\.1,192\.0\.2\.3\) can take agents: its 2 agents/,
  );
  const forced = await cluster.node(B).call('prepareForMaintenance', { managementserverid, forced: 'true' });
  t.match(forced.body.prepareformaintenance, { state: 'PreparingForMaintenance', agentscount: 2 });
});

t.test('maintenance: an unknown server, or none, is refused with 431', async t => {
  const cluster = await startCluster(t, [A]);
  for (const command of ['prepareForMaintenance', 'cancelMaintenance', 'readyForShutdown', 'triggerShutdown']) {
    const { status, body } = await cluster.node(A).call(command);
    t.match({ status, text: body.errortext }, { status: 431, text: /missing parameter managementserverid/ }, command);
    const unknown = await cluster.node(A).call(command, { managementserverid: '00000000-0000-4000-8000-000000000000' });
    t.match(unknown, { status: 431, body: { errortext: /there is no management server with this id/ } }, command);
  }
});

t.test('regression: of two operators who prepare two servers at once, not both succeed', async t => {
  for (const wait of [0, 1, 2, 3, 5, 8]) {
    const cluster = await startCluster(t, [A, B]);
    const [one, other] = [await idOf(cluster, A), await idOf(cluster, B)];
    const first = cluster.node(A).call('prepareForMaintenance', { managementserverid: one });
    for (let turn = 0; turn < wait; turn++) await Promise.resolve();
    const second = cluster.node(B).call('prepareForMaintenance', { managementserverid: other });
    const replies = await Promise.all([first, second]);
    const states = await Promise.all([A, B].map(address => stateOf(cluster, address)));
    t.ok(states.includes('Up'), `${states} after ${wait} turns`);
    t.ok(
      replies.some(({ status }) => status === 530),
      `${replies.map(({ status }) => status)}`,
    );
    await cluster.goesOn(5_000);
    t.ok([cluster.node(A), cluster.node(B)].some(({ state }) => state === 'Up'));
  }
});

t.test('regression: an order that cannot be written leaves the server Up, and can be given again', async t => {
  const cluster = await startCluster(t, [A, B]);
  const { faults } = cluster.node(B);
  const managementserverid = await idOf(cluster, A);
  const call = async (command: string) => (await cluster.node(B).call(command, { managementserverid })).status;
  for (const [order, cancel] of [
    ['prepareForMaintenance', 'cancelMaintenance'],
    ['prepareForShutdown', 'cancelShutdown'],
  ] as const) {
    faults.before = fails('changeServerStateWithJobs', 1, 'STORE_UNAVAILABLE');
    t.equal(await call(order), 530, order);
    t.equal(await stateOf(cluster, A), 'Up');
    t.same(await cluster.store.countPendingJobs(), new Map());
    t.equal(await call(order), 200, `${order} again`);
    t.equal(await call(cancel), 200, cancel);
    await cluster.goesOn(20_000);
  }
  faults.before = fails('changeServerStateWithJobs', 1, 'STORE_UNAVAILABLE');
  t.equal(await call('triggerShutdown'), 530);
  t.equal(await stateOf(cluster, A), 'Up');
  t.equal(await call('triggerShutdown'), 200);
});

t.test('regression: an order that was committed though the call failed is carried out', async t => {
  const cluster = await startCluster(t, [A, B]);
  const managementserverid = await idOf(cluster, A);
  cluster.node(B).faults.after = fails('changeServerStateWithJobs', 1, 'STORE_UNAVAILABLE');
  t.equal((await cluster.node(B).call('prepareForMaintenance', { managementserverid })).status, 530);
  await cluster.goesOn(10_000);
  t.equal(cluster.node(A).state, 'Maintenance');
  t.same(await cluster.store.countPendingJobs(), new Map());
  cluster.node(B).faults.after = fails('changeServerStateWithJobs', 1, 'STORE_UNAVAILABLE');
  t.equal((await cluster.node(B).call('cancelMaintenance', { managementserverid })).status, 530);
  await cluster.goesOn(20_000);
  t.equal(cluster.node(A).state, 'Up');
  t.same(
    (await cluster.store.jobs({ page: 1, pagesize: 9 })).rows.map(({ cmd, status }) => `${cmd} ${status}`),
    ['rebalance succeeded', 'drain succeeded'],
  );
});

t.test('regression: a job whose start was committed though the call failed is carried out', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(2, `${A},${B}`);
  cluster.node(A).faults.after = fails('startJob', 1, 'STORE_UNAVAILABLE');
  const { body } = await cluster.node(B).call('prepareForMaintenance', {
    managementserverid: (await cluster.row(A)).uuid,
  });
  await cluster.goesOn(30_000);
  t.equal(cluster.node(A).state, 'Maintenance');
  t.match(await cluster.job(body.prepareformaintenance.jobid), { status: 'succeeded' });
});

t.test('regression: a deleteHost that was refused is not carried out later', async t => {
  const cluster = await startCluster(t, [A, B]);
  await setConfiguration(cluster.store, 'host', A);
  await cluster.addAgents(4, A);
  await cluster.goesOn(4_000);
  const hosts = await cluster.store.hosts();
  await cluster.node(A).kill();
  await cluster.goesOn(500);
  const replies = await Promise.all(hosts.map(({ uuid }) => cluster.node(B).call('deleteHost', { id: uuid })));
  t.same(new Set(replies.map(({ status }) => status)), new Set([530]), 'all are refused');
  await cluster.start(A);
  await cluster.goesOn(90_000);
  t.equal(cluster.counts()[A], 4, 'the agents are back');
  t.same(
    cluster.agents.filter(({ agent }) => agent.state.phase.kind !== 'up').map(({ guid }) => guid),
    [],
  );
});

t.test('regression: a server whose maintenance was cancelled just before SIGTERM comes up as Up', async t => {
  const cluster = await startCluster(t, [A, B]);
  const managementserverid = await idOf(cluster, A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.comes(() => cluster.node(A).state === 'Maintenance', 30_000);
  t.equal((await cluster.node(B).call('cancelMaintenance', { managementserverid })).status, 200);
  await cluster.passes(cluster.node(A).stop('SIGTERM'));
  await cluster.goesOn(5_000);
  await cluster.start(A);
  await cluster.goesOn(5_000);
  t.equal(await stateOf(cluster, A), 'Up');
});

t.test('regression: a drain that was cancelled before it began moves nobody', async t => {
  const cluster = await startCluster(t, [A, B]);
  const managementserverid = await idOf(cluster, A);
  // Without a link A finds the job by itself, later.
  cluster.unreachable.add(A);
  const { body } = await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.store.changeServerState(cluster.node(A).msid, { from: ['PreparingForMaintenance'], to: 'Up' });
  await cluster.goesOn(4_000);
  t.match(await cluster.job(body.prepareformaintenance.jobid), { status: 'succeeded', result: /"cancelled":true/ });
  t.equal(await stateOf(cluster, A), 'Up');
  t.equal(cluster.node(A).log.count('info Draining'), 0);
});

t.test('regression: a stopped server in Maintenance that is taken back is Down until it is started', async t => {
  const cluster = await startCluster(t, [A, B]);
  const managementserverid = await idOf(cluster, A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.goesOn(5_000);
  await cluster.passes(cluster.node(A).stop('SIGINT'));
  t.equal(await stateOf(cluster, A), 'Maintenance');
  const shutdown = await cluster.node(B).call('triggerShutdown', { managementserverid });
  t.match(shutdown, { status: 530, body: { errortext: /is not running/ } });
  const { body } = await cluster.node(B).call('cancelMaintenance', { managementserverid });
  t.match(body.cancelmaintenance, { state: 'Down' });
  const alone = await cluster.node(B).call('prepareForMaintenance', { managementserverid: await idOf(cluster, B) });
  t.match(alone, { status: 530, body: { errortext: /no other management server can take agents/ } });
  await cluster.start(A);
  t.equal(await stateOf(cluster, A), 'Up');
});

t.test('regression: an order to shut down does not end the process that comes after', async t => {
  const cluster = await startCluster(t, [A, B]);
  const managementserverid = await idOf(cluster, A);
  await cluster.node(A).kill();
  t.equal((await cluster.node(B).call('triggerShutdown', { managementserverid })).status, 200);
  const again = await cluster.start(A);
  await cluster.goesOn(10_000);
  t.notOk(again.wasToldToStop);
  t.equal(await stateOf(cluster, A), 'Up');
});

t.test('maintenance: a drain of a server whose process is dead ends when it is found silent', async t => {
  const cluster = await startCluster(t, [A, B]);
  await giveHosts(cluster, A, 1);
  await cluster.node(A).kill();
  const managementserverid = await idOf(cluster, A);
  const { status, body } = await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  t.equal(status, 200);
  await cluster.goesOn(160_000);
  t.equal(await stateOf(cluster, A), 'Maintenance');
  t.match(await cluster.job(body.prepareformaintenance.jobid), { status: 'failed', resultCode: 530 });
  t.match(await cluster.store.host(1), { status: 'Disconnected', msid: null });
});

t.test('maintenance: the store is away at the end of a drain: the state follows when it is back', async t => {
  const cluster = await startCluster(t, [A, B]);
  const node = cluster.node(A);
  const managementserverid = await idOf(cluster, A);
  const { changeServerState } = cluster.store;
  cluster.store.changeServerState = async (msid, change) => {
    if (change.to !== 'Maintenance') return changeServerState(msid, change);
    cluster.store.changeServerState = changeServerState;
    node.outage = true;
    throw new StoreError('STORE_UNAVAILABLE', 'changeServerState');
  };
  const { body } = await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.goesOn(30_000);
  t.ok(node.outage);
  t.equal(await stateOf(cluster, A), 'PreparingForMaintenance');
  node.outage = false;
  await cluster.goesOn(10_000);
  t.equal(await stateOf(cluster, A), 'Maintenance');
  t.match(await cluster.job(body.prepareformaintenance.jobid), { status: 'succeeded' });
});

t.test('regression: a heartbeat that was slow does not bring an older state back', async t => {
  const cluster = await startCluster(t, [A, B]);
  const { membership, msid } = cluster.node(A);
  const { servers } = cluster.store;
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  let calls = 0;
  cluster.store.servers = async () => {
    if (calls++ === 0) await held;
    return servers();
  };
  const slow = membership.refresh();
  await cluster.goesOn(50);
  await cluster.store.changeServerState(msid, { from: ['Up'], to: 'PreparingForMaintenance' });
  const states: string[] = [];
  membership.onChange(() => void states.push(membership.state));
  const quick = membership.refresh();
  await cluster.goesOn(50);
  release();
  await cluster.passes(Promise.all([slow, quick]));
  // The server begins to drain by itself, and may be through by now.
  t.same(states.slice(0, 1), ['PreparingForMaintenance']);
  t.notOk(states.includes('Up'));
  cluster.store.servers = servers;
});

t.test(
  'regression: whom to avoid is told even when a dead server’s hosts cannot be let go of at the same beat',
  async t => {
    const cluster = await startCluster(t, [A, B, C]);
    const { releaseHosts } = cluster.store;
    await cluster.node(C).kill();
    await cluster.goesOn(149_000);
    const told: (readonly string[])[] = [];
    const { lists } = cluster.node(A).node.agents;
    lists.avoid = avoided => void told.push(avoided);
    cluster.store.releaseHosts = async () => {
      throw new Error('no');
    };
    await cluster.store.changeServerState(cluster.node(B).msid, { from: ['Up'], to: 'PreparingForMaintenance' });
    await cluster.goesOn(6_000);
    t.same(told, [[B]]);
    cluster.store.releaseHosts = releaseHosts;
  },
);

t.test(
  'maintenance: killed in the midst of a drain, a server goes on with it at its start, and takes nobody',
  async t => {
    const cluster = await startCluster(t, [A, B]);
    const managementserverid = await idOf(cluster, A);
    await cluster.store.changeServerState(cluster.node(A).msid, { from: ['Up'], to: 'PreparingForMaintenance' });
    await cluster.node(A).kill();
    const again = await cluster.start(A);
    t.match(again.log.fieldsOf('warn This server takes no agents'), { state: 'PreparingForMaintenance' });
    await cluster.goesOn(5_000);
    t.equal(again.state, 'Maintenance');
    await cluster.passes(again.stop('SIGTERM'));
    t.equal(await stateOf(cluster, A), 'Maintenance');
    const third = await cluster.start(A);
    t.equal(third.state, 'Maintenance', 'as long as nobody says otherwise');
    await cluster.node(B).call('cancelMaintenance', { managementserverid });
    await cluster.goesOn(3_000);
    t.equal(third.state, 'Up');
  },
);

t.test('maintenance: a job that this version does not know fails, and says so', async t => {
  const cluster = await startCluster(t, [A]);
  const job = await cluster.store.createJob({
    cmd: 'defragment',
    params: '{}',
    targetMsid: cluster.node(A).msid,
    hostId: null,
    createdBy: null,
  });
  await cluster.goesOn(3_000);
  t.match(await cluster.job(job.uuid), {
    status: 'failed',
    resultCode: 530,
    result: /does not know the job defragment: is it of another version\?/,
  });
});

t.test('maintenance: when all has stopped nobody waits any more', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid: await idOf(cluster, A) });
  for (const address of [A, B]) await cluster.passes(cluster.node(address).stop('SIGINT'));
  await cluster.goesOn(100);
  t.equal(cluster.clock.pending, 0);
});
