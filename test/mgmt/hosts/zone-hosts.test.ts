import t from 'tap';
import { Rings } from '../../../src/mgmt/hosts/zone-hosts.js';
import { factsOf } from '../../helpers/host-facts.js';
import { MemoryStore } from '../../helpers/memory-store.js';

async function storeWith(count: number): Promise<{ store: MemoryStore; zone: number; read: () => number }> {
  const store = new MemoryStore();
  const zone = await store.zoneId('default');
  for (let i = 1; i <= count; i++) await store.registerHost(factsOf(`g${i}`, zone));
  return { store, zone, read: () => store.calls.filter(call => call === 'zoneHostIds').length };
}

t.test('ring: it is read once, and anew only when an id lies beyond its end', async t => {
  const { store, zone, read } = await storeWith(3);
  const rings = new Rings(store);
  t.strictSame(await rings.including(zone, 2), [1, 2, 3]);
  for (const id of [1, 2, 3]) await rings.including(zone, id);
  t.equal(read(), 1);
  await store.registerHost(factsOf('g4', zone));
  t.strictSame(rings.known(zone), [1, 2, 3]);
  t.strictSame(await rings.including(zone, 4), [1, 2, 3, 4]);
  t.equal(read(), 2);
});

t.test('ring: a thousand agents that come at once share few readings, and all see themselves', async t => {
  const { store, zone, read } = await storeWith(1_000);
  const rings = new Rings(store);
  const seen = await Promise.all(Array.from({ length: 1_000 }, (_, i) => rings.including(zone, i + 1)));
  t.ok(seen.every((ring, i) => ring.includes(i + 1)));
  t.equal(read(), 1);
});

t.test('ring: zones do not mix, and a host that changes its zone is found in the new one', async t => {
  const { store, zone } = await storeWith(2);
  const edge = await store.zoneId('edge');
  await store.registerHost(factsOf('e', edge));
  const rings = new Rings(store);
  t.strictSame(await rings.including(zone, 1), [1, 2]);
  t.strictSame(await rings.including(edge, 3), [3]);
  await store.registerHost(factsOf('g1', edge));
  t.strictSame(await rings.including(edge, 1), [1, 3]);
});

t.test('ring: a failed reading is told to who asked, and the next one tries again', async t => {
  const { store, zone } = await storeWith(1);
  const rings = new Rings(store);
  store.outage = 'STORE_BUSY';
  await t.rejects(rings.including(zone, 1), { code: 'STORE_BUSY' });
  store.outage = undefined;
  t.strictSame(await rings.including(zone, 1), [1]);
});
