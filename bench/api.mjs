// How long the HTTP API takes over a few hosts and over many, through a real socket, SQLite and signatures:
// node bench/api.mjs [HOSTS …], after a build.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call } from '../dist/admin/client.js';
import { readStatus } from '../dist/admin/status.js';
import { systemClock } from '../dist/lib/clock.js';
import { silentLog } from '../dist/lib/logger.js';
import { systemRandom } from '../dist/lib/random.js';
import { readConfiguration } from '../dist/mgmt/config/parameters.js';
import { packLinkFacts } from '../dist/mgmt/hosts/link-facts.js';
import { Api } from '../dist/mgmt/http/api.js';
import { handlersFor } from '../dist/mgmt/http/handlers/index.js';
import { httpServer, listenHttp } from '../dist/mgmt/http/http-server.js';
import { openStore } from '../dist/mgmt/open-store.js';

const ROUNDS = 21;
const BATCH = 500;
const SERVERS = [1, 2, 3];
const KEYS = { apiKey: 'KEY', secretKey: 'SECRET' };

async function fill(store, count) {
  for (const msid of SERVERS) {
    const facts = { msid, name: `ms${msid}`, version: '0.1.0', serviceIp: `10.0.0.${msid}`, lastBootTime: 0 };
    await store.claimServer(
      { ...facts, osDistribution: 'Linux', kernelVersion: '6' },
      { runId: `${msid}`, dataDirToken: `${msid}`, staleMs: 5_000 },
    );
  }
  const zoneId = await store.zoneId('default');
  const links = new Map(SERVERS.map(msid => [msid, []]));
  for (let from = 0; from < count; from += BATCH) {
    const facts = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => ({
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
    const hosts = (await store.registerHosts(facts)).map(({ host }) => host);
    const at = Date.now();
    // One in 50 is not where it should be.
    const entries = hosts.map(({ id }) => {
      const preferred = SERVERS[id % 3];
      const msid = id % 50 === 0 ? SERVERS[(id + 1) % 3] : preferred;
      const list = [preferred, ...SERVERS.filter(one => one !== preferred)].map(one => `10.0.0.${one}`);
      return { id, msid, msHostList: `${list.join(',')}@roundrobin`, at };
    });
    await store.hostsReady(entries);
    for (const { id, msid } of entries) {
      links.get(msid).push({ hostId: id, since: at, lastPing: at, roundTripMs: 0.7, failovers: 2, lastLoss: 'closed' });
    }
  }
  for (const [msid, facts] of links) await store.putLinkFacts(msid, Date.now(), packLinkFacts(facts));
  return links;
}

async function measure(count) {
  const folder = mkdtempSync(join(tmpdir(), 'muster-api-'));
  const store = await openStore(`sqlite:${join(folder, 'muster.db')}`, {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  await store.initialiseConfiguration(new Map([['host', '10.0.0.1,10.0.0.2,10.0.0.3']]));
  const links = await fill(store, count);
  const { configuration } = readConfiguration(await store.configuration());
  const handlers = handlersFor({
    clock: systemClock,
    msid: 1,
    store,
    events: { add() {} },
    configuration: () => configuration,
    ownLinks: () => links.get(1),
  });
  const app = httpServer({
    api: new Api({ clock: systemClock, log: silentLog, keys: KEYS, handlers }),
    notReady: () => undefined,
  });
  const port = await listenHttp(app, '127.0.0.1', 0);
  const credentials = { endpoint: `http://127.0.0.1:${port}/client/api`, key: 'KEY', secret: 'SECRET', source: '' };
  const ask = (command, params = {}) => call(credentials, command, new Map(Object.entries(params)), Date.now());
  const results = {
    'listHosts pagesize=10': await median(() => ask('listHosts', { pagesize: '10' })),
    'listHosts (500)': await median(() => ask('listHosts')),
    'listHosts, last 10': await median(() => ask('listHosts', { pagesize: '10', page: String(Math.ceil(count / 10)) })),
    'listHosts keyword=kvm-7': await median(() => ask('listHosts', { keyword: 'kvm-7', pagesize: '10' })),
    'listHosts pagesize=-1': await median(() => ask('listHosts', { pagesize: '-1' })),
    'listAgentLinks (500)': await median(() => ask('listAgentLinks')),
    'listAgentLinks astray=true': await median(() => ask('listAgentLinks', { astray: 'true' })),
    listManagementServers: await median(() => ask('listManagementServers')),
    status: await median(() => readStatus(ask)),
    'previewHostList roundrobin': await median(() => ask('previewHostList', { algorithm: 'roundrobin' })),
  };
  await app.close();
  await store.close();
  rmSync(folder, { recursive: true });
  return results;
}

async function median(work) {
  await work();
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.sort((one, other) => one - other)[ROUNDS >> 1];
}

const counts = process.argv.slice(2).map(Number);
const all = [];
for (const count of counts.length > 0 ? counts : [10, 5_000]) all.push([count, await measure(count)]);
const names = Object.keys(all[0][1]);
console.log(`${'ms, median'.padEnd(28)}${all.map(([count]) => `${count} hosts`.padStart(14)).join('')}`);
for (const name of names) {
  console.log(`${name.padEnd(28)}${all.map(([, results]) => results[name].toFixed(1).padStart(14)).join('')}`);
}
