import t, { type Test } from 'tap';
import type { FatalError } from '../../../src/lib/errors.js';
import { Membership, type MembershipParts } from '../../../src/mgmt/cluster/membership.js';
import type { ServerRow, ServerState, Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { freshStore, MSID_1, MSID_2 } from '../../helpers/api-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostReady, registerHost } from '../../helpers/one-host.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { StoreFaults } from '../../helpers/store-faults.js';

const INTERVAL_MS = 1_500;
const THRESHOLD_MS = 15_000;

/** A real store of which some calls can be made to fail. */
function faulty(store: Store): { store: Store; faults: StoreFaults & { failing?: string } } {
  const faults: StoreFaults & { failing?: string } = new StoreFaults();
  faults.before = call => {
    if (call === faults.failing) throw new StoreError('STORE_UNAVAILABLE', call);
  };
  return { store: faults.over(store), faults };
}

let serial = 0;

function member(t: Test, store: Store, msid: number, more: Partial<MembershipParts> = {}) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const told = {
    states: [] as ServerState[],
    foreign: [] as FatalError[],
    down: [] as number[],
    shared: [] as number[],
  };
  const membership = new Membership(store, {
    clock,
    random: seededRandom(++serial),
    log,
    health: new StoreHealth(log),
    msid,
    address: `192.0.2.${msid % 10}`,
    name: `ms-${msid}`,
    dataDirToken: `token-${msid}`,
    heartbeat: () => ({ intervalMs: INTERVAL_MS, thresholdMs: THRESHOLD_MS }),
    onState: state => void told.states.push(state),
    onAvoided: () => {},
    onForeign: error => void told.foreign.push(error),
    onServerDown: ({ msid }) => void told.down.push(msid),
    onSharedAddress: ({ msid }) => void told.shared.push(msid),
    servingPort: () => 8250,
    ...more,
  });
  t.teardown(() => membership.leave().catch(() => {}));
  const beat = async () => {
    await clock.advance(INTERVAL_MS);
    for (let turn = 0; turn < 10; turn++) await settle();
  };
  /** As long as it takes to find a server silent that joined after this one: the first beat only sees it. */
  const beats = async (count = THRESHOLD_MS / INTERVAL_MS + 1) => {
    for (let i = 0; i < count; i++) await beat();
  };
  return { membership, clock, log, told, beat, beats };
}

async function rowOf(store: Store, msid: number): Promise<ServerRow> {
  const row = (await store.servers()).find(server => server.msid === msid);
  if (row === undefined) throw new Error(`no server ${msid}`);
  return row;
}

t.test('membership: a server joins, beats, and leaves in good order', async t => {
  const store = await freshStore(t);
  const { membership, clock, beat, told } = member(t, store, MSID_1);
  await membership.join();
  t.equal(membership.state, 'Up');
  t.match(await rowOf(store, MSID_1), { state: 'Up', serviceIp: '192.0.2.1', version: /^\d/, osDistribution: 'Linux' });
  const before = (await rowOf(store, MSID_1)).lastUpdate;
  await beat();
  t.ok((await rowOf(store, MSID_1)).lastUpdate >= before);
  t.match(membership.servers, [{ msid: MSID_1 }]);
  await membership.leave();
  t.match(await rowOf(store, MSID_1), { state: 'Down', runId: null });
  t.type((await rowOf(store, MSID_1)).stopped, 'number');
  t.equal(clock.pending, 0);
  t.same(told, { states: [], foreign: [], down: [], shared: [] });
});

t.test('membership: a second server with the same id from another folder is refused, and told who has it', async t => {
  const store = await freshStore(t);
  const holder = member(t, store, MSID_1);
  await holder.membership.join();
  const rival = member(t, store, MSID_1, { dataDirToken: 'other', name: 'rival' });
  const joining = rival.membership.join();
  joining.catch(() => {});
  for (let turn = 0; turn < 10; turn++) await settle();
  await holder.beat();
  await rival.clock.advance(3 * INTERVAL_MS);
  await t.rejects(joining, {
    code: 'SERVER_ROW_TAKEN',
    message: /cluster\.node\.id 1001 is in use by ms-1001 \(192\.0\.2\.1\), whose heartbeat goes on/,
  });
});

t.test(
  'membership: a restart from the same folder takes over at once, and the former process is told to end',
  async t => {
    const store = await freshStore(t);
    const former = member(t, store, MSID_1);
    await former.membership.join();
    const restart = member(t, store, MSID_1);
    await restart.membership.join();
    await former.beat();
    t.match(former.told.foreign, [
      { code: 'SERVER_ROW_TAKEN', message: /row of cluster\.node\.id 1001 now belongs to ms-1001/ },
    ]);
    await former.membership.leave();
    t.equal((await rowOf(store, MSID_1)).state, 'Up', 'a process that was replaced does not take the row down');
  },
);

t.test('membership: a server that is silent for too long is taken down, with its hosts and its jobs', async t => {
  const store = await freshStore(t);
  const one = member(t, store, MSID_1);
  const two = member(t, store, MSID_2);
  await one.membership.join();
  await two.membership.join();
  const { host } = await registerHost(store, hostDescription('g', await store.zoneId('default')));
  await hostReady(store, host.id, { msid: MSID_2, msHostList: null, at: 0 });
  const job = { cmd: 'x', params: '{}', targetMsid: MSID_2, hostId: null, createdBy: null };
  const [pending, running] = [await store.createJob(job), await store.createJob(job)];
  await store.startJob(running.uuid, MSID_2);

  await one.beats(THRESHOLD_MS / INTERVAL_MS);
  t.equal((await rowOf(store, MSID_2)).state, 'Up', 'not yet');
  await one.beat();
  t.equal((await rowOf(store, MSID_2)).state, 'Down');
  t.match(await store.host(host.id), {
    status: 'Disconnected',
    msid: null,
    disconnectReason: 'its management server is down',
  });
  for (const { uuid } of [pending, running]) t.match(await store.job(uuid), { status: 'failed', resultCode: 530 });
  t.same(one.told.down, [MSID_2]);
  t.match(one.log.fieldsOf('error A management server is down'), { server: 'ms-2002', silentMs: THRESHOLD_MS });
  await one.beat();
  t.same(one.told.down, [MSID_2], 'once');
});

t.test('membership: of two that notice, one takes it down', async t => {
  const store = await freshStore(t);
  const members = [member(t, store, MSID_1), member(t, store, MSID_2)];
  for (const { membership } of [...members, member(t, store, 3003)]) await membership.join();
  for (let i = 0; i <= THRESHOLD_MS / INTERVAL_MS; i++) await Promise.all(members.map(({ beat }) => beat()));
  t.same(
    members.flatMap(({ told }) => told.down),
    [3003],
  );
});

t.test('regression: hosts that could not be let go of are let go of at the next beat', async t => {
  const { store, faults } = faulty(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  await member(t, store, MSID_2).membership.join();
  const { host } = await registerHost(store, hostDescription('g', await store.zoneId('default')));
  await hostReady(store, host.id, { msid: MSID_2, msHostList: null, at: 0 });
  faults.failing = 'releaseHosts';
  await one.beats();
  t.equal((await rowOf(store, MSID_2)).state, 'Down');
  t.equal((await store.host(host.id))?.status, 'Up');
  delete faults.failing;
  await one.beat();
  t.equal((await store.host(host.id))?.status, 'Disconnected');
  t.same(one.told.down, [MSID_2], 'and it is told once');
});

t.test('membership: one that came back meanwhile keeps its hosts', async t => {
  const { store, faults } = faulty(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  await member(t, store, MSID_2).membership.join();
  faults.failing = 'releaseHosts';
  await one.beats();
  await member(t, store, MSID_2).membership.join();
  const { host } = await registerHost(store, hostDescription('g', await store.zoneId('default')));
  await hostReady(store, host.id, { msid: MSID_2, msHostList: null, at: 0 });
  delete faults.failing;
  await one.beat();
  t.equal((await store.host(host.id))?.status, 'Up');
});

t.test('regression: a server that was taken for dead, and lives, is Up again at its next beat', async t => {
  const store = await freshStore(t);
  const one = member(t, store, MSID_1);
  const two = member(t, store, MSID_2);
  await one.membership.join();
  await two.membership.join();
  await one.beats();
  await two.beat();
  t.equal((await rowOf(store, MSID_2)).state, 'Up');
  t.equal(two.membership.state, 'Up', 'it goes on taking agents');
  t.same(two.told.states, []);
  t.equal(two.log.count('warn The other servers took this one for down'), 1);
});

t.test('membership: a state that somebody else writes is told, and avoided by the others', async t => {
  const store = await freshStore(t);
  const one = member(t, store, MSID_1);
  const two = member(t, store, MSID_2);
  await one.membership.join();
  await two.membership.join();
  await store.changeServerState(MSID_2, { from: ['Up'], to: 'PreparingForMaintenance' });
  await Promise.all([one.beat(), two.beat()]);
  t.same(two.told.states, ['PreparingForMaintenance']);
  t.same(one.membership.avoided, ['192.0.2.2']);
  await store.changeServerState(MSID_2, { from: ['PreparingForMaintenance'], to: 'Up' });
  await two.membership.refresh();
  t.equal(two.membership.state, 'Up', 'at once, when asked to');
});

t.test('membership: Maintenance outlives an orderly stop and a restart', async t => {
  const store = await freshStore(t);
  const one = member(t, store, MSID_1);
  await one.membership.join();
  for (const state of ['PreparingForMaintenance', 'Maintenance'] as const) {
    const two = member(t, store, MSID_2);
    await two.membership.join();
    await store.changeServerState(MSID_2, { from: ['Up', 'Maintenance'], to: state });
    await two.beat();
    await two.membership.leave();
    t.equal((await rowOf(store, MSID_2)).state, 'Maintenance', state);
    await one.beats();
    t.equal((await rowOf(store, MSID_2)).state, 'Maintenance', 'stopped for an upgrade: nobody takes it down');
    const again = member(t, store, MSID_2);
    await again.membership.join();
    t.equal(again.membership.state, 'Maintenance');
    t.equal(again.log.count('warn This server takes no agents'), 1);
    await again.membership.leave();
  }
});

t.test('membership: a store that is away takes nobody down, and beats go on when it is back', async t => {
  const { store, faults } = faulty(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  faults.isAway = true;
  for (let i = 0; i < 3; i++) await one.beat();
  t.equal(one.membership.state, 'Up');
  faults.isAway = false;
  await store.changeServerState(MSID_1, { from: ['Up'], to: 'Maintenance' });
  await one.beat();
  t.equal(one.membership.state, 'Maintenance');
  t.same(one.told.foreign, []);
});

t.test('regression: jobs of a server that stops in good order have failed, and nobody waits for them', async t => {
  const store = await freshStore(t);
  const { membership } = member(t, store, MSID_1);
  await membership.join();
  const job = { cmd: 'x', params: '{}', targetMsid: MSID_1, hostId: null, createdBy: null };
  const [pending, running] = [await store.createJob(job), await store.createJob(job)];
  await store.startJob(running.uuid, MSID_1);
  await membership.leave();
  for (const { uuid } of [pending, running])
    t.match(await store.job(uuid), { status: 'failed', result: /was stopped/ });
});

t.test(
  'membership: jobs that were made for it while it was away wait for its start; those it had begun have failed',
  async t => {
    const store = await freshStore(t);
    await member(t, store, MSID_1).membership.join();
    const job = { cmd: 'x', params: '{}', targetMsid: MSID_1, hostId: null, createdBy: null };
    const [pending, running] = [await store.createJob(job), await store.createJob(job)];
    await store.startJob(running.uuid, MSID_1);
    await member(t, store, MSID_1).membership.join();
    t.match(await store.job(pending.uuid), { status: 'pending' });
    t.match(await store.job(running.uuid), { status: 'failed' });
  },
);

t.test('membership: a folder takes over the row of a holder whose heartbeat stands still', async t => {
  const store = await freshStore(t);
  await member(t, store, MSID_1).membership.join();
  const rival = member(t, store, MSID_1, { dataDirToken: 'other' });
  const joining = rival.membership.join();
  for (let turn = 0; turn < 10; turn++) await settle();
  await rival.clock.advance(3 * INTERVAL_MS);
  await joining;
  t.equal(rival.membership.state, 'Up');
});

t.test('regression: an outage of the store, however long, makes nobody silent', async t => {
  const { store, faults } = faulty(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  await member(t, store, MSID_2).membership.join();
  await one.beats(4);
  faults.isAway = true;
  await one.beats(100);
  faults.isAway = false;
  await one.beat();
  t.equal((await rowOf(store, MSID_2)).state, 'Up');
  t.ok((one.membership.servers.find(({ msid }) => msid === MSID_2)?.silentMs ?? 0) <= 7 * INTERVAL_MS);
});

t.test('regression: a process that stood still for minutes takes nobody for dead', async t => {
  const store = await freshStore(t);
  const one = member(t, store, MSID_1);
  await one.membership.join();
  await member(t, store, MSID_2).membership.join();
  one.clock.stall(10 * THRESHOLD_MS);
  await one.beat();
  t.equal((await rowOf(store, MSID_2)).state, 'Up');
  t.same(one.told.down, []);
});

t.test('regression: a server killed in Maintenance keeps neither hosts nor jobs', async t => {
  const store = await freshStore(t);
  const one = member(t, store, MSID_1);
  await one.membership.join();
  await member(t, store, MSID_2).membership.join();
  const { host } = await registerHost(store, hostDescription('g', await store.zoneId('default')));
  await hostReady(store, host.id, { msid: MSID_2, msHostList: null, at: 0 });
  const job = { cmd: 'x', params: '{}', targetMsid: MSID_2, hostId: null, createdBy: null };
  const { uuid } = await store.createJob(job);
  await store.changeServerState(MSID_2, { from: ['Up'], to: 'Maintenance' });
  await one.beats();
  t.equal((await rowOf(store, MSID_2)).state, 'Maintenance');
  t.equal((await store.host(host.id))?.status, 'Disconnected');
  t.equal((await store.job(uuid))?.status, 'failed');
});

t.test('regression: an order of the last moment before a stop is not lost', async t => {
  const store = await freshStore(t);
  const { membership } = member(t, store, MSID_1);
  await membership.join();
  await store.changeServerState(MSID_1, { from: ['Up'], to: 'Maintenance' });
  await membership.refresh();
  await store.changeServerState(MSID_1, { from: ['Maintenance'], to: 'Up' });
  await membership.leave();
  t.equal((await rowOf(store, MSID_1)).state, 'Down', 'it comes Up at its next start');
});

t.test('regression: a new data.dir at an old address retires the former row, and is not avoided for it', async t => {
  const store = await freshStore(t);
  const former = member(t, store, MSID_1, { address: '192.0.2.7' });
  await former.membership.join();
  await store.changeServerState(MSID_1, { from: ['Up'], to: 'Maintenance' });
  const later = member(t, store, MSID_2, { address: '192.0.2.7' });
  await later.membership.join();
  t.same(later.membership.avoided, [], 'a living server that is Up has the address');
  await later.beats();
  t.same(
    (await store.servers()).map(({ msid }) => msid),
    [MSID_2],
  );
});

t.test('membership: two living servers with one address are told of each other once', async t => {
  const store = await freshStore(t);
  const one = member(t, store, MSID_1, { address: '192.0.2.7' });
  const two = member(t, store, MSID_2, { address: '192.0.2.7' });
  await one.membership.join();
  await two.membership.join();
  for (let i = 0; i < 3; i++) await Promise.all([one.beat(), two.beat()]);
  t.same([one.told.shared, two.told.shared], [[MSID_2], [MSID_1]]);
});
