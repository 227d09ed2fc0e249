// How long the commands of the HTTP API take over a few hosts and over many, through a real socket, SQLite and signatures.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ApiCall, call } from '#dist/admin/client.js';
import { readStatus } from '#dist/admin/status.js';
import { systemClock } from '#dist/lib/clock.js';
import { silentLog } from '#dist/lib/logger.js';
import { systemRandom } from '#dist/lib/random.js';
import { observeServers } from '#dist/mgmt/cluster/observed-servers.js';
import { readConfiguration } from '#dist/mgmt/config/parameters.js';
import { PresentLinks } from '#dist/mgmt/hosts/present-links.js';
import { Api } from '#dist/mgmt/http/api.js';
import { httpServer, listenHttp } from '#dist/mgmt/http/http-server.js';
import { openStore } from '#dist/mgmt/open-store.js';
import type { ServerRow } from '#dist/mgmt/store/store.js';
import { readArguments, wholeNumber } from '../scripts/programs/arguments.js';
import { inFolder } from './clean-up.js';
import { ADDRESSES, fillStore, OWN_MSID } from './filled-store.js';
import { operatorOf } from './operator.js';
import { median } from './statistics.js';

const ROUNDS = 21;
const USAGE = `Measures how long commands of the HTTP API take, over few hosts and over many.

Usage: npm run bench:api [-- HOSTS …]

  HOSTS   how many hosts there are (10 5000)
`;
const HOST_COUNTS = ['10', '5000'];
const MOST_HOSTS = 1_000_000;

const counts = readArguments(USAGE, () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const texts = positionals.length > 0 ? positionals : HOST_COUNTS;
  return texts.map(text => wholeNumber('HOSTS', text, 1, MOST_HOSTS));
});

/** @returns the median of each call in milliseconds, by the call's name */
async function measure(count: number, folder: string): Promise<ReadonlyMap<string, number>> {
  const log = silentLog;
  const storeParts = { clock: systemClock, random: systemRandom, log };
  const store = await openStore(`sqlite:${join(folder, 'muster.db')}`, storeParts);
  await store.initialiseConfiguration(new Map([['host', ADDRESSES.join(',')]]));
  const links = await fillStore(store, count);
  const { configuration } = readConfiguration(await store.configuration());
  const observe = (rows: readonly ServerRow[]) => {
    const parts = { ownMsid: OWN_MSID, elapsedMs: undefined, intervalMs: 1_500, thresholdMs: 150_000 };
    // All of them have been heard.
    const before = observeServers([], { ...parts, rows: rows.map(row => ({ ...row, beat: row.beat - 1 })) });
    return observeServers(before, { ...parts, rows });
  };
  const own = new Map((links.get(OWN_MSID) ?? []).map(link => [link.hostId, link]));
  const present = new PresentLinks({ clock: systemClock, store, msid: OWN_MSID, ownLink: hostId => own.get(hostId) });
  const { apiKeys, key, handlers } = await operatorOf({
    store,
    configuration: () => configuration,
    observe,
    presentLinks: () => present.read(),
    own: {
      msid: OWN_MSID,
      isNeeded: () => false,
      hosts: async () => [],
      links: () => present.own(),
      servers: () => [],
      survivors: async () => new Map(),
    },
  });
  const api = new Api({ clock: systemClock, log, keys: apiKeys, handlers, store, events: { add() {} } });
  const server = httpServer({ clock: systemClock, api, notReady: () => undefined });
  const port = await listenHttp(server, '127.0.0.1', 0);
  const pair = {
    endpoint: `http://127.0.0.1:${port}/client/api`,
    key: key.apiKey,
    secret: key.secretKey,
    source: '',
  };
  const ask: ApiCall = (command, params = {}) =>
    call(pair, command, new Map(Object.entries(params)), { clock: systemClock, random: systemRandom });
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
  return median(times);
}

const columns: ReadonlyMap<string, number>[] = [];
for (const count of counts) columns.push(await inFolder(folder => measure(count, folder)));
console.log(`${'ms, median'.padEnd(28)}${counts.map(count => `${count} hosts`.padStart(14)).join('')}`);
for (const name of columns[0]?.keys() ?? []) {
  const cells = columns.map(medians => (medians.get(name) ?? Number.NaN).toFixed(1).padStart(14));
  console.log(`${name.padEnd(28)}${cells.join('')}`);
}
