import t from 'tap';
import { API } from '../../../src/api/commands/index.js';
import { dateText, parseMoment } from '../../../src/api/moment.js';
import type { ApiCommand, Fields } from '../../../src/api/table.js';
import { systemRandom } from '../../../src/lib/random.js';
import { observeServers } from '../../../src/mgmt/cluster/observed-servers.js';
import type { LinkStatus } from '../../../src/mgmt/hosts/link-status.js';
import type { KnownRow } from '../../../src/mgmt/hosts/own-view.js';
import { ROWS_A_PAGE } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { apiBench, MSID_1, MSID_2, wrongFields } from '../../helpers/api-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostDisconnected, registerHost } from '../../helpers/one-host.js';
import { packedLinks } from '../../helpers/packed-links.js';
import { pendingJobs } from '../../helpers/pending-jobs.js';
import { setConfiguration } from '../../helpers/set-configuration.js';

type Bench = Awaited<ReturnType<typeof apiBench>>;

const START = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const JOB = { cmd: 'drain', params: '{}', hostId: null, createdBy: null };
const names = (items: readonly { name: string }[]) => items.map(({ name }) => name);

function linkOf(hostId: number, more: Partial<LinkStatus> = {}): LinkStatus {
  const nothing = { roundTripMs: undefined, failovers: undefined, lastLoss: undefined };
  const well = { lag: undefined, renewalFailure: undefined };
  return { hostId, since: START, lastPing: START, ...nothing, ...well, ...more };
}

// ---- while the store is away

const KNOWN: KnownRow = {
  id: 1,
  uuid: '00000000-0000-4000-8000-00000000000a',
  name: 'kvm-1',
  status: 'Up',
  msid: MSID_1,
  zoneId: 1,
  clusterId: null,
  msHostList: '192.0.2.2,192.0.2.1@static',
};

t.test('regression: with the store away, lists tell what this server knows itself, and say so', async t => {
  const bench = await apiBench(t);
  const { call, store, one } = bench;
  bench.servers = observeServers([], {
    rows: await store.servers(),
    ownMsid: MSID_1,
    elapsedMs: undefined,
    intervalMs: 1_500,
    thresholdMs: 150_000,
  });
  bench.links = [linkOf(1, { roundTripMs: 1.5 })];
  const elsewhere = { ...KNOWN, id: 2, uuid: KNOWN.uuid.replace('a', 'b'), name: 'kvm-2', msid: MSID_2 };
  bench.known = [KNOWN, elsewhere, { ...elsewhere, id: 3, name: 'kvm-3', status: 'Disconnected', msid: null }];
  const away = new StoreError('STORE_UNAVAILABLE', 'servers');
  const ways: readonly (readonly [string, () => unknown])[] = [
    ['a call finds out', () => Object.assign(bench, { outage: away })],
    ['it is known already', () => Object.assign(bench, { isKnownAway: true })],
  ];
  for (const [name, begin] of ways) {
    await t.test(name, async t => {
      begin();
      const hosts = (await call('listHosts')).body;
      t.match(hosts, { count: 3, warning: /^the store is away: this is what this management server knows itself/ });
      t.same(names(hosts.host), ['kvm-1', 'kvm-2', 'kvm-3']);
      t.match(hosts.host[0], { state: 'Up', managementserverid: one.uuid, lastpinged: '2026-01-01T00:00:00+0000' });
      t.same(names((await call('listHosts', { state: 'Up', page: 2, pagesize: 1 })).body.host), ['kvm-2']);
      t.same(names((await call('listHosts', { managementserverid: one.uuid })).body.host), ['kvm-1']);
      t.same(Object.keys((await call('listHosts', { keyword: 'nobody' })).body), ['warning']);
      t.match(await call('listHosts', { zoneid: one.uuid }), { status: 530, body: { errortext: /zoneid without it/ } });
      const links = (await call('listAgentLinks', { astray: 'true' })).body;
      t.match(links, { count: 2, warning: String });
      t.match(links.agentlink[0], {
        hostname: 'kvm-1',
        preferredhost: '192.0.2.2',
        ispreferred: false,
        roundtripms: 1.5,
      });
      const servers = (await call('listManagementServers', { peers: 'true' })).body;
      t.match(servers, { count: 2, warning: String });
      t.match(servers.managementserver[0], { agents: [KNOWN.uuid], agentscount: 1 });
      t.notOk('pendingjobscount' in servers.managementserver[0], 'what only the store knows is left out');
      t.match(await call('listEvents'), bench.outage === undefined ? {} : { status: 530 });
    });
  }
});

// ---- management servers

t.test('listManagementServers: each with what CloudStack says of it', async t => {
  const { call, store, one, two, addHosts } = await apiBench(t);
  const [host] = await addHosts(1);
  await addHosts(1, MSID_2);
  await store.releaseHosts(MSID_2, { at: START, reason: 'x', cause: 'server-down' });
  await store.createJob({ cmd: 'x', params: '{}', targetMsid: MSID_2, hostId: null, createdBy: null });
  const { status, name, body } = await call('listManagementServers');
  t.match({ status, name, count: body.count }, { status: 200, name: 'listmanagementserversresponse', count: 2 });
  const [first, second] = body.managementserver;
  t.match(first, {
    id: one.uuid,
    name: 'ms-1001',
    state: 'Up',
    version: '0.1.0',
    osdistribution: 'Linux',
    kernelversion: '6.1.0',
    lastboottime: '2026-01-01T00:00:00+0000',
    processstate: 'Running',
    serviceip: '192.0.2.1',
    ipaddress: '192.0.2.1',
    agents: [host?.uuid],
    lastagents: [],
    agentscount: 1,
    pendingjobscount: 0,
    heartbeatage: Number,
    statesince: String,
  });
  t.notOk('stateby' in first, 'by itself');
  t.notOk('peers' in first, 'only if asked for');
  t.notOk('lastserverstop' in first, 'nulls are left out');
  t.match(second, { id: two.uuid, agents: [], agentscount: 0, pendingjobscount: 1 });
  t.equal(second.lastagents.length, 1);
  t.same(wrongFields('listManagementServers', first), []);
});

t.test('listManagementServers: what each would have after the death of another one', async t => {
  const bench = await apiBench(t);
  bench.survivors.set('192.0.2.1', { load: 7, stranded: 1 }).set('192.0.2.2', { load: Infinity, stranded: 2 });
  const [first, second] = (await bench.call('listManagementServers')).body.managementserver;
  t.match(first, { survivorload: 7, strandedcount: 1 });
  t.equal(second.strandedcount, 2);
  t.notOk('survivorload' in second, 'there is no other');
  t.same(wrongFields('listManagementServers', first), []);
});

t.test('listManagementServers: the number of hosts without their ids', async t => {
  const { call, addHosts } = await apiBench(t);
  await addHosts(3);
  const { managementserver } = (await call('listManagementServers', { agents: 'false' })).body;
  t.match(managementserver[0], { agentscount: 3, agents: [], lastagents: [] });
});

t.test('listManagementServers: by id, by name, by keyword, page by page, and with peers', async t => {
  const { call, two } = await apiBench(t);
  const found = async (params: Record<string, string>) => {
    const { body } = await call('listManagementServers', params);
    return body.managementserver && names(body.managementserver);
  };
  t.same(await found({ id: two.uuid.toUpperCase() }), ['ms-2002']);
  t.same(await found({ name: 'ms-1001' }), ['ms-1001']);
  t.same(await found({ keyword: 'MS-2' }), ['ms-2002']);
  t.same(await found({ page: '2', pagesize: '1' }), ['ms-2002']);
  t.same((await call('listManagementServers', { name: 'ms' })).body, {}, 'nothing found is {}');
  const { body } = await call('listManagementServers', { name: 'ms-1001', peers: 'true' });
  t.match(body.managementserver[0].peers, [{ id: two.uuid, name: 'ms-2002', state: 'Up', ipaddress: '192.0.2.2' }]);
  t.same(wrongFields('listManagementServers', body.managementserver[0]), []);
});

t.test('listManagementServers: one that stopped is Down, and says since when', async t => {
  const { call, store } = await apiBench(t);
  await store.stopServer(MSID_2, `run-${MSID_2}`, START + 1_000);
  const { body } = await call('listManagementServers', { name: 'ms-2002' });
  t.match(body.managementserver[0], { state: 'Down', lastserverstop: '2026-01-01T00:00:01+0000' });
});

// ---- hosts

t.test('regression: a server that was stopped in Maintenance is shown as stopped', async t => {
  const { call, store } = await apiBench(t);
  await store.changeServerState(MSID_2, { from: ['Up'], to: 'Maintenance' });
  await store.stopServer(MSID_2, `run-${MSID_2}`, START, ['Maintenance']);
  const [, second] = (await call('listManagementServers')).body.managementserver;
  t.match(second, { state: 'Maintenance', processstate: 'Stopped' });
});

t.test('zones, pods and clusters: by name, and by what they are in', async t => {
  const { call, store } = await apiBench(t);
  for (const zone of ['here', 'there']) {
    const description = hostDescription(`guid-${zone}`, await store.zoneId(zone), { pod: 'pod', cluster: 'cluster' });
    await registerHost(store, description);
  }
  const { zone } = (await call('listZones', { name: 'there' })).body;
  t.match(zone, [{ name: 'there', allocationstate: 'Enabled' }]);
  t.equal((await call('listPods', { name: 'pod' })).body.count, 2);
  const { pod } = (await call('listPods', { name: 'pod', zoneid: zone[0].id })).body;
  t.match(pod, [{ zonename: 'there' }]);
  const { cluster } = (await call('listClusters', { podid: pod[0].id })).body;
  t.match(cluster, [{ name: 'cluster', podname: 'pod', zonename: 'there' }]);
  t.same((await call('listClusters', { keyword: 'nothing' })).body, {});
  const set = { name: 'indirect.agent.lb.check.interval', value: '7', clusterid: cluster[0].id };
  t.match((await call('updateConfiguration', set)).body.configuration, { value: '7', scope: 'Cluster' });
});

t.test('listHosts: each with what CloudStack says of it', async t => {
  const { call, one, addHosts } = await apiBench(t);
  const [row] = await addHosts(1);
  const { name, body } = await call('listHosts');
  t.equal(name, 'listhostsresponse');
  t.equal(body.count, 1);
  const [host] = body.host;
  t.match(host, {
    id: row?.uuid,
    name: 'host-1',
    state: 'Up',
    type: 'Routing',
    ipaddress: '198.51.100.1',
    zonename: 'default',
    podname: 'pod',
    clustername: 'cluster',
    version: '4.23.0.0',
    hypervisor: 'KVM',
    arch: 'x86_64',
    resourcestate: 'Enabled',
    managementserverid: one.uuid,
    managementservername: 'ms-1001',
    cpunumber: 16,
    cpuspeed: 2400,
    memorytotal: 2 ** 40,
    lastpinged: '2026-01-01T00:00:00+0000',
  });
  t.notOk('disconnected' in host, 'nulls are left out');
  t.same(wrongFields('listHosts', host), []);
});

t.test('listHostsMetrics: what listHosts says, and what the machine has, in CloudStack’s form', async t => {
  const { call, addHosts } = await apiBench(t);
  await addHosts(2);
  const { body } = await call('listHostsMetrics', { name: 'host-2' });
  t.match(body, {
    count: 1,
    host: [{ name: 'host-2', cpunumber: 16, cputotalghz: '38.40 Ghz', memorytotalgb: '1024.00 GB' }],
  });
  t.same((await call('listHostsMetrics', { state: 'Disconnected' })).body, {});
});

t.test('listManagementServersMetrics: of processes, only that of the server that answers', async t => {
  const bench = await apiBench(t);
  const { call, one, addHosts, clock } = bench;
  await addHosts(2);
  const parts = { ownMsid: MSID_1, elapsedMs: undefined, intervalMs: 1_500, thresholdMs: 150_000 };
  bench.servers = observeServers([], { ...parts, rows: await bench.store.servers() });
  const { body } = await call('listManagementServersMetrics');
  const [first, second] = body.managementserver;
  t.match(first, {
    id: one.uuid,
    agentcount: 2,
    collectiontime: dateText(clock.wallTime()),
    systemmemorytotal: /^\d+\.\d\d GB$/,
    lastheartbeat: String,
  });
  t.ok(first.heapmemoryused > 0 && first.heapmemoryused <= first.heapmemorytotal && first.availableprocessors >= 1);
  t.match(second, { name: 'ms-2002', agentcount: 0, lastheartbeat: String });
  t.notOk('heapmemoryused' in second);
  t.equal((await call('listManagementServersMetrics', { name: 'ms-2002' })).body.count, 1);
});

t.test('listHosts: an empty list is {}, and behind the last page there is only the count', async t => {
  const { call, addHosts } = await apiBench(t);
  t.same((await call('listHosts')).body, {});
  await addHosts(3);
  t.same((await call('listHosts', { page: 3, pagesize: 2 })).body, { count: 3 });
});

t.test('listHosts: pages, -1 for all, and the count is that of all', async t => {
  const { call, addHosts } = await apiBench(t);
  await addHosts(500);
  await addHosts(20);
  const counts = async (params: Record<string, number>) => {
    const { count, host } = (await call('listHosts', params)).body;
    return [count, host.length, host[0].name];
  };
  t.same(await counts({}), [520, 500, 'host-1'], '500 unless told otherwise');
  t.same(await counts({ page: 2 }), [520, 20, 'host-81']);
  t.same(await counts({ pagesize: -1 }), [520, 520, 'host-1']);
  t.same(await counts({ page: 3, pagesize: 100 }), [520, 100, 'host-28']);
  t.same(await counts({ page: 1, pagesize: 100_000 }), [520, 520, 'host-1'], 'more than there are');
});

t.test('regression: listHosts: all pages together are sorted by name', async t => {
  const { call, store } = await apiBench(t);
  const zoneId = await store.zoneId('default');
  const given = ['kvm-10', 'kvm-2', 'a', 'kvm-1'];
  await store.registerHosts(given.map(name => hostDescription(`guid-${name}`, zoneId, { name })));
  const page = async (page: number) => names((await call('listHosts', { page, pagesize: 2 })).body.host);
  t.same([...(await page(1)), ...(await page(2))], ['a', 'kvm-1', 'kvm-10', 'kvm-2']);
});

t.test('regression: more hosts than a statement can name are listed all the same', async t => {
  const { call, addHosts, store } = await apiBench(t);
  for (let i = 0; i < 9; i++) await addHosts(500);
  const sizes: number[] = [];
  const { findHosts } = store;
  store.findHosts = async query => {
    const page = await findHosts(query);
    sizes.push(page.rows.length);
    return page;
  };
  const all = (await call('listHosts', { pagesize: -1 })).body;
  t.same([all.count, all.host.length], [4_500, 4_500]);
  t.same(sizes, [...Array(9).fill(ROWS_A_PAGE), 0], 'full pages, and an empty one behind them');
  const second = (await call('listHosts', { page: 2, pagesize: 3_000 })).body;
  t.same([second.count, second.host.length, second.host[0].name], [4_500, 1_500, 'host-37']);
  t.equal((await call('listHosts', { page: 1, pagesize: 3_000 })).body.host.length, 3_000);
  t.match((await call('listAgentLinks', { astray: 'true', pagesize: 1 })).body, {});
});

t.test('listHosts: every filter finds what it should, and only that', async t => {
  const { call, store, one, two, addHosts } = await apiBench(t);
  const [first] = await addHosts(1);
  await addHosts(1, MSID_2);
  await addHosts(1, null);
  const moon = await store.zoneId('moon');
  const description = hostDescription('guid-4', moon, {
    name: 'Moon%1',
    pod: 'p4',
    cluster: 'c4',
    type: 'SecondaryStorage',
  });
  await registerHost(store, {
    ...description,
    hypervisorType: 'Xen',
    arch: 'aarch64',
    privateIpAddress: '203.0.113.4',
  });
  const [zone] = (await store.zones()).filter(({ name }) => name === 'moon');
  const [pod] = (await store.pods()).filter(({ name }) => name === 'p4');
  const [cluster] = (await store.clusters()).filter(({ name }) => name === 'c4');
  const found = async (params: Record<string, string>) => {
    const { body } = await call('listHosts', params);
    return names(body.host ?? []);
  };
  const cases: [Record<string, string | undefined>, string[]][] = [
    [{ id: first?.uuid }, ['host-1']],
    [{ name: 'host-2' }, ['host-2']],
    [{ name: 'host' }, []],
    [{ keyword: 'HOST-' }, ['host-1', 'host-2', 'host-3']],
    [{ keyword: '203.0.113' }, ['Moon%1']],
    [{ keyword: '%' }, ['Moon%1']],
    [{ keyword: '_' }, []],
    [{ state: 'up' }, ['host-1', 'host-2']],
    [{ state: 'Connecting' }, ['Moon%1', 'host-3']],
    [{ state: 'Alert' }, []],
    [{ state: 'Removed' }, []],
    [{ managementserverid: one.uuid }, ['host-1']],
    [{ managementserverid: two.uuid, state: 'Up' }, ['host-2']],
    [{ managementserverid: two.uuid, name: 'host-1' }, []],
    [{ zoneid: zone?.uuid }, ['Moon%1']],
    [{ podid: pod?.uuid }, ['Moon%1']],
    [{ clusterid: cluster?.uuid }, ['Moon%1']],
    [{ type: 'SecondaryStorage' }, ['Moon%1']],
    [{ hypervisor: 'Xen' }, ['Moon%1']],
    [{ arch: 'aarch64' }, ['Moon%1']],
    [{ resourcestate: 'Enabled', keyword: 'moon' }, ['Moon%1']],
    [{ resourcestate: 'Maintenance' }, []],
  ];
  const wrong = [];
  for (const [params, expected] of cases) {
    const actual = await found(params as Record<string, string>);
    if (String(actual) !== String(expected)) wrong.push({ params, expected, actual });
  }
  t.same(wrong, []);
});

t.test('listHosts: the last ping is that of the link, not of the day that it became Ready', async t => {
  const bench = await apiBench(t);
  const [own] = await bench.addHosts(1);
  const [others] = await bench.addHosts(1, MSID_2);
  bench.links = [linkOf(own?.id ?? 0, { lastPing: START + 60_000 })];
  await bench.store.putLinkStatus(MSID_2, START, packedLinks([linkOf(others?.id ?? 0, { lastPing: START + 30_000 })]));
  const { body } = await bench.call('listHosts');
  t.same(
    body.host.map(({ lastpinged }: { lastpinged: string }) => lastpinged),
    ['2026-01-01T00:01:00+0000', '2026-01-01T00:00:30+0000'],
  );
});

// ---- reconnectHost, deleteHost, queryAsyncJobResult

const RUNNING = { jobstatus: 0, jobprocstatus: 0, jobresultcode: 0 };

t.test('reconnectHost: it answers with a job, whose outcome is the host', async t => {
  const { call, store, addHosts } = await apiBench(t);
  const [host] = await addHosts(1, MSID_2);
  const { status, name, body } = await call('reconnectHost', { id: host?.uuid ?? '' });
  t.match({ status, name }, { status: 200, name: 'reconnecthostresponse' });
  t.same(Object.keys(body), ['jobid', 'id']);
  t.equal(body.id, host?.uuid);
  const { jobid } = body;
  const ask = async () => (await call('queryAsyncJobResult', { jobid })).body;
  t.match(await ask(), { jobid, cmd: 'reconnectHost', ...RUNNING });
  t.match(await pendingJobs(store, MSID_2), [{ uuid: jobid, hostId: host?.id }], 'for the server that has the host');
  await store.startJob(jobid, MSID_2);
  await store.jobProgress(jobid, MSID_2, 'half way');
  t.match(await ask(), { ...RUNNING, progress: 'half way' });
  const result = JSON.stringify({ hostid: host?.uuid });
  await store.finishJob(jobid, MSID_2, { status: 'succeeded', resultCode: 0, result });
  const done = await ask();
  t.notOk('progress' in done, 'the last progress would contradict the result');
  t.equal(done.jobinstanceid, host?.uuid);
  t.match(done, { jobstatus: 1, jobresultcode: 0, jobresulttype: 'object', jobresult: { host: { name: 'host-1' } } });
  t.same(wrongFields('queryAsyncJobResult', done), []);
  t.same(wrongFields('reconnectHost', done.jobresult.host), []);
});

t.test('queryAsyncJobResult: a job about no host is about its server', async t => {
  const { call, store, two } = await apiBench(t);
  const job = { cmd: 'drain', params: '{}', hostId: null, createdBy: null };
  const ofServer = await store.createJob({ ...job, targetMsid: MSID_2 });
  t.equal((await call('queryAsyncJobResult', { jobid: ofServer.uuid })).body.jobinstanceid, two.uuid);
  const ofAny = await store.createJob({ ...job, targetMsid: null });
  t.notOk('jobinstanceid' in (await call('queryAsyncJobResult', { jobid: ofAny.uuid })).body);
});

t.test('listAsyncJobs: of a job of sendCommand, what it sends, unless that is very long', async t => {
  const { call, store } = await apiBench(t);
  const job = { cmd: 'sendCommand', targetMsid: null, hostId: null, createdBy: null };
  const command = (name: string, text = '') => ({ class: `com.cloud.agent.api.${name}`, fields: { text } });
  const sent = [
    [command('CheckHealthCommand'), command('MaintainCommand')],
    [command('MaintainCommand', 'x'.repeat(70_000))],
  ];
  for (const commands of sent) await store.createJob({ ...job, params: JSON.stringify({ commands, wait: 60 }) });
  await store.createJob({ ...job, cmd: 'drain', params: '{}' });
  const { body } = await call('listAsyncJobs', {});
  const told = body.asyncjobs.map(({ commands = '' }: { commands?: string }) => commands).sort();
  t.same(told, ['', '', 'CheckHealthCommand, MaintainCommand']);
});

t.test('queryAsyncJobResult: of a job that failed, the error; of a host that is gone by now, nothing', async t => {
  const { call, store, addHosts } = await apiBench(t);
  const [host] = await addHosts(1);
  const job = { cmd: 'reconnectHost', params: '{}', targetMsid: MSID_1, hostId: host?.id ?? 0, createdBy: null };
  const failed = await store.createJob(job);
  await store.startJob(failed.uuid, MSID_1);
  const result = JSON.stringify({ errorcode: 530, errortext: 'no luck' });
  await store.finishJob(failed.uuid, MSID_1, { status: 'failed', resultCode: 530, result });
  const answer = (await call('queryAsyncJobResult', { jobid: failed.uuid })).body;
  t.match(answer, { jobstatus: 2, jobresultcode: 530, jobresult: { errorcode: 530, errortext: 'no luck' } });
  t.same(wrongFields('queryAsyncJobResult', answer), []);

  const good = await store.createJob(job);
  await store.startJob(good.uuid, MSID_1);
  const about = JSON.stringify({ hostid: host?.uuid });
  await store.finishJob(good.uuid, MSID_1, { status: 'succeeded', resultCode: 0, result: about });
  await store.removeHost(host?.id ?? 0, START);
  const gone = (await call('queryAsyncJobResult', { jobid: good.uuid })).body;
  t.equal(gone.jobstatus, 1);
  t.notOk('jobresult' in gone);
});

t.test('reconnectHost: a host that nobody has is refused with 530', async t => {
  const { call, addHosts } = await apiBench(t);
  const [host] = await addHosts(1, null);
  const reply = await call('reconnectHost', { id: host?.uuid ?? '' });
  t.match(reply, { status: 530, body: { errortext: 'host host-1 is not Up: there is no link to end' } });
});

/** The job of a deleteHost ends so. */
function outcome(store: Bench['store'], status: 'succeeded' | 'failed', result: unknown) {
  return async ({ uuid, targetMsid }: { uuid: string; targetMsid: number | null }) => {
    await store.startJob(uuid, targetMsid ?? 0);
    await store.finishJob(uuid, targetMsid ?? 0, { status, resultCode: 0, result: JSON.stringify(result) });
  };
}

t.test('deleteHost: the server that has the host removes it, and tells the agent', async t => {
  const bench = await apiBench(t);
  const { call, store, events, addHosts } = bench;
  const [host] = await addHosts(1, MSID_2);
  bench.onJob = async job => {
    await store.removeHost(host?.id ?? 0, 1_000);
    await outcome(store, 'succeeded', { hostid: host?.uuid })(job);
  };
  const { name, body } = await call('deleteHost', { id: host?.uuid ?? '' });
  t.equal(name, 'deletehostresponse');
  t.same(body, { success: true, displaytext: 'host host-1 is removed' });
  t.same((await call('listHosts')).body, {});
  t.match(events, [{ type: 'HOST.DELETE', description: 'Host host-1 was removed', hostUuid: host?.uuid }]);
  t.equal((await call('deleteHost', { id: host?.uuid ?? '' })).status, 431, 'it is gone');
});

t.test('deleteHost: an agent that cannot be told keeps its host, unless it is forced', async t => {
  const bench = await apiBench(t);
  const { call, store, addHosts } = bench;
  const [host] = await addHosts(1, MSID_2);
  bench.onJob = outcome(store, 'failed', { errorcode: 530, errortext: 'the agent refused to shut down' });
  const refusal = await call('deleteHost', { id: host?.uuid ?? '' });
  t.match(refusal, { status: 530, body: { errortext: /^the agent of host-1 could not be told: the agent refused/ } });
  t.notMatch(refusal.body.errortext, /[{}]/, 'in words');
  t.equal((await call('listHosts')).body.count, 1);
  const forced = await call('deleteHost', { id: host?.uuid ?? '', forced: 'true' });
  t.match(forced.body, { success: true, displaytext: /though its agent could not be told: the agent refused/ });
  t.same((await call('listHosts')).body, {});
});

t.test('regression: a server that never carries it out does not keep forced=true from removing the host', async t => {
  const { call, clock, addHosts, store } = await apiBench(t);
  const [host] = await addHosts(1, MSID_2);
  const waiting = call('deleteHost', { id: host?.uuid ?? '' });
  await clock.advance(61_000);
  t.match(await waiting, { status: 530, body: { errortext: /did not begin in time; forced=true/ } });
  t.same(await pendingJobs(store, MSID_2), [], 'and it never will');
  const forced = call('deleteHost', { id: host?.uuid ?? '', forced: 'TRUE' });
  await clock.advance(61_000);
  t.match(await forced, { status: 200, body: { success: true } });
  t.same((await call('listHosts')).body, {});
});

t.test('deleteHost: a server that has begun to tell the agent is waited for', async t => {
  const { call, clock, addHosts, store } = await apiBench(t);
  const [host] = await addHosts(1, MSID_2);
  const waiting = call('deleteHost', { id: host?.uuid ?? '' });
  await clock.advance(1_000);
  const [job] = await pendingJobs(store, MSID_2);
  t.equal(await store.startJob(job?.uuid ?? '', MSID_2), true);
  await clock.advance(61_000);
  t.match(await store.job(job?.uuid ?? ''), { status: 'running' });
  await store.finishJob(job?.uuid ?? '', MSID_2, { status: 'succeeded', resultCode: 0, result: '{}' });
  await clock.advance(1_000);
  t.match(await waiting, { status: 200, body: { success: true } });
});

t.test('deleteHost: when the store goes away while it waits, the agent is not told later', async t => {
  const { clock, addHosts, store, operations } = await apiBench(t);
  const [host] = await addHosts(1, MSID_2);
  const { job } = store;
  store.job = async () => {
    throw new StoreError('STORE_BUSY', 'job');
  };
  const waiting = operations.removeHost({ hostId: host?.uuid ?? '' });
  const refused = t.rejects(waiting, { code: 'STORE_BUSY' });
  await clock.advance(1_000);
  await refused;
  store.job = job;
  t.match(await store.jobs({ page: 1, pagesize: 9 }), { rows: [{ cmd: 'deleteHost', status: 'failed' }] });
});

t.test('listAsyncJobs: all jobs, by server and moment, those that expired as failed', async t => {
  const { call, store, two, addHosts } = await apiBench(t);
  const [host] = await addHosts(1);
  const drain = await store.createJob({ ...JOB, targetMsid: MSID_2 });
  const late = await store.createJob({
    ...JOB,
    cmd: 'deleteHost',
    params: JSON.stringify({ id: host?.uuid }),
    hostId: host?.id ?? 0,
    targetMsid: MSID_1,
    expiresInMs: 0,
  });
  const { body } = await call('listAsyncJobs');
  t.equal(body.count, 2);
  t.match(body.asyncjobs, [
    {
      jobid: late.uuid,
      jobstatus: 2,
      jobresultcode: 530,
      jobresult: { errorcode: 530, errortext: /did not begin in time/ },
      jobinstanceid: host?.uuid,
      completed: String,
    },
    { jobid: drain.uuid, cmd: 'drain', jobstatus: 0, managementserverid: two.uuid, managementservername: two.name },
  ]);
  const ids = async (params: Record<string, string | number>) =>
    ((await call('listAsyncJobs', params)).body.asyncjobs ?? []).map(({ jobid }: { jobid: string }) => jobid);
  t.same(await ids({ managementserverid: two.uuid }), [drain.uuid]);
  t.same(await ids({ page: 2, pagesize: 1 }), [drain.uuid]);
  t.same(await ids({ pagesize: -1 }), [late.uuid, drain.uuid]);
  t.same(await ids({ startdate: '2020-01-01' }), [late.uuid, drain.uuid]);
  t.same(await ids({ startdate: '2999-01-01T00:00:00+0000' }), []);
  t.match(await call('listAsyncJobs', { startdate: 'soon' }), { status: 431 });
  t.match(await call('listAsyncJobs', { managementserverid: host?.uuid ?? '' }), { status: 431 });
  t.match((await call('queryAsyncJobResult', { jobid: late.uuid })).body, { jobstatus: 2, jobresultcode: 530 });
});

t.test('removeManagementServer: one that is Down goes, with what is its; any other is refused', async t => {
  const { call, store, two, addHosts, events } = await apiBench(t);
  const [host] = await addHosts(1, MSID_2);
  const job = await store.createJob({ ...JOB, targetMsid: MSID_2 });
  await store.putLinkStatus(MSID_2, START, new Uint8Array());
  const id = two.uuid;
  const refused = await call('removeManagementServer', { id });
  t.match(refused, {
    status: 530,
    body: { errortext: 'management server 192.0.2.2 is Up: only one that is Down is removed' },
  });
  t.match(await store.host(host?.id ?? 0), { msid: MSID_2 }, 'nothing has changed');
  await store.changeServerState(MSID_2, { from: ['Up'], to: 'Down' });
  t.match((await call('removeManagementServer', { id })).body, {
    success: true,
    displaytext: /192\.0\.2\.2 is removed/,
  });
  t.equal((await call('listManagementServers')).body.count, 1);
  t.match(await store.host(host?.id ?? 0), { status: 'Disconnected', msid: null });
  t.match(await store.job(job.uuid), { status: 'failed', result: /was removed/ });
  t.same(await store.linkStatus(), []);
  t.match(events, [{ type: 'SERVER.REMOVE', description: 'Management server 192.0.2.2 was removed' }]);
  const again = await call('removeManagementServer', { id });
  t.match(again, { status: 431, body: { errortext: /Invalid parameter id value=/ } });
});

t.test('deleteHost: one that nobody has needs nobody to be told, and its id is never used again', async t => {
  const { call, store, addHosts } = await apiBench(t);
  const [host] = await addHosts(1, null);
  t.match((await call('deleteHost', { id: host?.uuid ?? '' })).body, { success: true });
  const zoneId = await store.zoneId('default');
  const again = await registerHost(store, hostDescription(host?.guid ?? '', zoneId));
  t.ok(again.isNew);
  t.ok(again.host.id > (host?.id ?? 0));
});

// ---- configuration

t.test('listConfigurations: each value with its default, its type and what it is for', async t => {
  const { call, store } = await apiBench(t);
  await setConfiguration(store, 'ping.interval', '30');
  const { name, body } = await call('listConfigurations');
  t.equal(name, 'listconfigurationsresponse');
  t.equal(body.count, body.configuration.length);
  t.ok(body.count >= 14);
  const wrong = body.configuration.flatMap((one: Record<string, unknown>) => wrongFields('listConfigurations', one));
  t.same(wrong, []);
  const byName = new Map(body.configuration.map((one: { name: string }) => [one.name, one]));
  t.match(byName.get('ping.interval'), {
    value: '30',
    defaultvalue: '60',
    type: 'Number',
    description: /How often agents ping.*\(seconds\)/,
    displaytext: 'Ping interval',
    component: 'management-server',
    category: 'Advanced',
    group: 'Agent',
    isdynamic: true,
  });
  t.match(byName.get('ping.timeout'), { value: '2.5', type: 'Decimal' });
  t.match(byName.get('indirect.agent.lb.algorithm'), { type: 'Select', options: /^static,roundrobin,shuffle/ });
  t.match(byName.get('cluster.heartbeat.interval'), { isdynamic: false });
  t.match(byName.get('host'), { value: '192.0.2.1,192.0.2.2' });
});

t.test('listConfigurations: parts of names, keyword, category, pages', async t => {
  const { call } = await apiBench(t);
  const found = async (params: Record<string, string>) =>
    names((await call('listConfigurations', params)).body.configuration ?? []);
  t.same(await found({ name: 'ping' }), ['ping.interval', 'ping.timeout']);
  t.same(await found({ keyword: 'PING.T' }), ['ping.timeout']);
  t.same(await found({ name: 'ping', keyword: 'timeout' }), ['ping.timeout']);
  t.same(await found({ name: 'ping', category: 'advanced' }), ['ping.interval', 'ping.timeout']);
  t.same(await found({ name: 'ping', page: '2', pagesize: '1' }), ['ping.timeout']);
  t.same((await call('listConfigurations', { category: 'Hidden' })).body, {});
  t.equal((await call('listConfigurations', { clusterid: 'a6a3a6c2-0d3c-4b3b-9a3c-1f0d5a0b7c11' })).status, 431);
});

t.test('updateConfiguration: the value is stored in its one spelling, and the server is told', async t => {
  const bench = await apiBench(t);
  const { call, store, events } = bench;
  const { name, body } = await call('updateConfiguration', { name: 'host', value: ' MS1.Example.org , 192.0.2.1 ' });
  t.equal(name, 'updateconfigurationresponse');
  t.match(body.configuration, { name: 'host', value: 'ms1.example.org,192.0.2.1' });
  t.same(wrongFields('updateConfiguration', body.configuration), []);
  t.equal((await store.configuration()).values.get('host'), 'ms1.example.org,192.0.2.1');
  t.equal(bench.told, 1);
  t.match(events, [{ type: 'CONFIGURATION.VALUE.EDIT', description: 'host was set to ms1.example.org,192.0.2.1' }]);
  t.equal((await call('updateConfiguration', { name: 'ping.interval', value: '0' })).status, 431);
  t.equal(bench.told, 1, 'nothing has changed');
});

t.test('updateConfiguration: a list of which no server is Up is refused, unless it is forced', async t => {
  const { call } = await apiBench(t);
  const change = { name: 'host', value: '10.0.0.1' };
  const refusal = await call('updateConfiguration', change);
  t.match(refusal, { status: 431, body: { errortext: /none of these servers can take agents .*forced=true/ } });
  t.match((await call('updateConfiguration', { ...change, forced: 'true' })).body.configuration, { value: '10.0.0.1' });
});

t.test('regression: updateConfiguration: an address that no server has is kept, with a warning', async t => {
  const { call } = await apiBench(t);
  const change = async (value: string) =>
    (await call('updateConfiguration', { name: 'host', value })).body.configuration;
  t.match(await change('192.0.2.1,192.0.2.9,ms.example'), {
    value: '192.0.2.1,192.0.2.9,ms.example',
    warning: 'no management server has the address 192.0.2.9, ms.example',
  });
  t.notOk('warning' in (await change('192.0.2.2,192.0.2.1')));
});

t.test('resetConfiguration: the default is written, checked and told as any other value', async t => {
  const bench = await apiBench(t);
  const { call, store, events } = bench;
  await setConfiguration(store, 'ping.interval', '30');
  const { name, body } = await call('resetConfiguration', { name: 'ping.interval' });
  t.equal(name, 'resetconfigurationresponse');
  t.match(body.configuration, { name: 'ping.interval', value: '60', defaultvalue: '60', agentsmoving: 0 });
  t.same(wrongFields('resetConfiguration', body.configuration), []);
  t.equal((await store.configuration()).values.get('ping.interval'), '60', 'no later initial value takes its place');
  t.match(events, [{ type: 'CONFIGURATION.VALUE.EDIT', description: 'ping.interval was reset to its default, 60' }]);
  t.equal(bench.told, 1);
  await setConfiguration(store, 'indirect.agent.lb.weights', '192.0.2.1=2');
  await call('resetConfiguration', { name: 'indirect.agent.lb.weights' });
  t.match(events[1], { description: 'indirect.agent.lb.weights was reset to its default, nothing' });
});

t.test('resetConfiguration: agents that move by it are counted', async t => {
  const { call, store, addHosts } = await apiBench(t);
  const [host] = await addHosts(3);
  await setConfiguration(store, 'indirect.agent.lb.algorithm', 'roundrobin');
  const { id = 0, epoch = 0 } = host ?? {};
  await store.hostsMsHostList([{ id, epoch, msHostList: '192.0.2.2,192.0.2.1@roundrobin' }]);
  const { configuration } = (await call('resetConfiguration', { name: 'indirect.agent.lb.algorithm' })).body;
  t.match(configuration, { value: 'static', agentsmoving: 1 });
});

t.test('resetConfiguration: host has no default; neither has a name that is not there', async t => {
  const { call, store, events } = await apiBench(t);
  const text = /Invalid parameter name value=host due to it has no default; updateConfiguration sets it/;
  t.match(await call('resetConfiguration', { name: 'host' }), { status: 431, body: { errortext: text } });
  t.equal((await store.configuration()).values.get('host'), '192.0.2.1,192.0.2.2');
  t.match(await call('resetConfiguration', { name: 'ping.intervall' }), { status: 431 });
  await setConfiguration(store, 'cluster.heartbeat.threshold', '3000000');
  await setConfiguration(store, 'cluster.heartbeat.interval', '600000');
  const conflict = { status: 431, body: { errortext: /at least 3 times cluster\.heartbeat\.interval/ } };
  t.match(await call('resetConfiguration', { name: 'cluster.heartbeat.threshold' }), conflict);
  t.same(events, []);
});

t.test('resetConfiguration: the global value holds again for a cluster, and the answer tells it', async t => {
  const { call, store, addHosts, events } = await apiBench(t);
  await addHosts(1);
  const name = 'indirect.agent.lb.check.interval';
  const [cluster] = await store.clusters();
  const clusterid = cluster?.uuid ?? '';
  await call('updateConfiguration', { name, value: '30' });
  for (const [command, params] of [
    ['resetConfiguration', { name, clusterid }],
    ['updateConfiguration', { name, clusterid, value: '' }],
  ] as const) {
    await call('updateConfiguration', { name, value: '7', clusterid });
    t.match((await call(command, params)).body.configuration, { value: '30', scope: 'Cluster' }, command);
    t.equal((await store.clusters())[0]?.checkIntervalSeconds, null);
  }
  t.match(events[2], { description: `${name} was reset for a cluster to 30` });
  t.equal((await call('resetConfiguration', { name: 'ping.interval', clusterid })).status, 431);
});

t.test('updateConfiguration: an empty value empties a list', async t => {
  const { call } = await apiBench(t);
  const name = 'indirect.agent.lb.weights';
  await call('updateConfiguration', { name, value: '192.0.2.1=2' });
  t.match((await call('updateConfiguration', { name, value: '' })).body.configuration, { value: '' });
  t.equal((await call('updateConfiguration', { name: 'host', value: '' })).status, 431, 'not one that is needed');
});

// ---- events

t.test('listEvents: newest first, by level, type, keyword and moment', async t => {
  const { call, store, one } = await apiBench(t);
  const event = (type: string, level: 'INFO' | 'WARN' | 'ERROR', description: string, ageMs: number) => {
    const about = { resourceType: 'Host', resourceId: 'a6a3a6c2-0d3c-4b3b-9a3c-1f0d5a0b7c11' };
    return { uuid: systemRandom.uuid(), type, level, description, ageMs, ...about, msid: MSID_1, username: null };
  };
  t.same((await call('listEvents')).body, {});
  await store.addEvents([
    event('AGENT.READY', 'INFO', 'Agent of host a is Ready', 2 * DAY_MS),
    event('SERVER.DOWN', 'ERROR', 'Management server b is down', DAY_MS),
  ]);
  const { name, body } = await call('listEvents');
  t.equal(name, 'listeventsresponse');
  t.match(body.event, [
    { type: 'SERVER.DOWN', level: 'ERROR', managementservername: 'ms-1001' },
    { type: 'AGENT.READY', managementserverid: one.uuid, resourcetype: 'Host' },
  ]);
  t.same(wrongFields('listEvents', body.event[0]), []);
  const types = async (params: Record<string, string>) =>
    ((await call('listEvents', params)).body.event ?? []).map(({ type }: { type: string }) => type);
  t.same(await types({ level: 'error' }), ['SERVER.DOWN']);
  t.same(await types({ type: 'AGENT.READY' }), ['AGENT.READY']);
  t.same(await types({ keyword: 'is ready' }), ['AGENT.READY']);
  const createdAt = parseMoment(body.event[0].created) ?? 0;
  t.ok(Math.abs(createdAt + DAY_MS - Date.now()) < 60_000, 'by the clock of the store');
  t.same(await types({ startdate: '2020-01-01' }), ['SERVER.DOWN', 'AGENT.READY']);
  t.same(await types({ startdate: body.event[0].created }), ['SERVER.DOWN']);
  t.same(await types({ startdate: dateText(createdAt + 1_000) }), []);
  t.same(await types({ page: '2', pagesize: '1' }), ['AGENT.READY']);
});

// ---- listApis

t.test('listApis: all of the table, and nothing that is not carried out', async t => {
  const { call } = await apiBench(t);
  const { name, body } = await call('listApis');
  t.equal(name, 'listapisresponse');
  t.same(names(body.api), Object.keys(API));
  t.same(wrongFields('listApis', body.api[0]), []);
  const one = (await call('listApis', { name: 'reconnectHost' })).body;
  t.equal(one.count, 1);
  t.match(one.api[0], {
    name: 'reconnectHost',
    isasync: true,
    params: [{ name: 'id', type: 'uuid', required: true }],
  });
});

t.test('the table: parameters and fields are in lower case and described, columns are fields', async t => {
  const wrong: string[] = [];
  const check = (path: string, name: string, { description }: { readonly description: string }) => {
    if (!/^[a-z][a-z0-9]*$/.test(name)) wrong.push(`${path}${name}: not in lower case`);
    if (description === '') wrong.push(`${path}${name}: no description`);
  };
  const checkFields = (path: string, fields: Fields) => {
    for (const [name, field] of Object.entries(fields)) {
      check(path, name, field);
      if (field.type === 'list' && field.of !== 'string') checkFields(`${path}${name}: `, field.of);
    }
  };
  for (const [name, command] of Object.entries<ApiCommand>(API)) {
    const { fields } = command.response;
    if (command.description === '') wrong.push(`${name}: no description`);
    for (const [param, definition] of Object.entries(command.params)) check(`${name}: `, param, definition);
    checkFields(`${name}: `, fields);
    for (const column of command.columns) if (!(column in fields)) wrong.push(`${name}: column ${column}`);
  }
  t.same(wrong, []);
});

// ---- links

t.test('listAgentLinks: who is where and why, our own as they are now, the others as they wrote it', async t => {
  const bench = await apiBench(t);
  const { call, store, one } = bench;
  const [own] = await bench.addHosts(1);
  const [others] = await bench.addHosts(1, MSID_2);
  bench.links = [
    linkOf(own?.id ?? 0, { since: START + 1_000, lastPing: START + 61_000, roundTripMs: 1.5, failovers: 2 }),
  ];
  const link = linkOf(others?.id ?? 0, {
    since: START + 2_000,
    lastPing: START + 3_000,
    lastLoss: 'closed by the peer',
  });
  await store.putLinkStatus(MSID_2, START, packedLinks([link]));
  const { name, body } = await call('listAgentLinks');
  t.equal(name, 'listagentlinksresponse');
  const [first, second] = body.agentlink;
  t.match(first, {
    hostid: own?.uuid,
    hostname: 'host-1',
    state: 'Up',
    connectedhost: '192.0.2.1',
    managementserverid: one.uuid,
    preferredhost: '192.0.2.1',
    ispreferred: true,
    hostlist: ['192.0.2.1', '192.0.2.2'],
    algorithm: 'static',
    since: '2026-01-01T00:00:01+0000',
    lastpinged: '2026-01-01T00:01:01+0000',
    roundtripms: 1.5,
    failovers: 2,
    factsage: 0,
  });
  t.notOk('lastloss' in first);
  t.match(second, {
    connectedhost: '192.0.2.2',
    ispreferred: false,
    since: '2026-01-01T00:00:02+0000',
    lastloss: 'closed by the peer',
  });
  for (const link of body.agentlink) t.same(wrongFields('listAgentLinks', link), []);
});

t.test('listAgentLinks: the astray ones are those elsewhere and those nowhere', async t => {
  const { call, store, two, addHosts } = await apiBench(t);
  await addHosts(2);
  await addHosts(2, MSID_2);
  const [lost] = await addHosts(1);
  await hostDisconnected(store, lost?.id ?? 0, { msid: MSID_1, epoch: 1, at: START + 5_000, reason: 'ping timeout' });
  const found = async (params: Record<string, string | number>) => {
    const { count, agentlink } = (await call('listAgentLinks', params)).body;
    return [count, (agentlink ?? []).map(({ hostname }: { hostname: string }) => hostname)];
  };
  t.same(await found({ astray: 'true' }), [3, ['host-3', 'host-4', 'host-5']]);
  t.same(await found({ astray: 'true', page: 2, pagesize: 2 }), [3, ['host-5']]);
  t.same(await found({ astray: 'true', managementserverid: two.uuid }), [2, ['host-3', 'host-4']]);
  t.same(await found({ state: 'Disconnected' }), [1, ['host-5']]);
  t.same(await found({ keyword: 'HOST-1' }), [1, ['host-1']]);
  t.same(await found({ hostid: lost?.uuid ?? '' }), [1, ['host-5']]);
  t.same(await found({ pagesize: 2 }), [5, ['host-1', 'host-2']]);
  const { agentlink } = (await call('listAgentLinks', { hostid: lost?.uuid ?? '' })).body;
  t.match(agentlink[0], {
    state: 'Disconnected',
    ispreferred: false,
    lastloss: 'ping timeout',
    disconnected: '2026-01-01T00:00:05+0000',
  });
  t.notOk('connectedhost' in agentlink[0] || 'since' in agentlink[0]);
});

t.test('regression: what a dead server knew of a link is not told of the link that the host has now', async t => {
  const { call, clock, store, addHosts } = await apiBench(t);
  await clock.advance(60_000);
  const [host] = await addHosts(1, MSID_2);
  const id = host?.id ?? 0;
  const old = linkOf(id, { since: START, lastPing: START + 1_000, roundTripMs: 9 });
  // Of a server that had it before, and of the one that has it, which has not written since.
  await store.putLinkStatus(3003, START, packedLinks([old]));
  await store.putLinkStatus(MSID_2, START, packedLinks([old]));
  const [link] = (await call('listAgentLinks')).body.agentlink;
  t.match(link, { since: '2026-01-01T00:01:00+0000', lastpinged: '2026-01-01T00:01:00+0000' });
  t.notOk('roundtripms' in link || 'factsage' in link);
});

// ---- preview

t.test('previewHostList: who would get which list, who would move, and the share of each server', async t => {
  const { call, store, addHosts } = await apiBench(t);
  await addHosts(4);
  const before = (await store.configuration()).version;
  const { name, body } = await call('previewHostList', { host: '192.0.2.2,192.0.2.1', pagesize: 1 });
  t.equal(name, 'previewhostlistresponse');
  const { preview } = body;
  t.match(preview, {
    host: '192.0.2.2,192.0.2.1',
    algorithm: 'static',
    agentscount: 4,
    moves: 4,
    shares: [
      { address: '192.0.2.2', agents: 4, percent: 100 },
      { address: '192.0.2.1', agents: 0, percent: 0 },
    ],
    count: 4,
    agents: [{ hostname: 'host-1', preferredhost: '192.0.2.2', hostlist: ['192.0.2.2', '192.0.2.1'], moves: true }],
  });
  t.equal(preview.agents.length, 1);
  t.same(wrongFields('previewHostList', preview), []);
  t.match((await call('previewHostList', { algorithm: 'roundrobin' })).body.preview, { moves: 2 });
  t.match((await call('previewHostList')).body.preview, { moves: 0, host: '192.0.2.1,192.0.2.2' });
  t.equal((await store.configuration()).version, before, 'nothing is changed by it');
});

t.test('previewHostList: without agents there is nothing to move', async t => {
  const { call } = await apiBench(t);
  const { preview } = (await call('previewHostList', { host: '10.0.0.1', algorithm: 'rendezvous' })).body;
  t.match(preview, { agentscount: 0, moves: 0, shares: [{ address: '10.0.0.1', agents: 0, percent: 0 }], agents: [] });
});
