// How long a server reads the hosts of a large cluster, and how long its event loop is blocked by that.
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { envelope } from '#dist/api/envelope.js';
import { systemClock } from '#dist/lib/clock.js';
import { runInTurns } from '#dist/lib/interruptible.js';
import { silentLog } from '#dist/lib/logger.js';
import { systemRandom } from '#dist/lib/random.js';
import { type Configuration, readConfiguration } from '#dist/mgmt/config/parameters.js';
import { HostWatch } from '#dist/mgmt/hosts/host-watch.js';
import { KnownHosts } from '#dist/mgmt/hosts/known-hosts.js';
import { ownView } from '#dist/mgmt/hosts/own-view.js';
import { PresentLinks } from '#dist/mgmt/hosts/present-links.js';
import { ZoneHosts } from '#dist/mgmt/hosts/zone-hosts.js';
import { jsonInSteps } from '#dist/mgmt/http/json-parts.js';
import { AgentLists } from '#dist/mgmt/lists/agent-lists.js';
import { openStore } from '#dist/mgmt/open-store.js';
import { readAll, readLargePage } from '#dist/mgmt/store/pages.js';
import { HOSTS_A_BATCH, type Store } from '#dist/mgmt/store/store.js';
import { StoreHealth } from '#dist/mgmt/store/store-health.js';
import { readArguments, wholeNumber } from '../scripts/programs/arguments.js';
import { inFolder } from './clean-up.js';
import { ADDRESSES, fillStore, OWN_MSID, patiently } from './filled-store.js';
import { operatorOf } from './operator.js';

const USAGE = `Measures how long a server reads the hosts of a large cluster, and how long its event loop is blocked by that.

Usage: npm run bench:store [-- [URL] HOSTS …]

  URL     the db.url of an empty database (a new one of SQLite for each number of hosts)
  HOSTS   how many hosts there are (1000 10000 100000)
`;
const HOST_COUNTS = ['1000', '10000', '100000'];
const MOST_HOSTS = 1_000_000;

const { dbUrl, counts } = readArguments(USAGE, () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [first, ...others] = positionals;
  const dbUrl = first?.includes(':') ? first : undefined;
  const given = dbUrl === undefined ? positionals : others;
  const texts = given.length > 0 ? given : HOST_COUNTS;
  return { dbUrl, counts: texts.map(text => wholeNumber('HOSTS', text, 1, MOST_HOSTS)) };
});
const ROUNDS = 3;

interface Figure {
  readonly ms: number;
  /** The longest time for which the event loop did not turn. */
  readonly blockedMs: number;
}

async function measured(work: () => Promise<unknown>): Promise<Figure> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  // What is recorded is the time between two turns, with a timer of 1 ms between them: one turn before the first step and
  // one after the last, or these are not counted.
  await new Promise(resolve => setTimeout(resolve, 5));
  delay.reset();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  await new Promise(resolve => setTimeout(resolve, 5));
  delay.disable();
  return { ms, blockedMs: Math.max(0, delay.max / 1e6 - 1) };
}

/** The median by time of several rounds. */
async function median(prepare: () => Promise<unknown>, work: () => Promise<unknown>): Promise<Figure> {
  const figures: Figure[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await prepare();
    figures.push(await measured(work));
  }
  const [middle] = figures.sort((one, other) => one.ms - other.ms).slice(ROUNDS >> 1);
  return middle ?? { ms: Number.NaN, blockedMs: Number.NaN };
}

async function changeAll(store: Store, count: number): Promise<void> {
  for (let from = 0; from < count; from += HOSTS_A_BATCH) {
    const size = Math.min(HOSTS_A_BATCH, count - from);
    const at = Date.now();
    const entries = Array.from({ length: size }, (_, i) => ({
      id: from + i + 1,
      msid: OWN_MSID,
      msHostList: null,
      at,
    }));
    await patiently(() => store.hostsReady(entries));
  }
}

async function measure(dbUrl: string, count: number): Promise<ReadonlyMap<string, Figure>> {
  const store = await openStore(dbUrl, { clock: systemClock, random: systemRandom, log: silentLog });
  await fillStore(store, count);
  const zoneId = await store.zoneId('default');
  const nothing = async () => {};
  const known = new KnownHosts(store, () => {});
  const watch = new HostWatch(store, { onRemoved() {}, onChanged: host => void known.learn(host) });
  await watch.poll();
  const figures = new Map<string, Figure>();
  const links = () => new PresentLinks({ clock: systemClock, store, msid: OWN_MSID, ownLink: () => undefined }).read();
  figures.set('all hosts, at start', await median(nothing, () => known.read()));
  figures.set('the ids of a zone', await median(nothing, () => new ZoneHosts(store).read(zoneId)));
  figures.set('all hosts, for a change of lists', await median(nothing, () => readAll(after => store.hosts(after))));
  figures.set(
    'poll after every row changed',
    await median(
      () => changeAll(store, count),
      () => watch.poll(),
    ),
  );
  figures.set('the poll after that', await median(nothing, () => watch.poll()));
  figures.set(
    'agents of a server',
    await median(nothing, () => readAll(after => store.agentsOfServer(OWN_MSID, after))),
  );
  figures.set('number of its agents', await median(nothing, () => store.countAgents(OWN_MSID)));
  figures.set('one page of 500', await median(nothing, () => store.findHosts({ page: 2, pagesize: 500 })));
  const everything = { page: 1, pagesize: count };
  figures.set(
    'all of listHosts',
    await median(nothing, () => readLargePage(part => store.findHosts(part), everything)),
  );
  figures.set('links of all servers, first', await median(nothing, links));
  for (const [name, figure] of await operatorFigures(store)) figures.set(name, figure);
  await store.close();
  return figures;
}

/** What operators ask for, with all hosts in the answer, and what a server does when the configuration has changed. */
async function operatorFigures(store: Store): Promise<ReadonlyMap<string, Figure>> {
  const figures = new Map<string, Figure>();
  const nothing = async () => {};
  const turns = <T>(work: Parameters<typeof runInTurns<T>>[0]) => runInTurns(work, systemClock);
  await store.initialiseConfiguration(new Map([['host', ADDRESSES.join(',')]]));
  const stored = async (): Promise<Configuration> => readConfiguration(await store.configuration()).configuration;
  const lists = new AgentLists({
    store,
    health: new StoreHealth(silentLog),
    log: silentLog,
    configuration: await stored(),
  });
  const known = new KnownHosts(store, host => lists.learnAssignment(host));
  await known.read();
  const links = new PresentLinks({ clock: systemClock, store, msid: OWN_MSID, ownLink: () => undefined });
  const view = () =>
    turns(ownView({ msid: OWN_MSID, knownHosts: known, hasLink: () => false, listOf: () => ADDRESSES.join(',') }));
  let isAway = false;
  const { key, calls, handlers } = await operatorOf({
    store,
    configuration: () => lists.configuration,
    observe: () => [],
    presentLinks: () => links.read(),
    own: {
      msid: OWN_MSID,
      isNeeded: () => isAway,
      hosts: view,
      links: () => links.own(),
      servers: () => [],
      survivors: async () => new Map(),
    },
  });
  const answer = async (command: 'listHosts' | 'listAgentLinks' | 'previewHostList', params = {}) =>
    turns(jsonInSteps(envelope(command, await handlers(command, { pagesize: -1, ...params } as never, key))));
  figures.set('listHosts, all', await median(nothing, () => answer('listHosts')));
  figures.set(
    'listAgentLinks astray=true, all',
    await median(nothing, () => answer('listAgentLinks', { astray: true })),
  );
  isAway = true;
  figures.set('listHosts, all, store away', await median(nothing, () => answer('listHosts')));
  isAway = false;
  figures.set(
    'servers with their agents',
    await median(nothing, async () =>
      turns(jsonInSteps(await calls.serverStatus({ serverId: await firstServer(store) }))),
    ),
  );
  figures.set('previewHostList, all', await median(nothing, () => answer('previewHostList', { algorithm: 'shuffle' })));
  const change = (value: string) =>
    calls.changeConfiguration({ name: 'indirect.agent.lb.algorithm', value, forced: true });
  figures.set('updateConfiguration to rendezvous', await measured(() => change('rendezvous')));
  await known.read();
  const configuration = await stored();
  const taken = async () => {
    lists.take(configuration, []);
    await turns(lists.settleAssignments());
  };
  figures.set('rendezvous, taken by a server', await measured(taken));
  figures.set('rebalanceAgents', await median(nothing, () => calls.rebalanceAgents({})));
  return figures;
}

async function firstServer(store: Store): Promise<string> {
  const [server] = await store.servers();
  return server?.uuid ?? '';
}

const columns: ReadonlyMap<string, Figure>[] = [];
for (const count of counts)
  columns.push(await inFolder(folder => measure(dbUrl ?? `sqlite:${join(folder, 'muster.db')}`, count)));
console.log(`${'ms / longest block'.padEnd(34)}${counts.map(count => `${count} hosts`.padStart(18)).join('')}`);
for (const name of columns[0]?.keys() ?? []) {
  const cells = columns.map(figures => {
    const { ms, blockedMs } = figures.get(name) ?? { ms: Number.NaN, blockedMs: Number.NaN };
    return `${ms.toFixed(0)} / ${blockedMs.toFixed(0)}`.padStart(18);
  });
  console.log(`${name.padEnd(34)}${cells.join('')}`);
}
