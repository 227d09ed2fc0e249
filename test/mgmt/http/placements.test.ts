import t from 'tap';
import { dateText } from '../../../src/api/moment.js';
import type { Arrival } from '../../../src/mgmt/store/store.js';
import { apiBench, MSID_1, MSID_2, wrongFields } from '../../helpers/api-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostReady, registerHost } from '../../helpers/one-host.js';

t.test('listPlacements: where each host was at the start, and each move since', async t => {
  const bench = await apiBench(t);
  const { store } = bench;
  const zoneId = await store.zoneId('default');
  const host = (name: string) => registerHost(store, hostDescription(name, zoneId, { name }));
  const [moved, new_, never, still] = [
    await host('kvm-1'),
    await host('kvm-2'),
    await host('kvm-3'),
    await host('kvm-4'),
  ];
  const first: Arrival = { kind: 'connect', cause: 'started', isPreferred: true, gapMs: null };
  const msHostList = '192.0.2.1,192.0.2.2@static';
  const come = (id: number, msid: number, at: number, ageMs: number, arrival: Partial<Arrival> = {}) =>
    hostReady(store, id, { msid, at, msHostList, ageMs, arrival: { ...first, ...arrival } });
  await come(moved.host.id, MSID_1, 1, 7_200_000);
  await come(moved.host.id, MSID_2, 2, 60_000, { kind: 'failover', cause: 'reset', gapMs: 412 });
  await come(new_.host.id, MSID_2, 3, 30_000);
  await come(still.host.id, MSID_1, 4, 7_200_000);
  const { move } = (await bench.call('listMoves', { kind: 'failover' })).body;
  const startdate = dateText(move[0].at - 3_600_000);
  const { placements } = (await bench.call('listPlacements', { startdate })).body;
  t.same(wrongFields('listPlacements', placements), []);
  t.same(
    placements.servers.map(({ address }: { address: string }) => address),
    ['192.0.2.1', '192.0.2.2'],
  );
  const byName = Object.fromEntries(placements.hosts.map((one: { hostname: string }) => [one.hostname, one]));
  t.match(byName['kvm-1'], { server: 1, preferredhost: '192.0.2.1', zonename: 'default', state: 'Up' });
  t.equal(byName['kvm-1'].moves, `${move[0].at - placements.start}:2:failover:reset:412`);
  t.equal(byName['kvm-2'].server, undefined, 'it had not come yet');
  t.match(byName['kvm-2'].moves, /^\d+:2:connect:started:$/);
  t.match(byName['kvm-3'], { server: undefined, moves: '' });
  t.match(byName['kvm-4'], { server: 1, moves: '' });
  const one = (await bench.call('listPlacements', { startdate, hostid: never.host.uuid })).body.placements;
  t.equal(one.count, 1);
  t.match((await bench.call('listPlacements')).body.errortext, /missing parameter startdate/);
});
