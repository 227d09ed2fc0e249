import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLog } from '../../../src/lib/logger.js';
import { systemRandom } from '../../../src/lib/random.js';
import { MGMT_LIMITS } from '../../../src/mgmt/config/limits.js';
import { Ownership } from '../../../src/mgmt/hosts/ownership.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import { HOSTS_A_BATCH, type Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { hostDescription } from '../../helpers/host-description.js';
import { startMariaDb, whyNoMariaDb } from '../../helpers/mariadb.js';
import { wholeHosts } from '../../helpers/one-host.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testFolder } from '../../helpers/scratch.js';
import { until } from '../../helpers/until.js';

const [OLD, NEW] = [1001, 1002];
const ARRIVAL = { kind: 'failover', cause: 'closed', isPreferred: true, gapMs: 7 } as const;
const LIST = { msHostList: '192.0.2.1,192.0.2.2@static', configurationVersion: 1 };
const CLAIMANT = { address: '192.0.2.50', instanceId: 'p1' };
const WRITES = ['hostsReady', 'hostsMsHostList', 'hostsDisconnected', 'releaseHosts'];

/** What one server knows of its hosts, over a store that can be away for it alone. */
function server(store: Store, msid: number) {
  const log = new RecordingLog();
  const health = new StoreHealth(log);
  const clock = new FakeClock();
  const bench = {
    outage: false,
    /** The next write waits for it. */
    hold: undefined as Promise<void> | undefined,
    /** Writes that were carried out, and how many hosts each was about. */
    writes: [] as string[],
    health,
    log,
    clock,
    ownership: undefined as unknown as Ownership,
    removed: [] as number[],
    superseded: [] as number[],
    ready: (id: number, list = LIST, linkNumber?: number) =>
      bench.ownership.ready(
        id,
        { ...list, claimant: { ...CLAIMANT, linkNumber }, arrival: ARRIVAL },
        { onRemoved: () => void bench.removed.push(id), onSuperseded: () => void bench.superseded.push(id) },
      ),
    /** Until all is written. */
    async rest() {
      const isDone = () => bench.ownership.unwritten === 0;
      while (!isDone()) {
        await until(() => isDone() || clock.pending > 0);
        await clock.advance(MGMT_LIMITS.ownershipRestMs);
      }
    },
    async back() {
      bench.outage = false;
      await health.watch(async () => {});
    },
  };
  const watched = new Proxy(store, {
    get(target, name, receiver) {
      const value = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        await bench.hold;
        if (bench.outage) throw new StoreError('STORE_UNAVAILABLE', String(name));
        const result = await value.apply(target, args);
        const [batch] = args;
        if (WRITES.includes(String(name)))
          bench.writes.push(`${String(name)} ${Array.isArray(batch) ? batch.length : ''}`);
        return result;
      };
    },
  });
  bench.ownership = new Ownership(watched, health, { clock, log, msid });
  return bench;
}

async function addHosts(store: Store, count: number): Promise<readonly number[]> {
  const zone = await store.zoneId('default');
  const ids: number[] = [];
  for (let from = 0; from < count; from += HOSTS_A_BATCH) {
    const size = Math.min(HOSTS_A_BATCH, count - from);
    const descriptions = Array.from({ length: size }, (_, i) => hostDescription(`guid-${from + i}`, zone));
    for (const { host } of await store.registerHosts(descriptions)) ids.push(host.id);
  }
  return ids;
}

function ownershipTests(t: Test, open: (t: Test) => Promise<Store>): void {
  t.test('ownership: an old server’s disconnect that comes behind the new server’s Ready changes nothing', async t => {
    const store = await open(t);
    const [id = 0] = await addHosts(store, 1);
    const [old, young] = [server(store, OLD), server(store, NEW)];
    old.ready(id);
    await old.rest();
    t.match(await store.host(id), { msid: OLD, epoch: 1, status: 'Up' });
    let release = () => {};
    old.hold = new Promise<void>(resolve => {
      release = resolve;
    });
    old.ownership.lost(id, { reason: 'FIN', cause: 'closed' });
    young.ready(id);
    await young.rest();
    release();
    await old.rest();
    t.same(old.writes.at(-1), 'hostsDisconnected 1', 'it was tried');
    t.match(await store.host(id), { msid: NEW, epoch: 2, status: 'Up', disconnectReason: null });
    // There and back within the same moment.
    old.hold = undefined;
    young.ownership.lost(id, { reason: 'FIN', cause: 'closed' });
    old.ready(id);
    await Promise.all([old.rest(), young.rest()]);
    t.match(await store.host(id), { msid: OLD, epoch: 3, status: 'Up' });
  });

  t.test('ownership: many agents at once make few writes', async t => {
    const store = await open(t);
    const ids = await addHosts(store, 1_200);
    const one = server(store, OLD);
    for (const id of ids) one.ready(id);
    await one.rest();
    t.same(one.writes, [
      'hostsReady 1',
      `hostsReady ${HOSTS_A_BATCH}`,
      `hostsReady ${HOSTS_A_BATCH}`,
      'hostsReady 199',
    ]);
    one.writes.length = 0;
    for (const id of ids) one.ownership.listed(id, { msHostList: '192.0.2.2@static', configurationVersion: 9 });
    await one.rest();
    t.equal(one.writes.length, 4);
    t.ok(one.writes.every(write => write.startsWith('hostsMsHostList')));
    one.writes.length = 0;
    for (const id of ids) one.ownership.lost(id, { reason: 'the end', cause: 'closed' });
    await one.rest();
    t.equal(one.writes.length, 4);
    const wrong = (await wholeHosts(store)).filter(
      ({ status, msid, msHostList, configurationVersion, epoch }) =>
        `${status} ${msid} ${msHostList} ${configurationVersion} ${epoch}` !== 'Disconnected null 192.0.2.2@static 9 1',
    );
    t.same(wrong, []);
  });

  t.test('ownership: what comes during a write waits for more, so that they share the next one', async t => {
    const store = await open(t);
    const [first = 0, second = 0, third = 0] = await addHosts(store, 3);
    const one = server(store, OLD);
    one.ready(first);
    one.ready(second);
    await until(() => one.ownership.unwritten === 1 && one.clock.pending === 1);
    await one.clock.advance(MGMT_LIMITS.ownershipRestMs - 1);
    one.ready(third);
    t.same(one.writes, ['hostsReady 1']);
    await one.clock.advance(1);
    await until(() => one.ownership.unwritten === 0);
    t.same(one.writes, ['hostsReady 1', 'hostsReady 2']);
    one.ready(first);
    await until(() => one.ownership.unwritten === 0);
    t.equal(one.writes.length, 3, 'alone it is written at once');
    one.ready(second);
    one.ready(third);
    await until(() => one.clock.pending === 1);
    one.ownership.stop();
    t.equal(one.clock.pending, 0, 'a server that stops waits for nothing');
  });

  t.test('ownership: what was pending while the store was away is written once, and nothing is lost', async t => {
    const store = await open(t);
    const [staying = 0, leaving = 0, returning = 0, brief = 0, told = 0] = await addHosts(store, 5);
    const one = server(store, OLD);
    for (const id of [leaving, returning, told]) one.ready(id);
    await one.rest();
    one.outage = true;
    one.ready(staying);
    one.ownership.lost(leaving, { reason: 'gone', cause: 'closed' });
    one.ownership.lost(returning, { reason: 'gone', cause: 'closed' });
    one.ready(returning);
    one.ready(brief);
    one.ownership.lost(brief, { reason: 'gone', cause: 'closed' });
    one.ownership.listed(told, { msHostList: '192.0.2.9@static', configurationVersion: 4 });
    one.ownership.listed(staying, { msHostList: '192.0.2.9@static', configurationVersion: 4 });
    await until(() => one.health.away);
    one.writes.length = 0;
    await one.back();
    await one.rest();
    t.same([...one.writes].sort(), ['hostsDisconnected 1', 'hostsMsHostList 1', 'hostsReady 2']);
    t.match(await store.host(staying), { status: 'Up', msid: OLD, epoch: 1, msHostList: '192.0.2.9@static' });
    t.match(await store.host(leaving), { status: 'Disconnected', msid: null, epoch: 1 });
    t.match(await store.host(returning), { status: 'Up', msid: OLD, epoch: 2 });
    t.match(await store.host(brief), { status: 'Connecting', msid: null, epoch: 0 });
    t.match(await store.host(told), {
      status: 'Up',
      epoch: 1,
      msHostList: '192.0.2.9@static',
      configurationVersion: 4,
    });
  });

  t.test('ownership: a list is not written over what a newer owner has', async t => {
    const store = await open(t);
    const [id = 0] = await addHosts(store, 1);
    const [old, young] = [server(store, OLD), server(store, NEW)];
    old.ready(id);
    await old.rest();
    young.ready(id, { msHostList: '192.0.2.5@static', configurationVersion: 5 });
    await young.rest();
    old.ownership.listed(id, { msHostList: 'stale@static', configurationVersion: 2 });
    await old.rest();
    t.match(await store.host(id), { msid: NEW, epoch: 2, msHostList: '192.0.2.5@static', configurationVersion: 5 });
  });

  t.test('ownership: a host that nobody has any more is taken back under a new epoch', async t => {
    const store = await open(t);
    const [id = 0] = await addHosts(store, 1);
    const one = server(store, OLD);
    one.ready(id);
    await one.rest();
    await store.releaseHosts(OLD, { at: 0, reason: 'its management server is down', cause: 'server-down' });
    one.ownership.again(id);
    one.ownership.again(id);
    await one.rest();
    t.match(await store.host(id), { status: 'Up', msid: OLD, epoch: 2 });
    t.equal(one.ownership.epochOf(id), 2);
    one.ownership.lost(id, { reason: 'gone', cause: 'closed' });
    one.ownership.again(id);
    await one.rest();
    t.match(await store.host(id), { status: 'Disconnected', epoch: 2 });
  });

  t.test('ownership: a late Ready of an older link leaves the host to the server with the later one', async t => {
    const store = await open(t);
    const [id = 0, other = 0] = await addHosts(store, 2);
    const [late, young] = [server(store, OLD), server(store, NEW)];
    young.ready(id, LIST, 2);
    await young.rest();
    const row = await store.host(id);
    late.ready(id, LIST, 1);
    late.ready(other, LIST, 1);
    // While it is being written.
    late.ownership.listed(id, { msHostList: 'stale@static', configurationVersion: 2 });
    await late.rest();
    t.ok(late.superseded.length > 0 && late.superseded.every(hostId => hostId === id));
    t.same([...young.superseded, ...late.removed], []);
    t.equal(late.ownership.epochOf(id), undefined);
    t.match(await store.host(other), { msid: OLD, epoch: 1 });
    late.writes.length = 0;
    late.ownership.again(id);
    late.ownership.listed(id, { msHostList: 'stale@static', configurationVersion: 2 });
    late.ownership.lost(id, { reason: 'the agent is Ready on a newer link', cause: 'server-ended' });
    late.ownership.retry();
    await late.rest();
    t.same(
      late.writes.filter(write => !write.startsWith('hostsReady')),
      [],
      'no disconnect',
    );
    t.same(await store.host(id), row);
  });

  t.test('ownership: a host is not taken back from a later link of its agent', async t => {
    const store = await open(t);
    const [id = 0] = await addHosts(store, 1);
    const [old, young] = [server(store, OLD), server(store, NEW)];
    old.ready(id, LIST, 1);
    await old.rest();
    young.ready(id, LIST, 2);
    await young.rest();
    old.ownership.again(id);
    await old.rest();
    t.same(old.superseded, [id]);
    old.ownership.lost(id, { reason: 'closed', cause: 'server-ended' });
    await old.rest();
    t.match(await store.host(id), { status: 'Up', msid: NEW, epoch: 2, linkNumber: 2 });
  });

  t.test('regression: what was on its way when the server stopped does not come in behind the end', async t => {
    const store = await open(t);
    const [id = 0] = await addHosts(store, 1);
    const one = server(store, OLD);
    let release = () => {};
    one.hold = new Promise<void>(resolve => {
      release = resolve;
    });
    one.ready(id);
    one.ownership.stop();
    const released = one.ownership.releaseAll({ reason: 'the server stopped', cause: 'server-stopped' });
    one.hold = undefined;
    // The write that was begun takes its time.
    setImmediate(release);
    await released;
    t.match(await store.host(id), { status: 'Disconnected', msid: null, disconnectReason: 'the server stopped' });
  });

  t.test('ownership: a host that was removed meanwhile is said to be', async t => {
    const store = await open(t);
    const [id = 0, other = 0] = await addHosts(store, 2);
    const one = server(store, OLD);
    await store.removeHost(id, 0);
    one.ready(id);
    one.ready(other);
    await one.rest();
    t.same(one.removed, [id]);
    t.match(await store.host(other), { status: 'Up' });
  });
}

const env = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;

t.test('SQLite', async t => {
  ownershipTests(t, async t => {
    const store = await openStore(`sqlite:${join(testFolder(t), 'muster.db')}`, env);
    t.teardown(() => store.close());
    return store;
  });
});

const whyNot = whyNoMariaDb(t);
t.test('MariaDB', { skip: whyNot ?? false }, async t => {
  const mariadb = await startMariaDb(t);
  ownershipTests(t, async t => {
    const store = await openStore(await mariadb.createDatabase(), env);
    t.teardown(() => store.close());
    return store;
  });
});
