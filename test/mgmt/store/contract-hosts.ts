import { isDeepStrictEqual } from 'node:util';
import { readAll, readHosts } from '../../../src/mgmt/store/pages.js';
import {
  HOSTS_A_BATCH,
  type HostQuery,
  type HostsCursor,
  ROWS_A_PAGE,
  type Store,
} from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostDisconnected, hostReady, registerHost, wholeHosts } from '../../helpers/one-host.js';
import { type FreshStore, MSID_A, MSID_B, storeTest } from './store-test.js';

const ready = (id: number, msid: number, more: { at?: number; msHostList?: string | null } = {}) => ({
  id,
  msid,
  at: 1_000,
  msHostList: `192.0.2.${id}@static`,
  ...more,
});

const taken = (epoch: number) => ({ kind: 'taken', epoch }) as const;

/** Registers `count` hosts, whose ids are 1, 2, 3 … */
async function registered(store: Store, count: number): Promise<void> {
  const zone = await store.zoneId('default');
  await store.registerHosts(Array.from({ length: count }, (_, i) => hostDescription(`guid${i + 1}`, zone)));
}

/** The rows that have changed behind a cursor, and their ids in the order of the changes. */
async function changes(store: Store, after: HostsCursor) {
  const { versions, cursor, more } = await store.hostVersions(after);
  const ids = versions.map(({ id }) => id);
  return { ids, hosts: await store.hostsById(ids), cursor, more };
}

/** Many hosts at once: batches, pages, changes, placement. */
export function hostsContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('batches: new and known hosts register in one call, a guid that occurs twice too', async (t, store) => {
    await registered(store, 3);
    await hostReady(store, 1, { msid: MSID_A, at: 1_000, msHostList: null });
    await hostReady(store, 2, { msid: MSID_A, at: 1_000, msHostList: null });
    await hostDisconnected(store, 2, { msid: MSID_A, epoch: 1, at: 2_000, reason: 'link closed' });
    await store.removeHost(3, 3_000);
    const batch = ['guid2', 'new', 'guid1', 'guid3', 'new'].map(guid => hostDescription(guid, 1));
    const again = { ...hostDescription('new', 1), name: 'renamed' };
    const registrations = await store.registerHosts([...batch, again]);
    t.match(registrations, [
      { host: { id: 2, status: 'Connecting', epoch: 1, disconnectReason: 'link closed' }, isNew: false },
      { host: { id: 4, status: 'Connecting', epoch: 0 }, isNew: true },
      { host: { id: 1, status: 'Up', msid: MSID_A }, isNew: false },
      { host: { id: 5, guid: 'guid3' }, isNew: true },
      { host: { id: 4 }, isNew: false },
      { host: { id: 4, name: 'renamed' }, isNew: false },
    ]);
    t.strictSame(
      await wholeHosts(store),
      [2, 0, 5, 3].map(i => registrations[i]?.host),
    );
    const broken = [hostDescription('other', 1), hostDescription('a\0b', 1)];
    await t.rejects(store.registerHosts(broken), { name: 'StoreError', code: 'STORE_VALUE_REFUSED' });
    t.equal((await wholeHosts(store)).length, 4, 'one that cannot be kept fails them all');
    t.strictSame(await store.registerHosts([]), []);
  });

  test('batches: many become Ready in one call, in their order, each with its own values', async (t, store) => {
    await registered(store, 5);
    await hostReady(store, 2, { msid: MSID_B, at: 500, msHostList: null, configurationVersion: 3 });
    await store.removeHost(4, 600);
    const batch = [
      ready(3, MSID_A),
      ready(1, MSID_A, { at: 2_000, msHostList: null }),
      { ...ready(2, MSID_A), configurationVersion: 7 },
      ready(4, MSID_A),
      ready(99, MSID_A),
      ready(1, MSID_B),
    ];
    const removed = { kind: 'removed' } as const;
    t.strictSame(await store.hostsReady(batch), [taken(1), taken(1), taken(2), removed, removed, taken(2)]);
    t.match(await store.host(1), { status: 'Up', msid: MSID_B, lastMsid: MSID_A, epoch: 2, lastPing: 1_000 });
    t.match(await store.host(1), { msHostList: '192.0.2.1@static', configurationVersion: null });
    t.match(await store.host(2), { msid: MSID_A, lastMsid: MSID_B, epoch: 2, configurationVersion: 7 });
    t.match(await store.host(3), { msid: MSID_A, lastMsid: null, epoch: 1, msHostList: '192.0.2.3@static' });
    t.match(await store.host(5), { status: 'Connecting', epoch: 0 });
    t.strictSame(await store.hostsReady([]), []);
    await hostReady(store, 2, { msid: MSID_A, at: 3_000, msHostList: null });
    t.match(await store.host(2), { lastMsid: MSID_B, configurationVersion: 7 }, 'kept, when nothing else is said');
  });

  test('hosts: the row says which agent process became Ready last, and from where', async (t, store) => {
    await registered(store, 2);
    await store.hostsReady([{ ...ready(1, MSID_A), instanceId: 'p1', linkAddress: '2001:db8::1' }, ready(2, MSID_A)]);
    t.match(await store.host(1), { instanceId: 'p1', linkAddress: '2001:db8::1' });
    t.match(await store.host(2), { instanceId: null, linkAddress: null });
    await hostDisconnected(store, 1, { msid: MSID_A, epoch: 1, at: 2_000, reason: 'gone' });
    await registerHost(store, { ...hostDescription('guid1', 1), name: 'other' });
    t.match(await store.host(1), { instanceId: 'p1', status: 'Connecting' }, 'until another one is Ready');
    await store.hostsReady([{ ...ready(1, MSID_B), instanceId: 'p2', linkAddress: null }]);
    t.match(await store.host(1), { instanceId: 'p2', linkAddress: null });
  });

  test('hosts: an older link of an agent process does not take a host from a later one', async (t, store) => {
    await registered(store, 2);
    const SUPERSEDED = { kind: 'superseded' } as const;
    const by = (msid: number, linkNumber?: number, instanceId: string | null = 'p1', id = 1) => ({
      ...ready(id, msid, { at: 1_000 + (linkNumber ?? 0) }),
      ...{ instanceId, linkAddress: `192.0.2.${linkNumber ?? 99}` },
      ...(linkNumber !== undefined && { linkNumber }),
    });
    t.strictSame(await store.hostsReady([by(MSID_A, 7)]), [taken(1)]);
    const [before] = await wholeHosts(store);
    t.match(before, { msid: MSID_A, linkNumber: 7 });
    const { cursor } = await store.hostVersions();
    t.strictSame(await store.hostsReady([by(MSID_B, 6), by(MSID_B, 0)]), [SUPERSEDED, SUPERSEDED]);
    t.strictSame((await wholeHosts(store))[0], before, 'nothing of it is written');
    t.notOk((await changes(store, cursor)).hosts.some(({ epoch }) => epoch > 1));
    t.equal((await store.moves({ page: 1, pagesize: 10 })).count, 1);
    const batch = [by(MSID_B, 6), by(MSID_B, 3, 'p1', 2), by(MSID_B, 8), by(MSID_A, 7), by(MSID_A, 8)];
    t.strictSame(await store.hostsReady(batch), [SUPERSEDED, taken(1), taken(2), SUPERSEDED, taken(3)]);
    t.match(await wholeHosts(store), [
      { msid: MSID_A, linkNumber: 8, epoch: 3 },
      { msid: MSID_B, linkNumber: 3, epoch: 1 },
    ]);
    t.strictSame(await store.hostsReady([by(MSID_A, 5)]), [taken(4)], 'the server that has it may write what it likes');
    t.strictSame(await store.hostsReady([by(MSID_B, 1, 'p2')]), [taken(5)], 'of another process');
    t.strictSame(await store.hostsReady([by(MSID_A, undefined, 'p2')]), [taken(6)], 'without a number');
    t.match(await store.host(1), { instanceId: 'p2', linkNumber: null });
    t.strictSame(await store.hostsReady([by(MSID_B, 0, 'p2')]), [taken(7)], 'the former one had none');
    t.strictSame(
      await store.hostsReady([by(MSID_A, 9, null), by(MSID_B, 1, null)]),
      [taken(8), taken(9)],
      'no process',
    );
    await store.hostsReady([by(MSID_A, 9)]);
    await hostDisconnected(store, 1, { msid: MSID_A, epoch: 10, at: 2_000, reason: 'gone' });
    t.strictSame(await store.hostsReady([by(MSID_B, 8)]), [taken(11)], 'nobody has it');
  });

  test('hosts: one that is Connecting is given up only while its row is the same', async (t, store) => {
    await registered(store, 3);
    const [one, two, three] = await store.hosts();
    const giveUp = (host: typeof one, more: { epoch?: number; since?: number } = {}) => ({
      id: host?.id ?? 0,
      msid: null,
      epoch: more.epoch ?? host?.epoch ?? 0,
      connectingSince: more.since ?? host?.changed ?? 0,
      at: 2_000,
      reason: 'never Ready',
    });
    t.strictSame(
      await store.hostsDisconnected([giveUp(one, { since: (one?.changed ?? 0) - 1 }), giveUp(two, { epoch: 7 })]),
      [false, false],
    );
    t.strictSame(await store.hostsDisconnected([giveUp(one)]), [true]);
    t.match(await store.host(1), { status: 'Disconnected', disconnectReason: 'never Ready' });
    const [again] = await store.hosts();
    t.strictSame(await store.hostsDisconnected([giveUp(again)]), [false], 'it is Connecting no longer');
    await hostReady(store, 3, { msid: MSID_A, at: 1_000, msHostList: null });
    t.strictSame(await store.hostsDisconnected([giveUp(three)]), [false]);
  });

  test('batches: many are lost in one call, each under its own epoch', async (t, store) => {
    await registered(store, 5);
    await store.hostsReady([1, 2, 3].map(id => ready(id, MSID_A)));
    await hostReady(store, 2, { msid: MSID_B, at: 2_000, msHostList: null });
    const lost = (id: number, epoch: number, more: { msid?: number | null; reason?: string } = {}) => ({
      id,
      msid: MSID_A,
      epoch,
      at: 5_000 + id,
      reason: 'ping timeout',
      ...more,
    });
    const batch = [
      lost(3, 1, { reason: 'link closed' }),
      lost(2, 1),
      lost(1, 1),
      lost(4, 0, { msid: null }),
      lost(5, 1),
      lost(99, 1),
      lost(1, 1),
    ];
    t.strictSame(await store.hostsDisconnected(batch), [true, false, true, true, false, false, false]);
    t.match(await store.host(1), { status: 'Disconnected', msid: null, lastMsid: MSID_A, disconnected: 5_001 });
    t.match(await store.host(2), { status: 'Up', msid: MSID_B, epoch: 2 });
    t.match(await store.host(3), { status: 'Disconnected', disconnected: 5_003, disconnectReason: 'link closed' });
    t.match(await store.host(4), { status: 'Disconnected', msid: null, lastMsid: null });
    t.match(await store.host(5), { status: 'Connecting' });
  });

  test('batches: one that is too large is refused, and nothing is written', async (t, store) => {
    await registered(store, 1);
    const batch = Array.from({ length: HOSTS_A_BATCH + 1 }, () => ready(1, MSID_A));
    await t.rejects(store.hostsReady(batch), { name: 'RangeError' });
    t.equal((await store.host(1))?.epoch, 0);
  });

  test('batches: 1,500 hosts, Ready and let go again', async (t, store) => {
    await manyHosts(store, 1_500);
    const batches = Array.from({ length: 3 }, (_, i) =>
      Array.from({ length: HOSTS_A_BATCH }, (_, k) => ready(i * HOSTS_A_BATCH + k + 1, MSID_A)),
    );
    let epochs = 0;
    for (const batch of batches) {
      for (const outcome of await store.hostsReady(batch)) epochs += outcome.kind === 'taken' ? outcome.epoch : 0;
    }
    t.equal(epochs, 1_500);
    t.equal(await store.releaseHosts(MSID_A, { at: 9_000, reason: 'killed', cause: 'server-down' }), 1_500);
    t.strictSame(await store.agentsOfServer(MSID_A), []);
  });

  test('find: each filter, and pages by name with the count of all', async (t, store) => {
    const [zone, edge] = [await store.zoneId('default'), await store.zoneId('edge')];
    for (let i = 1; i <= 12; i++) {
      await registerHost(
        store,
        hostDescription(`guid${i}`, i % 3 === 0 ? edge : zone, {
          name: i === 7 ? 'Kvm_100%' : `host${i}`,
          privateIpAddress: `192.0.2.${i}`,
          cluster: i % 2 ? 'odd' : 'even',
          type: i === 11 ? 'SecondaryStorage' : 'Routing',
          arch: i === 12 ? 'aarch64' : 'x86_64',
          sockets: 2,
        }),
      );
    }
    await store.hostsReady([1, 2, 3, 4].map(id => ready(id, id < 4 ? MSID_A : MSID_B)));
    await hostReady(store, 5, { msid: MSID_B, at: 1, msHostList: null, configurationVersion: 4 });
    await store.removeHost(10, 1_000);
    const ids = async (query: Partial<HostQuery>) => {
      const { count, rows } = await store.findHosts({ page: 1, pagesize: 100, ...query });
      t.equal(count, rows.length);
      return rows.map(({ id }) => id).toSorted((one, other) => one - other);
    };
    t.strictSame(await ids({}), [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]);
    const five = await store.host(5);
    t.strictSame((await store.findHosts({ uuid: five?.uuid ?? '', page: 1, pagesize: 1 })).rows, [five]);
    t.equal(five?.sockets, 2);
    t.strictSame(await ids({ name: 'host1' }), [1]);
    t.strictSame(await ids({ name: 'HOST1' }), [], 'a name is exact');
    t.strictSame(await ids({ keyword: 'HOST1' }), [1, 11, 12]);
    t.strictSame(await ids({ keyword: '0%' }), [7], 'no wildcards');
    t.strictSame(await ids({ keyword: 'm_1' }), [7]);
    t.strictSame(await ids({ keyword: 't_1' }), []);
    t.strictSame(await ids({ keyword: '2.1' }), [1, 11, 12], 'a part of the address');
    t.strictSame(await ids({ status: ['Up'] }), [1, 2, 3, 4, 5]);
    t.strictSame(await ids({ status: ['Up', 'Disconnected'] }), [1, 2, 3, 4, 5]);
    t.strictSame(await ids({ status: [] }), []);
    t.strictSame(await ids({ msid: MSID_A }), [1, 2, 3]);
    t.strictSame(await ids({ msid: null }), [6, 7, 8, 9, 11, 12]);
    t.strictSame(await ids({ zoneId: edge }), [3, 6, 9, 12]);
    t.strictSame(await ids({ podId: five?.podId ?? 0, clusterId: five?.clusterId ?? 0 }), [1, 5, 7, 11]);
    t.strictSame(await ids({ type: 'SecondaryStorage' }), [11]);
    t.strictSame(await ids({ hypervisor: 'KVM', arch: 'aarch64' }), [12]);
    t.strictSame(await ids({ resourceState: 'Disabled' }), []);
    const second = await store.findHosts({ page: 2, pagesize: 4, zoneId: zone });
    t.equal(second.count, 7);
    t.equal(second.rows.length, 3);
    t.strictSame(await store.findHosts({ page: 3, pagesize: 4, zoneId: zone }), { count: 7, rows: [] });
  });

  test('regression: find: the order is by name over all pages, and by id among equal names', async (t, store) => {
    const zone = await store.zoneId('default');
    const names = ['kvm-b', 'kvm-d', 'kvm-a', 'twin', 'kvm-c', 'twin'];
    for (const [i, name] of names.entries()) await registerHost(store, hostDescription(`guid${i}`, zone, { name }));
    const sorted = [3, 1, 5, 2, 4, 6];
    const page = async (query: Partial<HostQuery>) =>
      (await store.findHosts({ page: 1, pagesize: 4, ...query })).rows.map(({ id }) => id);
    for (const filter of [
      {},
      { zoneId: zone },
      { status: ['Connecting'] as const },
      { keyword: 'w', type: 'Routing' },
    ]) {
      const found = filter.keyword === undefined ? sorted : [4, 6];
      t.strictSame([...(await page(filter)), ...(await page({ ...filter, page: 2 }))], found);
    }
    t.strictSame(await page({ behind: { name: 'kvm-c', id: 5 } }), [2, 4, 6]);
    t.strictSame(await page({ behind: { name: 'twin', id: 4 } }), [6], 'equal names');
    t.equal((await store.findHosts({ page: 1, pagesize: 4, behind: { name: 'twin', id: 4 } })).count, 6);
  });

  test('regression: find: a large page neither repeats nor leaves out a host while others are removed', async (t, store) => {
    await manyHosts(store, 3_000);
    const seen = new Set<number>();
    let answers = 0;
    const { rows } = await readHosts(
      async query => {
        const answer = await store.findHosts(query);
        // One that was told already goes: pages that are counted would move.
        if (answers++ === 0) await store.removeHost(answer.rows[0]?.id ?? 0, 1_000);
        return answer;
      },
      { page: 1, pagesize: 5_000 },
    );
    for (const { id } of rows) seen.add(id);
    t.strictSame([rows.length, seen.size], [3_000, 3_000]);
  });

  test('changes: new hosts, owners and removals show, whoever wrote them', async (t, store, open) => {
    const other = await open();
    await registered(store, 3);
    const start = await store.hostVersions();
    t.match(start, { versions: [], more: false });
    await hostReady(other, 2, { msid: MSID_A, at: 1_000, msHostList: null });
    await store.removeHost(3, 2_000);
    await registerHost(other, hostDescription('guid4', 1));
    const first = await changes(store, start.cursor);
    t.strictSame(first.ids.slice(-3).toSorted(), [2, 3, 4], 'those of the last seconds may come, too');
    t.match(
      first.hosts.find(({ id }) => id === 2),
      { status: 'Up', msid: MSID_A, epoch: 1, removed: null },
    );
    t.match(
      first.hosts.find(({ id }) => id === 3),
      { status: 'Removed', guid: 'guid3', msid: null, removed: 2_000 },
    );
    await hostDisconnected(store, 2, { msid: MSID_A, epoch: 1, at: 3_000, reason: 'link closed' });
    const second = await changes(store, first.cursor);
    t.equal(second.ids.at(-1), 2);
    t.match(await store.hostsById([2]), [{ id: 2, status: 'Disconnected' }]);
    await store.assignHosts([{ id: 1, preferred: '192.0.2.1' }], 0);
    t.equal((await changes(store, second.cursor)).ids.at(-1), 1);
    t.match(await store.hostsById([1, 1, 99]), [{ id: 1, preferred: '192.0.2.1' }]);
    t.strictSame(await store.hostsById([]), []);
  });

  test('changes: many come in several answers, each host at least once', async (t, store) => {
    const { cursor } = await store.hostVersions();
    const count = 2.5 * ROWS_A_PAGE;
    await manyHosts(store, count);
    const seen = new Set<number>();
    let [after, answers, more] = [cursor, 0, true];
    while (more) {
      const answer = await changes(store, after);
      for (const { id } of answer.hosts) seen.add(id);
      ({ cursor: after, more } = answer);
      answers++;
    }
    t.equal(seen.size, count);
    t.equal(answers, 3);
  });

  test('changes: writes in the same millisecond give a row different versions', async (t, store) => {
    await registered(store, 1);
    const versions = new Set<number>();
    for (let i = 0; i < 50; i++) {
      await store.hostsReady([ready(1, MSID_A)]);
      for (const { changed } of await store.hostsById([1])) versions.add(changed);
    }
    t.equal(versions.size, 50);
  });

  test('pages: all that is read of many hosts has an end', async (t, store) => {
    const count = 2.5 * ROWS_A_PAGE;
    const removed = ROWS_A_PAGE + 1;
    await manyHosts(store, count);
    await store.hostsReady(Array.from({ length: HOSTS_A_BATCH }, (_, i) => ready(i + 1, MSID_A)));
    await store.removeHost(removed, 1_000);
    const zone = await store.zoneId('default');
    const hosts = await store.hosts();
    t.strictSame([hosts.length, hosts.at(-1)?.id], [ROWS_A_PAGE, ROWS_A_PAGE]);
    const ids = await store.zoneHostIds(zone, ROWS_A_PAGE);
    t.strictSame([ids.length, ids[0], ids.at(-1)], [ROWS_A_PAGE, removed + 1, removed + ROWS_A_PAGE]);
    t.equal((await store.hosts(removed + ROWS_A_PAGE)).length, count - removed - ROWS_A_PAGE);
    t.equal((await readAll(after => store.hosts(after))).length, count - 1);
    t.equal((await readAll(after => store.zoneHostIds(zone, after))).length, count - 1);
    t.equal((await readAll(after => store.agentsOfServer(MSID_A, after))).length, HOSTS_A_BATCH);
    const all = await readHosts(query => store.findHosts(query), { page: 1, pagesize: 2 * count });
    t.strictSame([all.count, all.rows.length], [count - 1, count - 1]);
    const large = ROWS_A_PAGE + 100;
    const second = await readHosts(query => store.findHosts(query), { page: 2, pagesize: large });
    t.ok(isDeepStrictEqual(second.rows, all.rows.slice(large, 2 * large)));
    const tooLarge = { page: 1, pagesize: ROWS_A_PAGE + 1 };
    await t.rejects(store.findHosts(tooLarge), { name: 'RangeError' });
    await t.rejects(store.events(tooLarge), { name: 'RangeError' });
    await t.rejects(store.hostsById(Array.from({ length: ROWS_A_PAGE + 1 }, (_, i) => i)), { name: 'RangeError' });
  });

  test('hosts: a row has what servers need to serve the agent', async (t, store) => {
    await registered(store, 1);
    await hostReady(store, 1, { msid: MSID_A, at: 1_000, msHostList: 'A,B@static' });
    const { id, uuid, guid, name, zoneId, clusterId } = (await store.host(1)) ?? {};
    const identity = { id, uuid, guid, name, zoneId, clusterId, instanceId: null, linkAddress: null };
    const assignment = { preferred: null, nextPreferred: null, nextGeneration: null };
    const state = { status: 'Up', msid: MSID_A, epoch: 1, msHostList: 'A,B@static' };
    const [row] = await store.hosts();
    t.strictSame(row, { ...identity, ...assignment, ...state, changed: row?.changed });
  });

  test('servers: the agents of each, and those that it had last', async (t, store) => {
    await registered(store, 6);
    await store.hostsReady([1, 2, 3, 4].map(id => ready(id, MSID_A)));
    await hostReady(store, 2, { msid: MSID_B, at: 2_000, msHostList: null });
    await hostDisconnected(store, 4, { msid: MSID_A, epoch: 1, at: 3_000, reason: 'link closed' });
    const uuidOf = async (id: number) => (await store.host(id))?.uuid;
    const uuids = async (...ids: number[]) => Promise.all(ids.map(async id => ({ id, uuid: await uuidOf(id) })));
    t.strictSame(await store.agentsOfServer(MSID_A), await uuids(1, 3));
    t.strictSame(await store.agentsOfServer(MSID_A, 1), await uuids(3));
    t.strictSame(await store.lastAgentsOfServer(MSID_A), await uuids(4));
    t.strictSame(await store.agentsOfServer(MSID_B), await uuids(2));
    t.strictSame(await store.lastAgentsOfServer(MSID_B), []);
    t.strictSame(
      [await store.countAgents(MSID_A), await store.countAgents(MSID_B), await store.countAgents(1)],
      [2, 1, 0],
    );
  });
}

async function manyHosts(store: Store, count: number): Promise<void> {
  const zone = await store.zoneId('default');
  for (let from = 0; from < count; from += HOSTS_A_BATCH) {
    const length = Math.min(HOSTS_A_BATCH, count - from);
    await store.registerHosts(Array.from({ length }, (_, i) => hostDescription(`many${from + i}`, zone)));
  }
}
