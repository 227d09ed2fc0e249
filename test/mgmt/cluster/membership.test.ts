import t, { type Test } from 'tap';
import type { FatalError } from '../../../src/lib/errors.js';
import { Membership, type MembershipOptions } from '../../../src/mgmt/cluster/membership.js';
import type { ServerRow, ServerState, Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { freshStore, MSID_1, MSID_2 } from '../../helpers/api-bench.js';
import { FakeClock, settle } from '../../helpers/fake-clock.js';
import { factsOf } from '../../helpers/host-facts.js';
import { hostReady } from '../../helpers/one-host.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const INTERVAL_MS = 1_500;
const THRESHOLD_MS = 150_000;

interface Aging {
  /** How old heartbeats look, by msid: the store's clock is the machine's, which no test waits for. */
  readonly ages: Map<number, number>;
  away: boolean;
  failing: keyof Store | undefined;
}

/** A real store in which servers can be made to look silent. */
function aging(store: Store): { store: Store; aging: Aging } {
  const aging: Aging = { ages: new Map(), away: false, failing: undefined };
  const aged = (row: ServerRow): ServerRow => ({ ...row, ageMs: aging.ages.get(row.msid) ?? row.ageMs });
  const proxy = new Proxy(store, {
    get(target, name, receiver) {
      const value = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        if (aging.away || aging.failing === name) throw new StoreError('STORE_UNAVAILABLE', String(name));
        if (name === 'servers') return (await target.servers()).map(aged);
        if (name === 'changeServerState') {
          const [msid, change] = args as Parameters<Store['changeServerState']>;
          const age = aging.ages.get(msid) ?? 0;
          const { silentMs, ...rest } = change;
          if (silentMs !== undefined && age < silentMs) return false;
          return target.changeServerState(msid, rest);
        }
        return value.apply(target, args);
      };
    },
  });
  return { store: proxy, aging };
}

let serial = 0;

function member(t: Test, store: Store, msid: number, more: Partial<MembershipOptions> = {}) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const told = { states: [] as ServerState[], foreign: [] as FatalError[], down: [] as number[] };
  const membership = new Membership(store, {
    clock,
    random: seededRandom(++serial),
    log,
    health: new StoreHealth(log),
    msid,
    address: `192.0.2.${msid % 10}`,
    name: `ms-${msid}`,
    dataDirToken: `token-${msid}`,
    intervalMs: INTERVAL_MS,
    thresholdMs: THRESHOLD_MS,
    onState: state => void told.states.push(state),
    onAvoided: () => {},
    onForeign: error => void told.foreign.push(error),
    onServerDown: ({ msid }) => void told.down.push(msid),
    ...more,
  });
  t.teardown(() => membership.leave().catch(() => {}));
  const beat = async () => {
    await clock.advance(INTERVAL_MS);
    for (let turn = 0; turn < 10; turn++) await settle();
  };
  return { membership, clock, log, told, beat };
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
  t.same(told, { states: [], foreign: [], down: [] });
});

t.test('membership: a second server with the same id from another folder is refused, and told who has it', async t => {
  const store = await freshStore(t);
  await member(t, store, MSID_1).membership.join();
  const rival = member(t, store, MSID_1, { dataDirToken: 'other', name: 'rival' });
  await t.rejects(rival.membership.join(), {
    code: 'SERVER_ROW_TAKEN',
    message: /cluster\.node\.id 1001 is in use by ms-1001 \(192\.0\.2\.1\), last heard of 0 s ago/,
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
  const { store, aging: time } = aging(await freshStore(t));
  const one = member(t, store, MSID_1);
  const two = member(t, store, MSID_2);
  await one.membership.join();
  await two.membership.join();
  const { host } = await store.registerHost(factsOf('g', await store.zoneId('default')));
  await hostReady(store, host.id, { msid: MSID_2, msHostList: null, at: 0 });
  const job = { cmd: 'x', params: '{}', targetMsid: MSID_2, hostId: null, createdBy: null };
  const [pending, running] = [await store.createJob(job), await store.createJob(job)];
  await store.startJob(running.uuid, MSID_2);

  time.ages.set(MSID_2, THRESHOLD_MS - 1);
  await one.beat();
  t.equal((await rowOf(store, MSID_2)).state, 'Up', 'not yet');
  time.ages.set(MSID_2, THRESHOLD_MS);
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
  const { store, aging: time } = aging(await freshStore(t));
  const members = [member(t, store, MSID_1), member(t, store, MSID_2)];
  for (const { membership } of [...members, member(t, store, 3003)]) await membership.join();
  time.ages.set(3003, THRESHOLD_MS);
  await Promise.all(members.map(({ beat }) => beat()));
  t.same(
    members.flatMap(({ told }) => told.down),
    [3003],
  );
});

t.test('regression: hosts that could not be let go of are let go of at the next beat', async t => {
  const { store, aging: time } = aging(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  await member(t, store, MSID_2).membership.join();
  const { host } = await store.registerHost(factsOf('g', await store.zoneId('default')));
  await hostReady(store, host.id, { msid: MSID_2, msHostList: null, at: 0 });
  time.ages.set(MSID_2, THRESHOLD_MS);
  time.failing = 'releaseHosts';
  await one.beat();
  t.equal((await rowOf(store, MSID_2)).state, 'Down');
  t.equal((await store.host(host.id))?.status, 'Up');
  time.failing = undefined;
  await one.beat();
  t.equal((await store.host(host.id))?.status, 'Disconnected');
  t.same(one.told.down, [MSID_2], 'and it is told once');
});

t.test('membership: one that came back meanwhile keeps its hosts', async t => {
  const { store, aging: time } = aging(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  await member(t, store, MSID_2).membership.join();
  time.ages.set(MSID_2, THRESHOLD_MS);
  time.failing = 'releaseHosts';
  await one.beat();
  await member(t, store, MSID_2).membership.join();
  const { host } = await store.registerHost(factsOf('g', await store.zoneId('default')));
  await hostReady(store, host.id, { msid: MSID_2, msHostList: null, at: 0 });
  time.ages.clear();
  time.failing = undefined;
  await one.beat();
  t.equal((await store.host(host.id))?.status, 'Up');
});

t.test('regression: a server that was taken for dead, and lives, is Up again at its next beat', async t => {
  const { store, aging: time } = aging(await freshStore(t));
  const one = member(t, store, MSID_1);
  const two = member(t, store, MSID_2);
  await one.membership.join();
  await two.membership.join();
  time.ages.set(MSID_2, THRESHOLD_MS);
  await one.beat();
  time.ages.clear();
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
  const { store, aging: time } = aging(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  for (const state of ['PreparingForMaintenance', 'Maintenance'] as const) {
    const two = member(t, store, MSID_2);
    await two.membership.join();
    await store.changeServerState(MSID_2, { from: ['Up', 'Maintenance'], to: state });
    await two.beat();
    await two.membership.leave();
    t.equal((await rowOf(store, MSID_2)).state, 'Maintenance', state);
    time.ages.set(MSID_2, THRESHOLD_MS * 10);
    await one.beat();
    t.equal((await rowOf(store, MSID_2)).state, 'Maintenance', 'stopped for an upgrade: nobody takes it down');
    const again = member(t, store, MSID_2);
    await again.membership.join();
    t.equal(again.membership.state, 'Maintenance');
    t.equal(again.log.count('warn This server takes no agents'), 1);
    await again.membership.leave();
    time.ages.clear();
  }
});

t.test('membership: a store that is away takes nobody down, and beats go on when it is back', async t => {
  const { store, aging: time } = aging(await freshStore(t));
  const one = member(t, store, MSID_1);
  await one.membership.join();
  time.away = true;
  for (let i = 0; i < 3; i++) await one.beat();
  t.equal(one.membership.state, 'Up');
  time.away = false;
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
