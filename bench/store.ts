// How long a server reads the hosts of a large cluster, and how long its event loop is blocked by that.
import { join } from 'node:path';
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
import { delaysOf, type Watched, watchLoop } from './loop-delays.js';
import { operatorOf } from './operator.js';
import { median, percentile } from './statistics.js';
import { printTable, rounded } from './table.js';

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
/** Nothing that a server does with all hosts may keep it from its agents for longer, but for collections of garbage. */
const MOST_MS = 10;

/** All in ms. */
interface Figure {
  /** The median of the rounds. */
  readonly ms: number;
  /** How long the event loop did not turn, without collections of garbage: of 1,000 turns all but one are faster. */
  readonly p999Ms: number;
  /** Likewise, the longest of all rounds. */
  readonly longestMs: number;
  /** The longest collection of garbage. */
  readonly collectionMs: number;
}

/** Each round of work in turn, and something before each that is not measured. */
async function measured(
  work: () => Promise<unknown>,
  { prepare = async () => {}, rounds = ROUNDS }: MeasureOptions = {},
): Promise<Figure> {
  const watched: Watched[] = [];
  for (let round = 0; round < rounds; round++) {
    await prepare();
    watched.push(await watchLoop(work));
  }
  const delays = watched.map(delaysOf);
  const own = delays.flatMap(one => one.own);
  return {
    ms: median(watched.map(({ ms }) => ms)),
    p999Ms: percentile(own, 0.999),
    longestMs: percentile(own, 1),
    collectionMs: Math.max(0, ...delays.flatMap(({ collections }) => collections)),
  };
}

interface MeasureOptions {
  readonly prepare?: () => Promise<unknown>;
  /** @default ROUNDS */
  readonly rounds?: number;
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
  const known = new KnownHosts(store, () => {});
  const watch = new HostWatch(store, { onRemoved() {}, onChanged: host => void known.learn(host) });
  await watch.poll();
  const figures = new Map<string, Figure>();
  const links = () => new PresentLinks({ clock: systemClock, store, msid: OWN_MSID, ownLink: () => undefined }).read();
  figures.set('all hosts, at start', await measured(() => known.read()));
  figures.set('the ids of a zone', await measured(() => new ZoneHosts(store).read(zoneId)));
  figures.set('all hosts, for a change of lists', await measured(() => readAll(after => store.hosts(after))));
  figures.set(
    'poll after every row changed',
    await measured(() => watch.poll(), { prepare: () => changeAll(store, count) }),
  );
  figures.set('the poll after that', await measured(() => watch.poll()));
  figures.set('agents of a server', await measured(() => readAll(after => store.agentsOfServer(OWN_MSID, after))));
  figures.set('number of its agents', await measured(() => store.countAgents(OWN_MSID)));
  figures.set('one page of 500', await measured(() => store.findHosts({ page: 2, pagesize: 500 })));
  const everything = { page: 1, pagesize: count };
  figures.set('all of listHosts', await measured(() => readLargePage(part => store.findHosts(part), everything)));
  figures.set('links of all servers, first', await measured(links));
  for (const [name, figure] of await operatorFigures(store)) figures.set(name, figure);
  await store.close();
  return figures;
}

/** What operators ask for, with all hosts in the answer, and what a server does when the configuration has changed. */
async function operatorFigures(store: Store): Promise<ReadonlyMap<string, Figure>> {
  const figures = new Map<string, Figure>();
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
  figures.set('listHosts, all', await measured(() => answer('listHosts')));
  figures.set('listAgentLinks astray=true, all', await measured(() => answer('listAgentLinks', { astray: true })));
  isAway = true;
  figures.set('listHosts, all, store away', await measured(() => answer('listHosts')));
  isAway = false;
  figures.set(
    'servers with their agents',
    await measured(async () => turns(jsonInSteps(await calls.serverStatus({ serverId: await firstServer(store) })))),
  );
  figures.set('previewHostList, all', await measured(() => answer('previewHostList', { algorithm: 'shuffle' })));
  const change = (value: string) =>
    calls.changeConfiguration({ name: 'indirect.agent.lb.algorithm', value, forced: true });
  figures.set('updateConfiguration to rendezvous', await measured(() => change('rendezvous'), { rounds: 1 }));
  await known.read();
  const configuration = await stored();
  const taken = async () => {
    lists.take(configuration, []);
    await turns(lists.settleAssignments());
  };
  figures.set('rendezvous, taken by a server', await measured(taken, { rounds: 1 }));
  figures.set('rebalanceAgents', await measured(() => calls.rebalanceAgents({})));
  return figures;
}

async function firstServer(store: Store): Promise<string> {
  const [server] = await store.servers();
  return server?.uuid ?? '';
}

const columns: ReadonlyMap<string, Figure>[] = [];
for (const count of counts)
  columns.push(await inFolder(folder => measure(dbUrl ?? `sqlite:${join(folder, 'muster.db')}`, count)));
printTable(
  ['ms', ...counts.flatMap(count => [`${rounded(count)} hosts`, 'p99.9', 'longest', 'collection'])],
  [...(columns[0]?.keys() ?? [])].map(name => [
    name,
    ...columns.flatMap(figures => {
      const {
        ms = Number.NaN,
        p999Ms = Number.NaN,
        longestMs = Number.NaN,
        collectionMs = Number.NaN,
      } = figures.get(name) ?? {};
      return [rounded(ms), ...[p999Ms, longestMs, collectionMs].map(value => value.toFixed(1))];
    }),
  ]),
);
const late = columns.flatMap((figures, index) =>
  [...figures]
    .filter(([, { p999Ms }]) => p999Ms > MOST_MS)
    .map(([name]) => `${name} (${rounded(counts[index] ?? 0)} hosts)`),
);
console.log(`p99.9 above ${MOST_MS} ms: ${late.join('; ') || 'none'}`);
