// How long the commands of the HTTP API take over a few hosts and over many, through a real socket, SQLite and signatures.
// Usage: npm run bench:api [-- HOSTS …]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiCall, call } from '#dist/admin/client.js';
import { readStatus } from '#dist/admin/status.js';
import { systemClock } from '#dist/lib/clock.js';
import { silentLog } from '#dist/lib/logger.js';
import { systemRandom } from '#dist/lib/random.js';
import { readConfiguration } from '#dist/mgmt/config/parameters.js';
import { type LinkStatus, packLinkStatus } from '#dist/mgmt/hosts/link-status.js';
import { PresentLinks } from '#dist/mgmt/hosts/present-links.js';
import { Api } from '#dist/mgmt/http/api.js';
import { handlersFor } from '#dist/mgmt/http/handlers/index.js';
import { httpServer, listenHttp } from '#dist/mgmt/http/http-server.js';
import { operations } from '#dist/mgmt/jobs/operations.js';
import { openStore } from '#dist/mgmt/open-store.js';
import { HOSTS_A_BATCH, type Store } from '#dist/mgmt/store/store.js';

const ROUNDS = 21;
const HOST_COUNTS = [10, 5_000];
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
/** Of the server that is asked: the first. */
const OWN_MSID = msidOf(0);
const KEYS = { apiKey: 'KEY', secretKey: 'SECRET' };

function msidOf(server: number): number {
  return server + 1;
}

/** Registers the servers and `count` Ready agents. @returns the links of each server, by msid */
async function fill(store: Store, count: number): Promise<ReadonlyMap<number, readonly LinkStatus[]>> {
  for (const [index, serviceIp] of ADDRESSES.entries()) {
    const msid = msidOf(index);
    await store.claimServer(
      {
        msid,
        name: `ms${msid}`,
        version: '0.1.0',
        serviceIp,
        osDistribution: 'Linux',
        kernelVersion: '6',
        lastBootTime: 0,
      },
      { runId: `${msid}`, dataDirToken: `${msid}` },
    );
  }
  const zoneId = await store.zoneId('default');
  const links = new Map(ADDRESSES.map((_, index): [number, LinkStatus[]] => [msidOf(index), []]));
  for (let from = 0; from < count; from += HOSTS_A_BATCH) {
    const descriptions = Array.from({ length: Math.min(HOSTS_A_BATCH, count - from) }, (_, i) => ({
      guid: `guid-${from + i}`,
      name: `kvm-${from + i}`,
      type: 'Routing',
      zoneId,
      pod: 'pod',
      cluster: 'cluster',
      privateIpAddress: '198.51.100.7',
      version: '4.23.0.0',
      hypervisorType: 'KVM',
      arch: 'x86_64',
      cpus: 16,
      speed: 2400,
      ram: 2 ** 40,
    }));
    const hosts = (await store.registerHosts(descriptions)).map(({ host }) => host);
    const at = Date.now();
    const entries = hosts.map(({ id }) => {
      const start = id % ADDRESSES.length;
      // One in 50 is not on its preferred host.
      const connected = id % 50 === 0 ? (start + 1) % ADDRESSES.length : start;
      const list = [...ADDRESSES.slice(start), ...ADDRESSES.slice(0, start)];
      return { id, msid: msidOf(connected), msHostList: `${list.join(',')}@roundrobin`, at };
    });
    await store.hostsReady(entries);
    for (const { id, msid } of entries) {
      const link = { hostId: id, since: at, lastPing: at, roundTripMs: 0.7, failovers: 2, lastLoss: 'closed' };
      links.get(msid)?.push({ ...link, lag: undefined });
    }
  }
  for (const [msid, facts] of links) await store.putLinkStatus(msid, Date.now(), packLinkStatus(facts));
  return links;
}

/** @returns the median of each call in milliseconds, by the call's name */
async function measure(count: number): Promise<ReadonlyMap<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-api-'));
  const log = silentLog;
  const storeParts = { clock: systemClock, random: systemRandom, log };
  const store = await openStore(`sqlite:${join(folder, 'muster.db')}`, storeParts);
  await store.initialiseConfiguration(new Map([['host', ADDRESSES.join(',')]]));
  const links = await fill(store, count);
  const { configuration } = readConfiguration(await store.configuration());
  const domain = operations({
    clock: systemClock,
    store,
    events: { add() {} },
    address: '10.0.0.1',
    configuration: () => configuration,
    // None of the commands below changes anything.
    startJob: () => Promise.reject(new Error('a job was started')),
    configurationChanged: async () => {},
    stateChanged: async () => {},
  });
  const own = new Map((links.get(OWN_MSID) ?? []).map(fact => [fact.hostId, fact]));
  const present = new PresentLinks({ store, msid: OWN_MSID, ownLink: hostId => own.get(hostId) });
  const handlers = handlersFor({ msid: OWN_MSID, store, operations: domain, presentLinks: () => present.read() });
  const api = new Api({ clock: systemClock, log, keys: KEYS, handlers });
  const server = httpServer({ api, notReady: () => undefined });
  const port = await listenHttp(server, '127.0.0.1', 0);
  const credentials = {
    endpoint: `http://127.0.0.1:${port}/client/api`,
    key: KEYS.apiKey,
    secret: KEYS.secretKey,
    source: '',
  };
  const ask: ApiCall = (command, params = {}) =>
    call(credentials, command, new Map(Object.entries(params)), Date.now());
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'listHosts pagesize=10': () => ask('listHosts', { pagesize: '10' }),
    'listHosts (500)': () => ask('listHosts'),
    'listHosts, last 10': () => ask('listHosts', { pagesize: '10', page: String(Math.ceil(count / 10)) }),
    'listHosts keyword=kvm-7': () => ask('listHosts', { keyword: 'kvm-7', pagesize: '10' }),
    'listHosts pagesize=-1': () => ask('listHosts', { pagesize: '-1' }),
    'listAgentLinks (500)': () => ask('listAgentLinks'),
    'listAgentLinks astray=true': () => ask('listAgentLinks', { astray: 'true' }),
    listManagementServers: () => ask('listManagementServers'),
    status: () => readStatus(ask),
    'previewHostList roundrobin': () => ask('previewHostList', { algorithm: 'roundrobin' }),
  };
  const medians = new Map<string, number>();
  for (const [name, work] of Object.entries(calls)) medians.set(name, await medianMs(work));
  await server.close();
  await store.close();
  rmSync(folder, { recursive: true });
  return medians;
}

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  await work();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.sort((one, other) => one - other)[ROUNDS >> 1] ?? Number.NaN;
}

const given = process.argv.slice(2).map(Number);
const counts = given.length > 0 ? given : HOST_COUNTS;
const columns: ReadonlyMap<string, number>[] = [];
for (const count of counts) columns.push(await measure(count));
console.log(`${'ms, median'.padEnd(28)}${counts.map(count => `${count} hosts`.padStart(14)).join('')}`);
for (const name of columns[0]?.keys() ?? []) {
  const cells = columns.map(medians => (medians.get(name) ?? Number.NaN).toFixed(1).padStart(14));
  console.log(`${name.padEnd(28)}${cells.join('')}`);
}
