import type { HostReadyEntry } from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostDisconnected, hostMsHostList, hostReady, registerHost, wholeHosts } from '../../helpers/one-host.js';
import { setConfiguration } from '../../helpers/set-configuration.js';
import { alertsContract } from './contract-alerts.js';
import { apiKeysContract } from './contract-api-keys.js';
import { assignmentsContract } from './contract-assignments.js';
import { certificatesContract } from './contract-certificates.js';
import { clusterContract } from './contract-cluster.js';
import { commandsContract } from './contract-commands.js';
import { failuresContract } from './contract-failures.js';
import { hostTagsContract } from './contract-host-tags.js';
import { hostsContract } from './contract-hosts.js';
import { movesContract } from './contract-moves.js';
import { type FreshStore, MSID_A, MSID_B, storeTest } from './store-test.js';

const ready = (msid: number, at = 1_000): Omit<HostReadyEntry, 'id'> => ({
  msid,
  at,
  msHostList: '192.0.2.1,192.0.2.2@static',
});

/** What every store has to do, whatever database is behind it. */
export function storeContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);
  hostsContract(kind, fresh);
  hostTagsContract(kind, fresh);
  assignmentsContract(kind, fresh);
  clusterContract(kind, fresh);
  apiKeysContract(kind, fresh);
  certificatesContract(kind, fresh);
  commandsContract(kind, fresh);
  failuresContract(kind, fresh);
  movesContract(kind, fresh);
  alertsContract(kind, fresh);

  test('an empty store has no configuration, hosts or secrets', async (t, store) => {
    t.strictSame(await store.configuration(), {
      version: 0,
      values: new Map(),
      assignmentGeneration: 0,
      revocation: 0,
      authorities: 0,
    });
    t.strictSame(await wholeHosts(store), []);
    t.equal(await store.host(1), undefined);
    t.strictSame(await store.zoneHostIds(1), []);
    t.equal(await store.secret('ca'), undefined);
  });

  test('configuration: the first initial values are written, and later ones only where a name is new', async (t, store) => {
    const first = new Map([
      ['host', '192.0.2.1'],
      ['zones', 'default'],
    ]);
    t.strictSame(await store.initialiseConfiguration(first), new Map(), 'nothing differs');
    t.strictSame(await store.configuration(), {
      version: 1,
      values: first,
      assignmentGeneration: 0,
      revocation: 0,
      authorities: 0,
    });
    const second = new Map([
      ['host', '192.0.2.9'],
      ['zones', 'default'],
      ['ping.interval', '60'],
    ]);
    t.strictSame(await store.initialiseConfiguration(second), new Map([['host', '192.0.2.1']]), 'what stands instead');
    t.strictSame(await store.configuration(), {
      version: 2,
      values: new Map([...first, ['ping.interval', '60']]),
      assignmentGeneration: 0,
      revocation: 0,
      authorities: 0,
    });
    t.equal((await store.initialiseConfiguration(first)).size, 0);
    t.equal((await store.configuration()).version, 2, 'nothing new, no new generation');
  });

  test('configuration: each change raises the generation, and setting the same value does not', async (t, store) => {
    t.equal(await setConfiguration(store, 'host', 'a'), 1);
    t.equal(await setConfiguration(store, 'host', 'b,ü,"\'%_'), 2);
    t.equal(await setConfiguration(store, 'host', 'b,ü,"\'%_'), 2);
    t.equal(await setConfiguration(store, 'empty', ''), 3);
    t.strictSame(
      (await store.configuration()).values,
      new Map([
        ['empty', ''],
        ['host', 'b,ü,"\'%_'],
      ]),
    );
  });

  test('configuration: several values are one generation, and none is written when another came in between', async (t, store) => {
    const two = new Map([
      ['host', 'a,b'],
      ['zones', 'default'],
    ]);
    t.strictSame(await store.updateConfiguration(two, 0), { done: true, version: 1 });
    t.strictSame(await store.updateConfiguration(two, 1), { done: true, version: 1 }, 'nothing changed');
    await setConfiguration(store, 'zones', 'edge');
    const late = new Map([
      ['host', 'c'],
      ['new', '1'],
    ]);
    t.strictSame(await store.updateConfiguration(late, 1), { done: false, version: 2 });
    t.strictSame((await store.configuration()).values, new Map([...two, ['zones', 'edge']]));
  });

  test('configuration: where it stands is told without its values, and follows each kind of change', async (t, store, open) => {
    const other = await open();
    const states: unknown[] = [];
    const look = async () => {
      const { values, canary, ...state } = await store.configuration();
      t.strictSame(await other.configurationState(), state);
      states.push(state);
    };
    await look();
    await setConfiguration(store, 'host', 'a');
    await look();
    const canary = { changes: new Map([['host', 'b']]), hosts: new Map([[1, 'b']]), createdBy: 'admin' };
    await store.updateConfiguration(new Map(), 1, { canary });
    await look();
    await store.updateConfiguration(new Map(), 2, { canary: 'ended' });
    await look();
    const begun = await store.beginAssignment();
    await store.updateConfiguration(new Map(), 3, { attempt: begun.begun ? begun.attempt : undefined });
    await look();
    await store.revokeCertificate({ serial: 'a1', cn: 'host', by: 'admin', at: 1_000 });
    await look();
    await store.addFirstAuthority({ fingerprint: 'f', chainPem: 'PEM', secret: 'ca', created: 1_000 });
    await store.introduceAuthority({
      ...{ fingerprint: 'g', chainPem: 'PEM', crossPem: 'CROSS', created: 2_000 },
      ...{ secret: 'ca.g', sealed: Buffer.from('sealed') },
    });
    await look();
    t.equal(new Set(states.map(state => JSON.stringify(state))).size, states.length, 'each change is seen');
  });

  test('canary: one begins, gets its job and ends, each with a new generation', async (t, store, open) => {
    const other = await open();
    const changes = new Map([
      ['host', 'b,ü'],
      ['weights', ''],
    ]);
    const hosts = new Map([
      [3, '192.0.2.1'],
      [9, null],
      [4, '192.0.2.1'],
    ]);
    const canary = { changes, hosts, createdBy: 'admin' };
    t.strictSame(await store.updateConfiguration(new Map(), 7, { canary }), { done: false, version: 0 });
    t.equal((await store.configuration()).canary, undefined, 'judged by another generation: nothing of it');
    t.strictSame(await store.updateConfiguration(new Map(), 0, { canary }), { done: true, version: 1 });
    const { canary: stands, version, values } = await other.configuration();
    t.match(stands, { id: 1, createdBy: 'admin', job: null, created: Number });
    t.strictSame([stands?.changes, version, values], [changes, 1, new Map()]);
    t.strictSame(
      [...(stands?.hosts ?? [])].toSorted(([one], [two]) => one - two),
      [...hosts].toSorted(([one], [two]) => one - two),
    );
    t.equal(await other.setCanaryJob(1, 'a-job'), true);
    t.equal(await other.setCanaryJob(2, 'another'), false);
    t.match(await store.configuration(), { version: 1, canary: { job: 'a-job' } });
    await setConfiguration(store, 'zones', 'edge');
    t.match(await store.configuration(), { version: 2, canary: { id: 1 } }, 'other changes leave it');
    t.strictSame(await store.updateConfiguration(changes, 1, { canary: 'ended' }), { done: false, version: 2 });
    t.strictSame(await store.updateConfiguration(changes, 2, { canary: 'ended' }), { done: true, version: 3 });
    const after = await other.configuration();
    t.strictSame([after.canary, after.values.get('host'), after.version], [undefined, 'b,ü', 3]);
    t.equal(await other.setCanaryJob(1, 'a-job'), false, 'it has ended');
    await store.updateConfiguration(new Map(), 3, { canary });
    t.strictSame(await store.updateConfiguration(new Map(), 4, { canary: 'ended' }), { done: true, version: 5 });
  });

  test('canary: of servers that begin one at the same time one does', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const begun = await Promise.all(
      stores.map((s, i) =>
        s.updateConfiguration(new Map(), 0, {
          canary: { changes: new Map([['host', `${i}`]]), hosts: new Map([[i, null]]), createdBy: 'admin' },
        }),
      ),
    );
    t.equal(begun.filter(({ done }) => done).length, 1);
    const { canary } = await store.configuration();
    t.equal(canary?.changes.get('host'), `${begun.findIndex(({ done }) => done)}`);
  });

  test('canary: 10,000 hosts are read as they were written, and more are refused', async (t, store) => {
    const hosts = (count: number) =>
      new Map(Array.from({ length: count }, (_, i) => [1_000_000 + i, `192.0.2.${i % 9}`]));
    const canary = { changes: new Map([['host', 'a']]), createdBy: 'admin' };
    await t.rejects(store.updateConfiguration(new Map(), 0, { canary: { ...canary, hosts: hosts(10_001) } }), {
      message: /10001 hosts; the limit is 10000/,
    });
    await store.updateConfiguration(new Map(), 0, { canary: { ...canary, hosts: hosts(10_000) } });
    const read = (await store.configuration()).canary?.hosts;
    t.same([read?.size, read?.get(1_000_007)], [10_000, '192.0.2.7']);
  });

  test('configuration: of servers that judged by the same generation one may write', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    await setConfiguration(store, 'host', 'a');
    const updates = await Promise.all(stores.map((s, i) => s.updateConfiguration(new Map([['host', `${i}`]]), 1)));
    t.equal(updates.filter(({ done }) => done).length, 1);
    t.equal((await store.configuration()).version, 2);
  });

  test('configuration: servers that set at the same moment get generations of their own', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const values = Array.from({ length: 12 }, (_, i) => new Map([[`name${i}`, String(i)]]));
    await Promise.all(values.map((value, i) => stores[i % 3]?.initialiseConfiguration(value)));
    const { version, values: standing } = await store.configuration();
    t.strictSame([version, standing.size], [12, 12]);
  });

  test('zones: a name keeps its id, also when all ask for it first', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const ids = await Promise.all(stores.flatMap(s => [s.zoneId('default'), s.zoneId('edge'), s.zoneId('default')]));
    t.equal(new Set(ids).size, 2);
    t.equal(await store.zoneId('default'), ids[0]);
    t.not(await store.zoneId('Default'), ids[0], 'names differ by case');
  });

  test('places: pods and clusters are made when a host names them, in its zone', async (t, store, open) => {
    const [zone, edge] = [await store.zoneId('default'), await store.zoneId('edge')];
    t.match(await store.zones(), [
      { id: zone, name: 'default', uuid: /^[0-9a-f-]{36}$/ },
      { id: edge, name: 'edge', uuid: /^[0-9a-f-]{36}$/ },
    ]);
    const stores = [store, await open(), await open()];
    const places = await Promise.all(
      stores.flatMap((s, i) => [
        registerHost(s, hostDescription(`${i}a`, zone)),
        registerHost(s, hostDescription(`${i}b`, zone, { cluster: 'other' })),
        registerHost(s, hostDescription(`${i}c`, edge)),
      ]),
    );
    const pods = await store.pods();
    const clusters = await store.clusters();
    t.strictSame(new Set(pods.map(({ zoneId, name }) => `${zoneId} ${name}`)), new Set(['1 pod', '2 pod']));
    t.strictSame(
      new Set(clusters.map(({ zoneId, name }) => `${zoneId} ${name}`)),
      new Set(['1 cluster', '1 other', '2 cluster']),
    );
    t.strictSame(new Set(places.map(({ host }) => host.clusterId)), new Set(clusters.map(({ id }) => id)));
    for (const { host } of places) {
      const cluster = clusters.find(({ id }) => id === host.clusterId);
      t.match(cluster, { zoneId: host.zoneId, podId: host.podId, name: host.cluster });
    }
    const nowhere = await registerHost(store, hostDescription('nowhere', zone, { pod: null }));
    t.match(nowhere.host, { podId: null, clusterId: null });
    const podOnly = await registerHost(store, hostDescription('pod only', zone, { cluster: null }));
    t.match(podOnly.host, { podId: places[0]?.host.podId, clusterId: null });
  });

  test("places: a cluster's own check interval is a new generation of the configuration", async (t, store) => {
    await registerHost(store, hostDescription('one', await store.zoneId('default')));
    t.match(await store.clusters(), [{ id: 1, checkIntervalSeconds: null }]);
    t.strictSame(await store.setClusterCheckInterval(1, 60, 0), { done: true, version: 1 });
    t.strictSame(await store.setClusterCheckInterval(1, 60, 1), { done: true, version: 1 }, 'nothing changed');
    t.strictSame(await store.setClusterCheckInterval(1, 90, 0), { done: false, version: 1 }, 'judged by an older one');
    t.match(await store.clusters(), [{ id: 1, checkIntervalSeconds: 60 }]);
    t.strictSame(await store.setClusterCheckInterval(1, null, 1), { done: true, version: 2 });
    t.strictSame(await store.setClusterCheckInterval(9, 60, 2), { done: true, version: 2 }, 'there is no such cluster');
    t.equal((await store.configuration()).version, 2);
  });

  test('hosts: a new guid gets the next id, and a known one keeps what it has', async (t, store) => {
    const zone = await store.zoneId('default');
    const before = Date.now();
    const { host: first, isNew } = await registerHost(store, hostDescription('one', zone));
    t.equal(isNew, true);
    t.match(first, { ...hostDescription('one', zone), id: 1, uuid: /^[0-9a-f-]{36}$/, status: 'Connecting', epoch: 0 });
    t.match(first, { msid: null, msHostList: null, lastPing: null, disconnected: null, disconnectReason: null });
    t.ok(first.created >= before && first.created <= Date.now());
    const second = await registerHost(store, hostDescription('two', zone));
    t.equal(second.host.id, 2);
    t.not(second.host.uuid, first.uuid);
    const edge = await store.zoneId('edge');
    const description = hostDescription('one', edge, { name: 'renamed', privateIpAddress: null, cpus: 8 });
    const again = await registerHost(store, description);
    t.strictSame(
      again,
      { host: { ...first, ...description, podId: 2, clusterId: 2 }, isNew: false, removedId: undefined },
      'the description is the newest one',
    );
    t.strictSame(await store.host(1), again.host);
    t.strictSame(await wholeHosts(store), [again.host, second.host]);
    t.not((await registerHost(store, hostDescription('ONE', zone))).host.id, 1, 'guids differ by case');
  });

  test('hosts: a zone that is not there is refused', async (t, store) => {
    await t.rejects(registerHost(store, hostDescription('one', 99)), { name: 'StoreError', code: 'STORE_FAILED' });
    const zone = await store.zoneId('default');
    t.equal((await registerHost(store, hostDescription('one', zone))).host.id, 1, 'and uses up no id');
  });

  test('hosts: a text with a NUL is refused, not cut', async (t, store) => {
    const zone = await store.zoneId('default');
    await t.rejects(registerHost(store, hostDescription('a\0b', zone)), {
      name: 'StoreError',
      code: 'STORE_VALUE_REFUSED',
    });
    t.strictSame(await wholeHosts(store), []);
  });

  test('hosts: a server takes one with Ready, under a new epoch', async (t, store) => {
    const zone = await store.zoneId('default');
    const { host } = await registerHost(store, hostDescription('one', zone));
    t.equal(await hostReady(store, host.id, ready(MSID_A)), 1);
    t.strictSame(await store.host(host.id), {
      ...host,
      status: 'Up',
      msid: MSID_A,
      epoch: 1,
      msHostList: '192.0.2.1,192.0.2.2@static',
      lastPing: 1_000,
    });
    t.equal(
      (await registerHost(store, hostDescription('one', zone))).host.status,
      'Up',
      'a Startup elsewhere takes nothing yet',
    );
    t.equal(await hostReady(store, host.id, { msid: MSID_B, at: 2_000, msHostList: null }), 2);
    t.match(await store.host(host.id), { msid: MSID_B, epoch: 2, msHostList: null, lastPing: 2_000 });
    t.equal(await hostReady(store, 99, ready(MSID_A)), undefined);
  });

  test('hosts: an acknowledged list is written under its epoch only', async (t, store) => {
    const { host } = await registerHost(store, hostDescription('one', await store.zoneId('default')));
    await hostReady(store, host.id, ready(MSID_A));
    t.equal(await hostMsHostList(store, host.id, { epoch: 1, msHostList: 'b,a@roundrobin' }), true);
    t.equal((await store.host(host.id))?.msHostList, 'b,a@roundrobin');
    t.equal(await hostMsHostList(store, host.id, { epoch: 1, msHostList: 'b,a@roundrobin' }), true, 'the same again');
    await hostReady(store, host.id, ready(MSID_B));
    t.equal(await hostMsHostList(store, host.id, { epoch: 1, msHostList: 'stale' }), false);
    t.equal((await store.host(host.id))?.msHostList, '192.0.2.1,192.0.2.2@static');
  });

  test('hosts: acknowledged lists are written in one go, each under its epoch', async (t, store) => {
    const zone = await store.zoneId('default');
    const hosts = await store.registerHosts(['one', 'two', 'three'].map(guid => hostDescription(guid, zone)));
    const [one = 0, two = 0, three = 0] = hosts.map(({ host }) => host.id);
    await store.hostsReady([one, two, three].map(id => ({ id, ...ready(MSID_A), configurationVersion: 3 })));
    await hostReady(store, two, ready(MSID_B));
    t.same(
      await store.hostsMsHostList([
        { id: one, epoch: 1, msHostList: 'b@static', configurationVersion: 7 },
        { id: two, epoch: 1, msHostList: 'stale@static', configurationVersion: 7 },
        { id: three, epoch: 1, msHostList: 'c@static' },
        { id: 99, epoch: 1, msHostList: 'nobody@static' },
      ]),
      [true, false, true, false],
    );
    t.match(await store.host(one), { msHostList: 'b@static', configurationVersion: 7, msid: MSID_A, epoch: 1 });
    t.match(await store.host(two), { msHostList: ready(MSID_B).msHostList, msid: MSID_B, epoch: 2 });
    t.match(await store.host(three), { msHostList: 'c@static', configurationVersion: 3, epoch: 1 });
    t.same(await store.hostsMsHostList([]), []);
  });

  test('hosts: a disconnect frees the host, and the next Ready clears it', async (t, store) => {
    const { host } = await registerHost(store, hostDescription('one', await store.zoneId('default')));
    await hostReady(store, host.id, ready(MSID_A));
    const lost = { msid: MSID_A, epoch: 1, at: 5_000, reason: 'link closed' };
    t.equal(await hostDisconnected(store, host.id, lost), true);
    t.match(await store.host(host.id), {
      status: 'Disconnected',
      msid: null,
      epoch: 1,
      disconnected: 5_000,
      disconnectReason: 'link closed',
    });
    t.equal(await hostDisconnected(store, host.id, { ...lost, at: 6_000 }), false, 'once');
    t.equal((await registerHost(store, hostDescription('one', host.zoneId))).host.status, 'Connecting');
    t.equal(await hostReady(store, host.id, ready(MSID_A)), 2);
    t.match(await store.host(host.id), { status: 'Up', disconnected: null, disconnectReason: null });
  });

  test('hosts: one that never became Ready is written off, unless a server has it by then', async (t, store) => {
    const { host } = await registerHost(store, hostDescription('one', await store.zoneId('default')));
    const gone = { msid: null, epoch: 0, at: 5_000, reason: 'no answer' };
    t.equal(await hostDisconnected(store, host.id, gone), true);
    t.match(await store.host(host.id), { status: 'Disconnected', msid: null, epoch: 0, disconnectReason: 'no answer' });
    await hostReady(store, host.id, ready(MSID_A));
    t.equal(await hostDisconnected(store, host.id, gone), false);
    t.equal(await hostDisconnected(store, host.id, { ...gone, epoch: 1 }), false);
    t.equal((await store.host(host.id))?.status, 'Up');
  });

  test("hosts: an old server's late disconnect after a newer Ready changes nothing", async (t, store, open) => {
    const old = await open();
    const { host } = await registerHost(old, hostDescription('one', await old.zoneId('default')));
    const epoch = (await hostReady(old, host.id, ready(MSID_A))) ?? 0;
    await hostReady(store, host.id, ready(MSID_B, 2_000));
    const before = await store.host(host.id);
    const lost = { msid: MSID_A, epoch, at: 9_000, reason: 'ping timeout' };
    t.equal(await hostDisconnected(old, host.id, lost), false);
    t.equal(await hostDisconnected(old, host.id, { ...lost, epoch: epoch + 1 }), false, 'not the owner');
    t.equal(await hostDisconnected(store, host.id, { ...lost, msid: MSID_B }), false, 'the owner, in an older epoch');
    t.strictSame(await store.host(host.id), before);
  });

  test('hosts: a removed one is gone, its id is never used again, and its guid comes back as a new host', async (t, store) => {
    const zone = await store.zoneId('default');
    for (const guid of ['one', 'two', 'three']) await registerHost(store, hostDescription(guid, zone));
    await hostReady(store, 3, ready(MSID_A));
    t.equal(await store.removeHost(3, 5_000), true);
    t.equal(await store.removeHost(3, 6_000), false);
    t.equal(await store.host(3), undefined);
    t.strictSame(await store.zoneHostIds(zone), [1, 2]);
    t.strictSame(
      (await wholeHosts(store)).map(host => host.id),
      [1, 2],
    );
    t.equal(await hostReady(store, 3, ready(MSID_A)), undefined);
    t.equal(await hostDisconnected(store, 3, { msid: MSID_A, epoch: 1, at: 7_000, reason: 'late' }), false);
    t.match(await registerHost(store, hostDescription('three', zone)), { host: { id: 4 }, isNew: true, removedId: 3 });
  });

  test('regression: a removed host that registers again is called that, once, with the id that it had', async (t, store) => {
    const zone = await store.zoneId('default');
    for (const guid of ['one', 'two']) await registerHost(store, hostDescription(guid, zone));
    await store.removeHost(1, 5_000);
    const batch = ['one', 'two', 'three'].map(guid => hostDescription(guid, zone));
    const first = await store.registerHosts(batch);
    t.strictSame(
      first.map(({ host, isNew, removedId }) => [host.id, isNew, removedId]),
      [
        [3, true, 1],
        [2, false, undefined],
        [4, true, undefined],
      ],
    );
    t.strictSame(new Set((await store.registerHosts(batch)).map(({ removedId }) => removedId)), new Set([undefined]));
    await store.removeHost(3, 6_000);
    t.match(await registerHost(store, hostDescription('one', zone)), { host: { id: 5 }, removedId: 3 }, 'the latest');
  });

  test('zoneHostIds: the hosts of one zone, ascending, whatever their state', async (t, store) => {
    const zone = await store.zoneId('default');
    const edge = await store.zoneId('edge');
    for (let i = 1; i <= 12; i++) await registerHost(store, hostDescription(`guid${i}`, i % 3 === 0 ? edge : zone));
    await hostReady(store, 4, ready(MSID_A));
    t.strictSame(await store.zoneHostIds(zone), [1, 2, 4, 5, 7, 8, 10, 11]);
    t.strictSame(await store.zoneHostIds(edge), [3, 6, 9, 12]);
    t.strictSame(await store.zoneHostIds(zone, 7), [8, 10, 11], 'read on from an id');
    t.strictSame(await store.zoneHostIds(zone, 11), []);
    t.strictSame(
      (await store.hosts(9)).map(host => host.id),
      [10, 11, 12],
    );
  });

  test('hosts: a server that stops lets go of its own, and of no other', async (t, store) => {
    const zone = await store.zoneId('default');
    for (const guid of ['one', 'two', 'three', 'four']) await registerHost(store, hostDescription(guid, zone));
    for (const id of [1, 2, 4]) await hostReady(store, id, ready(MSID_A));
    await hostReady(store, 3, ready(MSID_B));
    await hostReady(store, 2, ready(MSID_B));
    await store.removeHost(4, 1_000);
    const others = [await store.host(2), await store.host(3)];
    t.equal(await store.releaseHosts(MSID_A, { at: 9_000, reason: 'stopped', cause: 'server-down' }), 1);
    t.match(await store.host(1), {
      status: 'Disconnected',
      msid: null,
      epoch: 1,
      disconnected: 9_000,
      disconnectReason: 'stopped',
    });
    t.strictSame([await store.host(2), await store.host(3)], others);
    t.equal(await store.releaseHosts(MSID_A, { at: 9_500, reason: 'again', cause: 'server-down' }), 0);
  });

  test('hosts: servers that register at the same moment get distinct ids, and one guid gets one', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const zone = await store.zoneId('default');
    const registrations = await Promise.all(
      stores.flatMap((s, server) =>
        ['shared', ...Array.from({ length: 10 }, (_, i) => `${server}-${i}`)].map(guid =>
          registerHost(s, hostDescription(guid, zone)),
        ),
      ),
    );
    const shared = registrations.filter(({ host }) => host.guid === 'shared');
    t.equal(new Set(shared.map(({ host }) => host.id)).size, 1, 'the shared guid has one id');
    t.equal(shared.filter(({ isNew }) => isNew).length, 1, 'and was new once');
    t.strictSame(
      await store.zoneHostIds(zone),
      Array.from({ length: 31 }, (_, i) => i + 1),
    );
  });

  test('secrets: the first writer wins, and all get what it wrote', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const got = await Promise.all(stores.map((s, i) => s.createSecret('ca', new Uint8Array([0, 255, i]))));
    t.strictSame(got[1], got[0]);
    t.strictSame(got[2], got[0]);
    for (const s of stores) t.strictSame(await s.secret('ca'), got[0]);
    t.equal(got[0]?.constructor, Uint8Array);
    t.equal(await store.secret('other'), undefined);
  });

  test('secrets: all are replaced, or none when one is another by now', async (t, store) => {
    const [one, two, three] = [1, 2, 3].map(byte => new Uint8Array(300).fill(byte));
    if (!one || !two || !three) throw new Error('three');
    await store.createSecret('a', one);
    await store.createSecret('b', two);
    const refused = new Map([
      ['a', { from: one, to: three }],
      ['b', { from: one, to: three }],
    ]);
    t.equal(await store.replaceSecrets(refused), false);
    t.equal(await store.replaceSecrets(new Map([['c', { from: one, to: three }]])), false, 'there is none');
    t.strictSame(
      [...(await store.secrets())],
      [
        ['a', one],
        ['b', two],
      ],
    );
    t.equal(await store.replaceSecrets(new Map([['a', { from: one, to: three }]])), true);
    t.strictSame(
      [...(await store.secrets())],
      [
        ['a', three],
        ['b', two],
      ],
    );
  });

  test('a restart loses nothing', async (t, store, open) => {
    await setConfiguration(store, 'host', '192.0.2.1');
    const zone = await store.zoneId('default');
    await registerHost(store, hostDescription('one', zone));
    await hostReady(store, 1, ready(MSID_A));
    await registerHost(store, hostDescription('two', zone));
    await store.removeHost(2, 1_000);
    await store.createSecret('ca', new Uint8Array(300).fill(7));
    const before = [await store.configuration(), await wholeHosts(store), await store.secret('ca')];
    await store.close();
    const reopened = await open();
    t.strictSame([await reopened.configuration(), await wholeHosts(reopened), await reopened.secret('ca')], before);
    t.equal((await registerHost(reopened, hostDescription('three', zone))).host.id, 3, 'not even which ids were used');
  });

  test('close: calls under way end, later ones are refused', async (t, store) => {
    const updates = ['a', 'b'].map(name => store.updateConfiguration(new Map([[name, '1']]), 0));
    const zone = store.zoneId('default');
    await store.close();
    // Which of the two was first is for the database to say.
    t.strictSame((await Promise.all(updates)).map(({ done }) => done).toSorted(), [false, true]);
    t.equal(await zone, 1);
    await t.rejects(store.hosts(), { name: 'StoreError', code: 'STORE_CLOSED', operation: 'hosts' });
    await t.rejects(store.updateConfiguration(new Map(), 1), { code: 'STORE_CLOSED' });
    await store.close();
  });
}
