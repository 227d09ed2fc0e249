import {
  type Arrival,
  type HostReadyEntry,
  type MoveQuery,
  ROWS_A_PAGE,
  type Store,
} from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';
import { type FreshStore, MSID_A, MSID_B, storeTest } from './store-test.js';

const LIST = '192.0.2.1,192.0.2.2@static';
const SAID: Arrival = { kind: 'connect', cause: 'started', isPreferred: true, gapMs: null };

type Said = Partial<Arrival> & { readonly ageMs?: number };

/** @param said undefined: nothing is known of how it has come */
const ready = (id: number, msid: number, at: number, said?: Said): HostReadyEntry => {
  const { ageMs = 0, ...arrival } = said ?? {};
  return { id, msid, at, ageMs, msHostList: LIST, ...(said && { arrival: { ...SAID, ...arrival } }) };
};

const newHost = async (store: Store, guid: string) =>
  (await registerHost(store, hostDescription(guid, await store.zoneId('default')))).host;

/** Newest first, without their moments. */
async function moves(store: Store, query: Partial<MoveQuery> = {}) {
  const { rows } = await store.moves({ page: 1, pagesize: 100, ...query });
  return rows.map(({ hostId, from, to, kind, cause, gapMs }) => [hostId, from, to, kind, cause, gapMs]);
}

/** Where hosts were, and why they went. */
export function movesContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('moves: a record for each change of place, in the transaction that changes it', async (t, store) => {
    const { id } = await newHost(store, 'g1');
    t.strictSame(await store.moves({ page: 1, pagesize: 10 }), { count: 0, rows: [] });
    await store.hostsReady([ready(id, MSID_A, 1, { kind: 'connect', cause: 'started' })]);
    const [{ epoch } = { epoch: 0 }] = await store.hosts();
    const lost = { id, msid: MSID_A, epoch, at: 2, reason: 'x', cause: 'reset' as const, ageMs: 0 };
    t.strictSame(await store.hostsDisconnected([lost]), [true]);
    await store.hostsReady([ready(id, MSID_B, 3, { kind: 'failover', cause: 'reset', gapMs: 412 })]);
    // The agent has opened its new link before it ends the old one, which is no loss then.
    await store.hostsReady([ready(id, MSID_A, 4, { kind: 'failback', cause: 'preferred', gapMs: 0 })]);
    t.strictSame(await store.hostsDisconnected([{ ...lost, msid: MSID_B, epoch: epoch + 1 }]), [false]);
    await store.releaseHosts(MSID_A, { at: 5, reason: 'killed', cause: 'server-down' });
    t.strictSame(await moves(store), [
      [id, MSID_A, null, 'lost', 'server-down', null],
      [id, MSID_B, MSID_A, 'failback', 'preferred', 0],
      [id, MSID_A, MSID_B, 'failover', 'reset', 412],
      [id, MSID_A, null, 'lost', 'reset', null],
      [id, null, MSID_A, 'connect', 'started', null],
    ]);
  });

  test('moves: a host that has gone over without a gap was not lost, whichever server has written first', async (t, store) => {
    const { id } = await newHost(store, 'g1');
    await store.hostsReady([ready(id, MSID_A, 1)]);
    await store.hostsDisconnected([{ id, msid: MSID_A, epoch: 1, at: 2, reason: 'x', cause: 'closed' }]);
    await store.hostsReady([ready(id, MSID_B, 3, { kind: 'failback', cause: 'preferred', gapMs: 0 })]);
    t.strictSame(await moves(store), [
      [id, MSID_A, MSID_B, 'failback', 'preferred', 0],
      [id, null, MSID_A, 'connect', 'unknown', null],
    ]);
  });

  test('moves: a write that is repeated, since nobody knows whether it was carried out, is recorded once', async (t, store) => {
    const { id } = await newHost(store, 'g1');
    const entry = ready(id, MSID_A, 1, { kind: 'failover', cause: 'closed', gapMs: 9 });
    await store.hostsReady([entry]);
    await store.hostsReady([entry]);
    const lost = { id, msid: MSID_A, epoch: 2, at: 2, reason: 'x', cause: 'closed' as const };
    t.strictSame(await store.hostsDisconnected([lost]), [true]);
    t.strictSame(await store.hostsDisconnected([lost]), [false]);
    t.strictSame(await moves(store), [
      [id, MSID_A, null, 'lost', 'closed', null],
      [id, null, MSID_A, 'failover', 'closed', 9],
    ]);
  });

  test('moves: how a host has come whose agent does not say follows from its row', async (t, store) => {
    const { id } = await newHost(store, 'g1');
    const silent = (msid: number, at: number, isPreferred = false) =>
      store.hostsReady([ready(id, msid, at, { kind: undefined, cause: 'unknown', isPreferred })]);
    const lost = async (msid: number) => {
      const [{ epoch } = { epoch: 0 }] = await store.hosts();
      await store.hostsDisconnected([{ id, msid, epoch, at: 9, reason: 'x' }]);
    };
    await silent(MSID_A, 1);
    await silent(MSID_B, 2);
    await silent(MSID_A, 3, true);
    await silent(MSID_A, 4, true);
    await lost(MSID_A);
    await silent(MSID_A, 5, true);
    await lost(MSID_A);
    await silent(MSID_B, 6, true);
    t.strictSame(
      (await moves(store)).filter(([, , , kind]) => kind !== 'lost').map(([, , , kind]) => kind),
      ['failover', 'connect', 'register', 'failback', 'failover', 'connect'],
    );
  });

  test('moves: a host that never was Ready is not lost, and one that is removed is', async (t, store) => {
    const { id } = await newHost(store, 'g1');
    await store.hostsDisconnected([{ id, msid: null, epoch: 0, at: 1, reason: 'x', cause: 'closed' }]);
    t.strictSame(await moves(store), []);
    await store.hostsReady([ready(id, MSID_A, 1)]);
    await store.removeHost(id, 2);
    t.strictSame(await moves(store), [
      [id, MSID_A, null, 'lost', 'removed', null],
      [id, null, MSID_A, 'connect', 'unknown', null],
    ]);
    const idle = await newHost(store, 'g2');
    await store.removeHost(idle.id, 3);
    t.strictSame(await moves(store, { hostId: idle.id }), []);
  });

  test('moves: they are found by host, server, kind, cause and time, page by page', async (t, store) => {
    const ids: number[] = [];
    for (const guid of ['g1', 'g2', 'g3']) ids.push((await newHost(store, guid)).id);
    const [one = 0, two = 0, three = 0] = ids;
    await store.hostsReady([
      ready(one, MSID_A, 1, { ageMs: 30_000 }),
      ready(two, MSID_B, 1, { ageMs: 20_000 }),
      ready(three, MSID_B, 1, { ageMs: 10_000, kind: 'migrate', cause: 'asked' }),
    ]);
    const hostsOf = async (query: Partial<MoveQuery>) => (await moves(store, query)).map(([id]) => id);
    t.strictSame(await hostsOf({}), [three, two, one], 'newest first');
    t.strictSame(await hostsOf({ hostId: two }), [two]);
    t.strictSame(await hostsOf({ msid: MSID_B }), [three, two]);
    t.strictSame(await hostsOf({ kind: 'migrate' }), [three]);
    t.strictSame(await hostsOf({ cause: 'started' }), [two, one]);
    const { rows } = await store.moves({ page: 1, pagesize: 10 });
    const middle = rows[1]?.at ?? 0;
    t.equal(
      Math.round(((rows[1]?.at ?? 0) - (rows[2]?.at ?? 0)) / 1_000),
      10,
      'when it happened, not when it was written',
    );
    t.strictSame(await hostsOf({ since: middle }), [three, two]);
    t.strictSame(await hostsOf({ until: middle }), [one]);
    t.strictSame(await hostsOf({ page: 2, pagesize: 2 }), [one]);
    t.equal((await store.moves({ page: 2, pagesize: 2 })).count, 3);
    await t.rejects(store.moves({ page: 1, pagesize: ROWS_A_PAGE + 1 }), RangeError);
  });

  test('moves: the summary counts by kind and cause, and knows how long hosts had no Ready link', async (t, store) => {
    const batch: HostReadyEntry[] = [];
    for (let i = 1; i <= 200; i++) {
      const { id } = await newHost(store, `g${i}`);
      batch.push(ready(id, MSID_A, 1, { kind: 'failover', cause: 'closed', gapMs: i }));
    }
    const { id } = await newHost(store, 'new');
    await store.hostsReady([...batch, ready(id, MSID_B, 1)]);
    t.strictSame(await store.moveSummary({}), [
      { kind: 'connect', cause: 'unknown', count: 1, gap: undefined },
      { kind: 'failover', cause: 'closed', count: 200, gap: { p50: 100, p99: 198, max: 200 } },
    ]);
    t.strictSame(await store.moveSummary({ msid: MSID_B }), [
      { kind: 'connect', cause: 'unknown', count: 1, gap: undefined },
    ]);
    t.strictSame(await store.moveSummary({ since: Number.MAX_SAFE_INTEGER }), []);
  });

  test('moves: what is too old, or more than is kept, is deleted', async (t, store) => {
    const { id } = await newHost(store, 'g1');
    for (let i = 1; i <= 6; i++) {
      await store.hostsReady([ready(id, i % 2 ? MSID_A : MSID_B, i, { ageMs: 60_000 - i * 1_000, gapMs: i })]);
    }
    const gaps = async () => (await moves(store)).map(([, , , , , gapMs]) => gapMs);
    t.equal(await store.deleteMoves({ ageMs: 3_600_000, keep: 100 }), 0);
    t.equal(await store.deleteMoves({ ageMs: 3_600_000, keep: 4 }), 2);
    t.strictSame(await gaps(), [6, 5, 4, 3]);
    t.equal(await store.deleteMoves({ ageMs: 55_500, keep: 100 }), 2);
    t.strictSame(await gaps(), [6, 5]);
  });
}
