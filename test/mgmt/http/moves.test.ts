import t from 'tap';
import { dateText } from '../../../src/api/moment.js';
import type { Arrival } from '../../../src/mgmt/store/store.js';
import { apiBench, MSID_1, MSID_2, wrongFields } from '../../helpers/api-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostReady, registerHost } from '../../helpers/one-host.js';

const ARRIVAL: Arrival = { kind: 'connect', cause: 'started', isPreferred: true, gapMs: null };
const LIST = '192.0.2.1,192.0.2.2@static';

/** Host a has come to the first server and gone to the second one; b has come to the second, and was removed. */
async function movedHosts({ store }: Awaited<ReturnType<typeof apiBench>>) {
  const zoneId = await store.zoneId('default');
  const a = (await registerHost(store, hostDescription('a', zoneId, { name: 'kvm-a' }))).host;
  const b = (await registerHost(store, hostDescription('b', zoneId, { name: 'kvm-b' }))).host;
  const come = (id: number, msid: number, at: number, { ageMs, ...arrival }: Partial<Arrival> & { ageMs: number }) =>
    hostReady(store, id, { msid, at, msHostList: LIST, ageMs, arrival: { ...ARRIVAL, ...arrival } });
  await come(a.id, MSID_1, 1, { ageMs: 7_200_000 });
  await come(b.id, MSID_2, 2, { ageMs: 3_600_000 });
  await come(a.id, MSID_2, 3, { kind: 'failover', cause: 'reset', gapMs: 412, ageMs: 60_000 });
  await store.removeHost(b.id, 4);
  return { a, b };
}

t.test('listMoves: newest first, with the names of hosts and servers', async t => {
  const bench = await apiBench(t);
  t.same((await bench.call('listMoves')).body, {});
  const { a, b } = await movedHosts(bench);
  const { name, body } = await bench.call('listMoves');
  t.equal(name, 'listmovesresponse');
  t.equal(body.count, 4);
  const [removed, failover, , first] = body.move;
  t.match(removed, { hostname: 'kvm-b', hostid: b.uuid, kind: 'lost', cause: 'removed' });
  t.equal(removed.tomanagementserverid, undefined);
  t.match(failover, {
    ...{ hostid: a.uuid, hostname: 'kvm-a', kind: 'failover', cause: 'reset', gap: 412 },
    ...{ frommanagementserverid: bench.one.uuid, tomanagementserverid: bench.two.uuid },
  });
  t.equal(first.gap, undefined);
  t.equal(first.created, dateText(first.at));
  t.same(wrongFields('listMoves', failover), []);
});

t.test('listMoves: by host, server, kind, cause and time', async t => {
  const bench = await apiBench(t);
  const { a } = await movedHosts(bench);
  const kinds = async (params: Record<string, string>) =>
    ((await bench.call('listMoves', params)).body.move ?? []).map(({ kind }: { kind: string }) => kind);
  t.same(await kinds({ hostid: a.uuid }), ['failover', 'connect']);
  t.same(await kinds({ managementserverid: bench.one.uuid }), ['failover', 'connect']);
  t.same(await kinds({ kind: 'FAILOVER' }), ['failover']);
  t.same(await kinds({ cause: 'removed' }), ['lost']);
  t.same(await kinds({ pagesize: '1', page: '2' }), ['failover']);
  const { move } = (await bench.call('listMoves', { kind: 'failover' })).body;
  t.same(await kinds({ startdate: dateText(move[0].at) }), ['lost', 'failover']);
  t.same(await kinds({ enddate: dateText(move[0].at) }), ['connect', 'connect']);
});

t.test('listMoves: what is not allowed is said, with what is', async t => {
  const { call } = await apiBench(t);
  const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ kind: 'flight' }, /kind.*allowed are connect, failover/],
    [{ cause: 'bad luck' }, /cause.*allowed are started, closed/],
    [{ startdate: 'yesterday' }, /startdate.*a date such as/],
    [{ enddate: '2026-13-01' }, /enddate.*a date such as/],
    [{ hostid: '00000000-0000-4000-8000-000000000000' }, /no host with this id/],
  ];
  for (const [params, why] of wrong) {
    const { status, body } = await call('listMoves', params);
    t.equal(status, 431);
    t.match(body.errortext, why);
  }
});

t.test('listMovesSummary: how many of each kind and cause, and how long hosts had no Ready link', async t => {
  const bench = await apiBench(t);
  await movedHosts(bench);
  const { body } = await bench.call('listMovesSummary');
  t.same(body.movesummary, [
    { kind: 'connect', cause: 'started', count: 2 },
    { kind: 'failover', cause: 'reset', count: 1, gapmedian: 412, gapp99: 412, gapmax: 412 },
    { kind: 'lost', cause: 'removed', count: 1 },
  ]);
  t.equal((await bench.call('listMovesSummary', { kind: 'migrate' })).body.count, undefined);
});
