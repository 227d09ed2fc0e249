import t from 'tap';
import { MemoryStore } from '../../../bench/memory-store.js';
import { ZoneHosts } from '../../../src/mgmt/hosts/zone-hosts.js';
import { ROWS_A_PAGE } from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';

async function storeWith(count: number): Promise<{ store: MemoryStore; zone: number; read: () => number }> {
  const store = new MemoryStore();
  const zone = await store.zoneId('default');
  for (let i = 1; i <= count; i++) await registerHost(store, hostDescription(`g${i}`, zone));
  return { store, zone, read: () => store.calls.filter(call => call === 'zoneHostIds').length };
}

/** The zone's hosts, read until one is among them. */
function zoneHosts(store: MemoryStore) {
  const hosts = new ZoneHosts(store);
  return Object.assign(hosts, {
    async including(zoneId: number, hostId: number) {
      await hosts.include(zoneId, hostId);
      return hosts.idsOf(zoneId);
    },
  });
}

t.test('zone-hosts: it is read once, and anew only when an id lies beyond its end', async t => {
  const { store, zone, read } = await storeWith(3);
  const hosts = zoneHosts(store);
  t.strictSame(await hosts.including(zone, 2), [1, 2, 3]);
  for (const id of [1, 2, 3]) await hosts.including(zone, id);
  t.equal(read(), 1);
  await registerHost(store, hostDescription('g4', zone));
  t.strictSame(hosts.idsOf(zone), [1, 2, 3]);
  t.strictSame(await hosts.including(zone, 4), [1, 2, 3, 4]);
  t.equal(read(), 2);
});

t.test('zone-hosts: a thousand agents that come at once share few readings, and all see themselves', async t => {
  const { store, zone, read } = await storeWith(1_000);
  const hosts = zoneHosts(store);
  const seen = await Promise.all(Array.from({ length: 1_000 }, (_, i) => hosts.including(zone, i + 1)));
  t.ok(seen.every((ids, i) => ids.includes(i + 1)));
  t.equal(read(), 1_000 / ROWS_A_PAGE + 1, 'full pages, and an empty one behind them');
});

t.test('zone-hosts: zones do not mix, and a host that changes its zone is found in the new one', async t => {
  const { store, zone } = await storeWith(2);
  const edge = await store.zoneId('edge');
  await registerHost(store, hostDescription('e', edge));
  const hosts = zoneHosts(store);
  t.strictSame(await hosts.including(zone, 1), [1, 2]);
  t.strictSame(await hosts.including(edge, 3), [3]);
  await registerHost(store, hostDescription('g1', edge));
  t.strictSame(await hosts.including(edge, 1), [1, 3]);
});

t.test('zone-hosts: a failed reading is told to who asked, and the next one tries again', async t => {
  const { store, zone } = await storeWith(1);
  const hosts = zoneHosts(store);
  store.outage = 'STORE_BUSY';
  await t.rejects(hosts.including(zone, 1), { code: 'STORE_BUSY' });
  store.outage = undefined;
  t.strictSame(await hosts.including(zone, 1), [1]);
});

t.test('zone-hosts: one that is in memory follows what it is told; one that is not is read whole', async t => {
  const { store, zone, read } = await storeWith(3);
  const hosts = zoneHosts(store);
  hosts.add(zone, 3);
  t.strictSame(hosts.idsOf(zone), [], 'it is not in memory');
  t.notOk(hosts.lacks(zone, 3));
  await hosts.read(zone);
  await hosts.read(zone);
  t.strictSame(hosts.idsOf(zone), [1, 2, 3]);
  t.equal(read(), 1);
  t.same([hosts.lacks(zone, 3), hosts.lacks(zone, 5)], [false, true]);
  for (const id of [7, 5, 7]) hosts.add(zone, id);
  hosts.remove(zone, 2);
  t.strictSame(hosts.idsOf(zone), [1, 3, 5, 7]);
  await hosts.include(zone, 5);
  t.equal(read(), 1, 'it is there');
});

t.test('zone-hosts: a host that is told of during a reading is there once', async t => {
  const { store, zone } = await storeWith(3);
  const hosts = zoneHosts(store);
  await hosts.read(zone);
  await registerHost(store, hostDescription('g4', zone));
  await registerHost(store, hostDescription('g5', zone));
  const including = hosts.including(zone, 4);
  hosts.add(zone, 5);
  t.strictSame(await including, [1, 2, 3, 4, 5]);
});

t.test('regression: a host that comes from another zone stands at its place', async t => {
  const { store, zone } = await storeWith(2);
  const edge = await store.zoneId('edge');
  for (const guid of ['e1', 'e2']) await registerHost(store, hostDescription(guid, edge));
  const hosts = zoneHosts(store);
  await hosts.read(edge);
  hosts.add(edge, 1);
  t.strictSame(hosts.idsOf(edge), [1, 3, 4]);
  t.not(zone, edge);
});
