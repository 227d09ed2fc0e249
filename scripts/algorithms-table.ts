// Writes the tables in docs/algorithms.md, from the functions that the servers use: npm run docs. With --check it changes
// nothing, and exits with 1 when the file is out of date.
import { fileURLToPath } from 'node:url';
import { ALGORITHM_NAMES, type AlgorithmName } from '#dist/mgmt/config/parameters.js';
import { algorithms } from '#dist/mgmt/lists/algorithms.js';
import { assignAll, assignNew } from '#dist/mgmt/lists/assign.js';
import { listFor, type Weights } from '#dist/mgmt/lists/rendezvous.js';
import { remakePage } from './made-page.js';

const FILE = 'docs/algorithms.md';
const BEGIN = '<!-- tables: made by scripts/algorithms-table.ts, npm run docs -->';
const END = '<!-- end of tables -->';

const AGENTS = [100, 1_000, 10_000];
const SERVERS = [2, 3, 5, 10];
const EQUAL_WEIGHTS: Weights = new Map();

/** The lists of all agents, in the order of their host ids. */
type Lists = readonly (readonly string[])[];

/** How one algorithm makes the lists of agents with the host ids `ids`, ascending. */
interface ListMaker {
  /** The agents register one after the other. */
  lists(ids: readonly number[], servers: readonly string[]): Lists;
  /** The servers have changed to `servers`. A change is a new version of the configuration, and so a new seed. */
  changed(ids: readonly number[], lists: Lists, servers: readonly string[]): Lists;
  /** The agents of `lists` connect again; the servers are the same. */
  reconnected(ids: readonly number[], lists: Lists, servers: readonly string[]): Lists;
}

/** For an algorithm that computes a list from the configuration and the host ids alone. */
function computed(name: AlgorithmName): ListMaker {
  const lists = (ids: readonly number[], servers: readonly string[], version = 1) =>
    ids.map(hostId => algorithms[name]({ servers, zoneHostIds: ids, hostId, seed: String(version) }));
  return {
    lists: (ids, servers) => lists(ids, servers),
    changed: (ids, _lists, servers) => lists(ids, servers, 2),
    reconnected: (ids, _lists, servers) => lists(ids, servers),
  };
}

/** `rendezvous` keeps the preferred host of each agent. */
const assigned: ListMaker = {
  lists(ids, servers) {
    const counts = new Map<string, number>();
    return ids.map(hostId => {
      const list = assignNew(hostId, servers, EQUAL_WEIGHTS, counts);
      const preferred = preferredOf(list);
      counts.set(preferred, (counts.get(preferred) ?? 0) + 1);
      return list;
    });
  },
  changed(ids, lists, servers) {
    const agents = ids.map((hostId, index) => ({ hostId, preferred: lists[index]?.[0] }));
    const { preferred } = assignAll(agents, servers, EQUAL_WEIGHTS);
    return ids.map((hostId, index) => listFor(hostId, preferred[index], servers, EQUAL_WEIGHTS));
  },
  reconnected: (ids, lists, servers) =>
    ids.map((hostId, index) => listFor(hostId, lists[index]?.[0], servers, EQUAL_WEIGHTS)),
};

/** All figures are shares of the agents, but for `largest`. */
interface Measures {
  /** The agents of the server that leads most lists, as a multiple of the mean. */
  readonly largest: number;
  /** Agents with another preferred host after a server was added at the end. */
  readonly added: number;
  /** Likewise after the first server was removed. */
  readonly removed: number;
  /** Agents whose preferred host was that first server. */
  readonly orphans: number;
  /** Other agents with another preferred host after the agent in the middle was removed. */
  readonly agentRemoved: number;
  /** Likewise after an agent was added. */
  readonly agentAdded: number;
  /** Of the agents of one dead server, those on the most common next host; the mean over the servers. */
  readonly onOne: number;
}

function measure(name: AlgorithmName, agentCount: number, serverCount: number): Measures {
  const maker = name === 'rendezvous' ? assigned : computed(name);
  const ids = Array.from({ length: agentCount }, (_, index) => index + 1);
  const servers = Array.from({ length: serverCount }, (_, index) => `10.0.0.${index + 1}`);
  const lists = maker.lists(ids, servers);
  const led = countsOf(lists, 0);

  const middle = Math.floor(agentCount / 2);
  const withoutMiddle = ids.filter((_, index) => index !== middle);
  const kept = lists.filter((_, index) => index !== middle);
  const withOneMore = maker.lists([...ids, agentCount + 1], servers).slice(0, agentCount);
  return {
    largest: Math.max(...led.values()) / (agentCount / serverCount),
    added: moved(lists, maker.changed(ids, lists, [...servers, `10.0.0.${serverCount + 1}`])) / agentCount,
    removed: moved(lists, maker.changed(ids, lists, servers.slice(1))) / agentCount,
    orphans: (led.get('10.0.0.1') ?? 0) / agentCount,
    agentRemoved: moved(kept, maker.reconnected(withoutMiddle, kept, servers)) / agentCount,
    agentAdded: moved(lists, withOneMore) / agentCount,
    onOne: mean([...led.keys()].map(dead => largestPart(lists.filter(list => list[0] === dead)))),
  };
}

/** How many agents have another preferred host after than before. */
function moved(before: Lists, after: Lists): number {
  return after.filter((list, index) => list[0] !== before[index]?.[0]).length;
}

/** The share of the most common second host. */
function largestPart(lists: Lists): number {
  return Math.max(...countsOf(lists, 1).values()) / lists.length;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** How many lists have each host at `position`. */
function countsOf(lists: Lists, position: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const list of lists) {
    const host = list[position] ?? '';
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return counts;
}

function preferredOf([preferred]: readonly string[]): string {
  if (preferred === undefined) throw new Error('an empty list');
  return preferred;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

interface Row {
  readonly agentCount: number;
  readonly serverCount: number;
  /** In the order of `ALGORITHM_NAMES`. */
  readonly results: readonly Measures[];
}

function tablesText(): string {
  const rows: Row[] = AGENTS.flatMap(agentCount =>
    SERVERS.map(serverCount => ({
      agentCount,
      serverCount,
      results: ALGORITHM_NAMES.map(name => measure(name, agentCount, serverCount)),
    })),
  );
  const table = (title: string, columns: readonly string[], cells: (row: Row) => readonly string[]) => {
    const header = ['agents', 'servers', ...columns];
    const lines = [
      header,
      header.map(() => '---:'),
      ...rows.map(row => [row.agentCount.toLocaleString('en-US'), String(row.serverCount), ...cells(row)]),
    ];
    return [`### ${title}`, '', ...lines.map(line => `| ${line.join(' | ')} |`), ''].join('\n');
  };
  return [
    table('Largest share, as a multiple of the mean', ALGORITHM_NAMES, ({ results }) =>
      results.map(({ largest }) => largest.toFixed(2)),
    ),
    table(
      'Agents that move when a server is added at the end',
      ['least for even', ...ALGORITHM_NAMES],
      ({ results, serverCount }) => [percent(1 / (serverCount + 1)), ...results.map(({ added }) => percent(added))],
    ),
    table(
      'Agents that move when the first server is removed (in brackets: those that it led, which must)',
      ALGORITHM_NAMES,
      ({ results }) => results.map(({ removed, orphans }) => `${percent(removed)} (${percent(orphans)})`),
    ),
    table(
      'Other agents that move when an agent is removed, the one in the middle (least possible: none)',
      ALGORITHM_NAMES,
      ({ results }) => results.map(({ agentRemoved }) => percent(agentRemoved)),
    ),
    table('Other agents that move when an agent is added (least possible: none)', ALGORITHM_NAMES, ({ results }) =>
      results.map(({ agentAdded }) => percent(agentAdded)),
    ),
    table(
      "A dead server's agents: the largest part of them that goes to one other server, on average over the servers",
      ['even', ...ALGORITHM_NAMES],
      ({ results, serverCount }) => [percent(1 / (serverCount - 1)), ...results.map(({ onOne }) => percent(onOne))],
    ),
  ].join('\n');
}

/** @returns `text`, the content of docs/algorithms.md, with the tables between the two marks */
export function withTables(text: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${FILE} has no region between "${BEGIN}" and "${END}"`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${tablesText()}\n${text.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) remakePage(FILE, withTables);
