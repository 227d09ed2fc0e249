// Writes the tables of docs/algorithms.md, from the functions that the servers use: node scripts/algorithms-table.mjs
// With --check it only says whether the file is what it would write, and exits with 1 when it is not.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { algorithms } from '../dist/mgmt/lists/algorithms.js';
import { assignAll, assignNew } from '../dist/mgmt/lists/assign.js';
import { listFor } from '../dist/mgmt/lists/rendezvous.js';

const FILE = fileURLToPath(new URL('../docs/algorithms.md', import.meta.url));
const BEGIN = '<!-- tables: made by scripts/algorithms-table.mjs -->';
const END = '<!-- end of tables -->';

const NAMES = ['static', 'roundrobin', 'shuffle', 'rendezvous'];
const AGENTS = [100, 1_000, 10_000];
const SERVERS = [2, 3, 5, 10];
const WEIGHTS = new Map();

/**
 * All lists of one algorithm, of agents with the host ids 1 to N: `lists` as they are made, `changed` when the servers are
 * others, `stays` when agents connect again. A change of the servers is a version of the configuration: another seed.
 */
const makers = Object.fromEntries(NAMES.map(name => [name, name === 'rendezvous' ? sticky() : computed(name)]));

function computed(name) {
  const lists = (ids, servers, version = 1) =>
    ids.map(hostId => algorithms[name]({ servers, zoneHostIds: ids, hostId, seed: String(version) }));
  return {
    lists,
    changed: (ids, _lists, servers) => lists(ids, servers, 2),
    stays: (ids, _lists, servers) => lists(ids, servers),
  };
}

function sticky() {
  return {
    lists(ids, servers) {
      const counts = new Map();
      return ids.map(hostId => {
        const list = assignNew(hostId, servers, WEIGHTS, counts);
        counts.set(list[0], (counts.get(list[0]) ?? 0) + 1);
        return list;
      });
    },
    changed(ids, lists, servers) {
      const agents = ids.map((hostId, index) => ({ hostId, preferred: lists[index][0] }));
      const { preferred } = assignAll(agents, servers, WEIGHTS);
      return ids.map((hostId, index) => listFor(hostId, preferred[index], servers, WEIGHTS));
    },
    // The row keeps the first host.
    stays: (ids, lists, servers) => ids.map((hostId, index) => listFor(hostId, lists[index][0], servers, WEIGHTS)),
  };
}

function measure(name, agentCount, serverCount) {
  const { lists: make, changed, stays } = makers[name];
  const ids = Array.from({ length: agentCount }, (_, index) => index + 1);
  const servers = Array.from({ length: serverCount }, (_, index) => `10.0.0.${index + 1}`);
  const lists = make(ids, servers);
  const moved = after => after.filter((list, index) => list[0] !== lists[index][0]).length / agentCount;

  const more = [...servers, `10.0.0.${serverCount + 1}`];
  const fewer = servers.slice(1);
  const led = countsOf(lists, 0);
  const orphans = lists.filter(list => list[0] === servers[0]);
  // The one in the middle: on average, as many came before it as behind it.
  const gone = Math.floor(agentCount / 2);
  const without = ids.filter((_, index) => index !== gone);
  const kept = lists.filter((_, index) => index !== gone);
  const afterRemoval = stays(without, kept, servers);
  const movedByRemoval = afterRemoval.filter((list, index) => list[0] !== kept[index][0]);
  const withOneMore = [...ids, agentCount + 1];
  const afterArrival = make(withOneMore, servers).slice(0, agentCount);
  const movedByArrival = afterArrival.filter((list, index) => list[0] !== lists[index][0]);
  return {
    largest: Math.max(...led.values()) / (agentCount / serverCount),
    added: moved(changed(ids, lists, more)),
    removed: moved(changed(ids, lists, fewer)),
    orphans: orphans.length / agentCount,
    agentRemoved: movedByRemoval.length / agentCount,
    agentAdded: movedByArrival.length / agentCount,
    onOne: mean([...led.keys()].map(dead => largestPart(lists.filter(list => list[0] === dead)))),
  };
}

/** Of agents with these lists, the part that the most common second host has. */
function largestPart(lists) {
  return Math.max(...countsOf(lists, 1).values()) / lists.length;
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function countsOf(lists, position) {
  const counts = new Map();
  for (const list of lists) counts.set(list[position], (counts.get(list[position]) ?? 0) + 1);
  return counts;
}

const percent = share => `${(100 * share).toFixed(1)} %`;
const factor = value => value.toFixed(2);

function table(title, columns, cells) {
  const header = ['agents', 'servers', ...columns];
  const lines = [header, header.map(() => '---:')];
  for (const agentCount of AGENTS) {
    for (const serverCount of SERVERS) {
      const results = NAMES.map(name => resultOf(name, agentCount, serverCount));
      lines.push([agentCount.toLocaleString('en-US'), String(serverCount), ...cells(results, agentCount, serverCount)]);
    }
  }
  return [`### ${title}`, '', ...lines.map(line => `| ${line.join(' | ')} |`), ''].join('\n');
}

const known = new Map();
function resultOf(name, agentCount, serverCount) {
  const key = `${name} ${agentCount} ${serverCount}`;
  if (!known.has(key)) known.set(key, measure(name, agentCount, serverCount));
  return known.get(key);
}

const tables = [
  table('Largest share, as a multiple of the mean', NAMES, results => results.map(({ largest }) => factor(largest))),
  table('Agents that move when a server is added at the end', ['least for even', ...NAMES], (results, _, count) => [
    percent(1 / (count + 1)),
    ...results.map(({ added }) => percent(added)),
  ]),
  table(
    'Agents that move when the first server is removed (in brackets: those that it led, which must)',
    NAMES,
    results => results.map(({ removed, orphans }) => `${percent(removed)} (${percent(orphans)})`),
  ),
  table(
    'Other agents that move when an agent is removed, the one in the middle (least possible: none)',
    NAMES,
    results => results.map(({ agentRemoved }) => percent(agentRemoved)),
  ),
  table('Other agents that move when an agent is added (least possible: none)', NAMES, results =>
    results.map(({ agentAdded }) => percent(agentAdded)),
  ),
  table(
    "A dead server's agents: the largest part of them that goes to one other server, on average over the servers",
    ['even', ...NAMES],
    (results, _, count) => [percent(1 / (count - 1)), ...results.map(({ onOne }) => percent(onOne))],
  ),
].join('\n');

const text = readFileSync(FILE, 'utf8');
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) {
  console.error(`docs/algorithms.md has no region between "${BEGIN}" and "${END}".`);
  process.exit(1);
}
const wanted = `${text.slice(0, begin + BEGIN.length)}\n\n${tables}\n${text.slice(end)}`;
if (!process.argv.includes('--check')) writeFileSync(FILE, wanted);
else if (text !== wanted) {
  console.error('docs/algorithms.md is not what its script writes: run node scripts/algorithms-table.mjs');
  process.exit(1);
}
