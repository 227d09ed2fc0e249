import { pagesOf } from '../../../src/mgmt/store/pages.js';
import { HOSTS_A_BATCH, type HostSelection, ROWS_A_PAGE, type Store } from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';
import { type FreshStore, storeTest } from './store-test.js';

async function tagged(store: Store, tag: string): Promise<readonly number[]> {
  const found = await store.findHosts({ tag, page: 1, pagesize: 100 });
  const ids = found.rows.map(({ id }) => id).toSorted((one, other) => one - other);
  const selected = (await store.selectHosts({ tag })).map(({ id }) => id);
  if (String(ids) !== String(selected) || found.count !== ids.length) throw new Error(`${ids} and ${selected}`);
  return ids;
}

/** What people say of hosts, and how hosts are chosen. */
export function hostTagsContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('tags: those of the agent are as it said last, and those of operators stand beside them', async (t, store, open) => {
    const zone = await store.zoneId('default');
    const host = (guid: string, ...implicitTags: string[]) => hostDescription(guid, zone, { implicitTags });
    const [one] = await store.registerHosts([host('g1', 'kvm', 'ssd'), host('g2', 'kvm'), host('g3')]);
    t.match(one?.host, { implicitTags: ['kvm', 'ssd'], explicitTags: [], annotation: null });
    t.strictSame(await store.host(1), one?.host);
    t.strictSame(
      [await tagged(store, 'kvm'), await tagged(store, 'ssd'), await tagged(store, 'KVM')],
      [[1, 2], [1], []],
    );

    const other = await open();
    const updated = await other.updateHost(1, { explicitTags: ['rack 7', 'kvm'], annotation: 'Ümläut' });
    t.match(updated, { implicitTags: ['kvm', 'ssd'], explicitTags: ['rack 7', 'kvm'], annotation: 'Ümläut' });
    t.strictSame(await store.host(1), updated);
    t.strictSame([await tagged(store, 'kvm'), await tagged(store, 'rack 7')], [[1, 2], [1]], 'once');

    const again = await store.registerHosts([host('g1', 'nvme'), host('g3', 'kvm')]);
    t.match(again[0]?.host, { implicitTags: ['nvme'], explicitTags: ['rack 7', 'kvm'], annotation: 'Ümläut' });
    const tags = ['kvm', 'ssd', 'nvme', 'rack 7'];
    const idsOf = () => Promise.all(tags.map(tag => tagged(store, tag)));
    t.strictSame(await idsOf(), [[1, 2, 3], [], [1], [1]], 'kvm is still the operators’');
    t.match(await store.updateHost(1, { annotation: null }), { explicitTags: ['rack 7', 'kvm'], annotation: null });
    t.match(await store.updateHost(1, { explicitTags: [] }), { implicitTags: ['nvme'], explicitTags: [] });
    t.strictSame(await idsOf(), [[2, 3], [], [1], []]);
    await store.registerHosts([host('g1'), host('g2', 'kvm'), host('g3', 'kvm')]);
    t.strictSame(await idsOf(), [[2, 3], [], [], []]);

    await store.removeHost(2, 1_000);
    t.strictSame(await tagged(store, 'kvm'), [3]);
    t.equal(await store.updateHost(2, { annotation: 'x' }), undefined, 'it is removed');
    t.equal(await store.updateHost(99, { explicitTags: ['x'] }), undefined);
    t.match((await registerHost(store, host('g2', 'kvm'))).host, { id: 4, explicitTags: [] });
    t.strictSame(await tagged(store, 'kvm'), [3, 4]);
  });

  test('tags: many hosts with many tags in one batch', async (t, store) => {
    const zone = await store.zoneId('default');
    const tags = Array.from({ length: 32 }, (_, i) => `tag${i}`);
    const batch = Array.from({ length: HOSTS_A_BATCH }, (_, i) =>
      hostDescription(`g${i}`, zone, { implicitTags: tags.slice(0, 1 + (i % 32)) }),
    );
    await store.registerHosts(batch);
    const { count } = await store.findHosts({ tag: 'tag31', page: 1, pagesize: 1 });
    t.equal(count, 15);
    t.equal((await store.selectHosts({ tag: 'tag0' })).length, HOSTS_A_BATCH);
  });

  test('tags: an operator and the agent’s registration at the same moment lose nothing', async (t, store, open) => {
    const other = await open();
    const zone = await store.zoneId('default');
    await registerHost(store, hostDescription('g1', zone));
    for (let i = 0; i < 5; i++) {
      await Promise.all([
        store.updateHost(1, { explicitTags: [`op${i}`] }),
        registerHost(other, hostDescription('g1', zone, { implicitTags: [`agent${i}`] })),
      ]);
      t.match(await store.host(1), { explicitTags: [`op${i}`], implicitTags: [`agent${i}`] });
      t.strictSame([await tagged(store, `op${i}`), await tagged(store, `agent${i}`)], [[1], [1]]);
    }
    t.strictSame([await tagged(store, 'op0'), await tagged(store, 'agent0')], [[], []]);
  });

  test('select: by id, name and guid, by place and tag, and all; ascending', async (t, store) => {
    const [zone, edge] = [await store.zoneId('default'), await store.zoneId('edge')];
    const hosts = [
      hostDescription('g1', zone, { name: 'twin', implicitTags: ['a'] }),
      hostDescription('g2', edge, { name: 'twin', implicitTags: ['a', 'b'] }),
      hostDescription('g3', zone, { name: 'kvm-3', cluster: 'other', implicitTags: ['b'] }),
      hostDescription('g4', zone, { name: 'g1' }),
      hostDescription('g5', edge, { name: 'kvm-5', implicitTags: ['a'] }),
    ];
    const rows = (await store.registerHosts(hosts)).map(({ host }) => host);
    await store.removeHost(5, 1_000);
    const clusterId = rows[2]?.clusterId ?? 0;
    const cases: readonly (readonly [HostSelection, readonly number[]])[] = [
      [{}, [1, 2, 3, 4]],
      [{ names: [] }, []],
      [{ names: ['kvm-3', rows[0]?.uuid.toUpperCase() ?? ''] }, [1, 3]],
      [{ names: ['twin'] }, [1, 2]],
      [{ names: ['g2', 'g2', 'nobody'] }, [2]],
      [{ names: ['g1'] }, [1, 4]],
      [{ names: ['g5', 'kvm-5', rows[4]?.uuid ?? ''] }, []],
      [{ zoneId: zone }, [1, 3, 4]],
      [{ clusterId }, [3]],
      [{ tag: 'a' }, [1, 2]],
      [{ tag: 'b', zoneId: zone }, [3]],
      [{ tag: 'nobody' }, []],
    ];
    const wrong = [];
    for (const [selection, expected] of cases) {
      const ids = (await store.selectHosts(selection)).map(({ id }) => id);
      const behind = (await store.selectHosts(selection, 1, 2)).map(({ id }) => id);
      const expectedBehind = expected.filter(id => id > 1).slice(0, 2);
      if (`${ids}|${behind}` !== `${expected}|${expectedBehind}`) wrong.push({ selection, expected, ids, behind });
    }
    t.strictSame(wrong, []);
    const picked = rows.slice(0, 2).map(({ id, uuid, name, guid }) => ({ id, uuid, name, guid }));
    t.strictSame(await store.selectHosts({ names: ['twin'] }), picked, 'which of the names each has, the caller sees');
    await t.rejects(store.selectHosts({}, 0, ROWS_A_PAGE + 1), { name: 'RangeError' });
    await t.rejects(store.selectHosts({ names: Array.from({ length: ROWS_A_PAGE + 1 }, String) }), {
      name: 'RangeError',
    });
  });

  test('select: more hosts than a page has come page by page', async (t, store) => {
    const zone = await store.zoneId('default');
    const count = 2.5 * ROWS_A_PAGE;
    for (let from = 0; from < count; from += HOSTS_A_BATCH) {
      const names = Array.from({ length: Math.min(HOSTS_A_BATCH, count - from) }, (_, i) => `g${from + i}`);
      await store.registerHosts(names.map(guid => hostDescription(guid, zone, { implicitTags: ['all'] })));
    }
    for (const selection of [{}, { tag: 'all' }, { zoneId: zone }]) {
      const ids: number[] = [];
      const pages: number[] = [];
      for await (const page of pagesOf(after => store.selectHosts(selection, after))) {
        pages.push(page.length);
        ids.push(...page.map(({ id }) => id));
      }
      t.strictSame(pages, [ROWS_A_PAGE, ROWS_A_PAGE, count - 2 * ROWS_A_PAGE]);
      t.strictSame(
        ids,
        Array.from({ length: count }, (_, i) => i + 1),
      );
    }
  });

  test('places: the clusters that have a host of a kind', async (t, store) => {
    const zone = await store.zoneId('default');
    const hosts = [
      hostDescription('g1', zone, { cluster: 'a', arch: 'aarch64' }),
      hostDescription('g2', zone, { cluster: 'b' }),
      hostDescription('g3', zone, { cluster: 'b', hypervisorType: 'Xen' }),
      hostDescription('g4', zone, { cluster: 'c', hypervisorType: 'Xen', arch: 'aarch64' }),
      hostDescription('g5', zone, { cluster: null }),
    ];
    const [a, b] = (await store.registerHosts(hosts)).map(({ host }) => host.clusterId);
    await store.removeHost(4, 1_000);
    const found = async (query: { hypervisor?: string; arch?: string }) =>
      (await store.clusterIdsOfHosts(query)).toSorted((one, other) => one - other);
    t.strictSame(await found({ hypervisor: 'KVM' }), [a, b]);
    t.strictSame(await found({ hypervisor: 'Xen' }), [b]);
    t.strictSame(await found({ arch: 'aarch64' }), [a]);
    t.strictSame(await found({ hypervisor: 'Xen', arch: 'aarch64' }), []);
  });
}
