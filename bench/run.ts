// npm run bench, or npm run bench -- --quick to see that it runs. docs/bench.md says what the columns mean.
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { measureAgents, measureAsCloudStack, measureFleets, measureIdleAgents } from './agents/index.js';
import { measureLists } from './agents/lists.js';
import { measureStores } from './agents/stores.js';
import { readBenchArguments, type Section } from './arguments.js';
import { certificate } from './certificate.js';
import { Child } from './child.js';
import { measureCodec } from './codec.js';
import { AT_ONCE, type CommandRow, LIMITS_OF_OWN, measureCommands } from './commands.js';
import { KIND_NAMES, type KindName, PACKET_BYTES } from './kinds.js';
import { measureLink } from './link.js';
import type { Memory, Operations } from './peer.js';
import { buildRevision } from './revision.js';
import { goalText, meets, printRows, type Row } from './rows.js';
import { median } from './statistics.js';
import { printTable, ratio, rounded } from './table.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { isQuick, isStrict, compare, sections, ...sizes } = readBenchArguments(ROOT);
const CODEC_ROUND_MS = isQuick ? 20 : 150;
const RATE_ROUND_MS = isQuick ? 100 : 500;
/** The kinds take turns, and the best round of each counts: other load of the machine then affects all of them alike. */
const ROUNDS = isQuick ? 1 : 4;
const LINKS = isQuick ? 50 : 500;
/** Connections before the first measurement of memory: they pay for what is loaded and compiled once. */
const WARM_UP_LINKS = 20;

const certificates = await certificate();

function measureCodecs(): void {
  printTable(
    ['codec', 'bytes', 'decode/s', 'of JSON.parse', 'encode/s', 'of JSON.stringify'],
    measureCodec(ROUNDS, CODEC_ROUND_MS).map(({ name, bytes, decode, parse, encode, stringify }) => [
      name,
      rounded(bytes),
      rounded(decode),
      ratio(decode, parse),
      rounded(encode),
      ratio(encode, stringify),
    ]),
  );
}

async function measureRates(): Promise<void> {
  const pairs = [];
  for (const kind of KIND_NAMES) pairs.push(await openPair(kind));
  const rates = new Map(KIND_NAMES.map(kind => [kind, [0, 0, 0]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { kind, port, client } of pairs) {
      const request = { kind, port, ms: RATE_ROUND_MS };
      const measured = [
        await client.do('handshakes', request),
        (await client.do('echoes', { ...request, inFlight: 1 })).perSecond,
        (await client.do('echoes', { ...request, inFlight: 32 })).perSecond,
      ];
      const best = rates.get(kind) ?? [];
      rates.set(
        kind,
        measured.map((rate, column) => Math.max(rate, best[column] ?? 0)),
      );
    }
  }
  for (const pair of pairs) pair.stop();
  const columns = ['handshakes/s', 'echoes/s, 1 in flight', 'echoes/s, 32 in flight'];
  printComparison(`connections, ${PACKET_BYTES}-byte packets`, columns, rates);
}

async function measureMemory(): Promise<void> {
  const memory = new Map<KindName, number[]>();
  for (const kind of KIND_NAMES) {
    // Its memory is that of node:tls.
    if (kind === 'node:tls, unmerged') continue;
    const { server, client, port, stop } = await openPair(kind);
    const both = async () => [await server.do('memory'), await client.do('memory')] as const;
    await client.do('connect', { kind, port, count: WARM_UP_LINKS });
    await client.do('useAll');
    const [serverBefore, clientBefore] = await both();
    await client.do('connect', { kind, port, count: LINKS });
    await client.do('useAll');
    const [serverAfter, clientAfter] = await both();
    const perLink = (before: Memory, after: Memory) =>
      [after.rss - before.rss, after.heap - before.heap].map(bytes => bytes / LINKS / 1024);
    memory.set(kind, [...perLink(serverBefore, serverAfter), ...perLink(clientBefore, clientAfter)]);
    stop();
  }
  const columns = ['server RSS', 'server heap', 'client RSS', 'client heap'];
  printComparison(`memory of one of ${LINKS} idle links, kB`, columns, memory);
}

async function measureCommandRates(): Promise<void> {
  const { agents, own, other, sweeps } = await measureCommands(isQuick);
  const cells = ({ medianMs, cpuMs, busyCpuMs }: CommandRow, base?: CommandRow) => [
    ...[medianMs.toFixed(2), ratio(medianMs, base?.medianMs)],
    ...[cpuMs.toFixed(2), ratio(cpuMs, base?.cpuMs)],
    ...[busyCpuMs.toFixed(2), ratio(busyCpuMs, base?.busyCpuMs)],
  ];
  const { median: medianLimit, cpu: cpuLimit } = LIMITS_OF_OWN;
  printTable(
    [
      `commands of ${PACKET_BYTES} bytes, ${agents} agents, three servers`,
      ...['median ms', 'of own', 'CPU ms', 'of own', `CPU ms, ${AT_ONCE} at a time`, 'of own'],
    ],
    [
      ['to an agent of the server that is asked', ...cells(own)],
      ['to an agent of another server', ...cells(other, own)],
      ['limit', '', ratio(medianLimit, 1), '', '', '', ratio(cpuLimit, 1)],
    ],
  );
  const isOver = other.medianMs > medianLimit * own.medianMs || other.busyCpuMs > cpuLimit * own.busyCpuMs;
  if (isOver) missedGoals++;
  printTable(
    ['one command to each, 50 at a time', 'commands/s', 'not answered', 'MB of the server that is asked'],
    sweeps.map(({ perSecond, notAnswered, rssMb }, index) => [
      `${index + 1}`,
      rounded(perSecond),
      rounded(notAnswered),
      rounded(rssMb),
    ]),
  );
}

/** A server and a client of one kind, each in a process of its own. */
async function openPair(kind: KindName) {
  const peer = () => new Child<Operations>(new URL('./peer.js', import.meta.url));
  const [server, client] = [peer(), peer()];
  return {
    kind,
    server,
    client,
    port: await server.do('listen', { kind, certificates }),
    stop() {
      server.stop();
      client.stop();
    },
  };
}

/** Each column with its ratio to node:tls and to node:net of the same run. */
function printComparison(
  title: string,
  columns: readonly string[],
  values: ReadonlyMap<KindName, readonly number[]>,
): void {
  const of = (kind: KindName, column: number) => values.get(kind)?.[column];
  printTable(
    [title, ...columns.flatMap(name => [name, 'of tls', 'of net'])],
    [...values].map(([kind, row]) => [
      kind,
      ...row.flatMap((value, column) => [
        rounded(value),
        kind === 'node:net' ? '' : ratio(value, of('node:tls', column)),
        ratio(value, of('node:net', column)),
      ]),
    ]),
  );
}

/** Figures that have goals, in one table. */
async function measureRows(): Promise<void> {
  const revision = compare === undefined ? undefined : buildRevision(ROOT, compare);
  try {
    const options = { ...sizes, isQuick, root: ROOT, baseRoot: revision?.root };
    const rows: Row[] = [];
    if (sections.includes('agents')) rows.push(...(await measureAgents(options)));
    if (sections.includes('idle')) rows.push(...(await measureIdleAgents(options)));
    if (sections.includes('fleet')) rows.push(...(await measureFleets({ ...options, rounds: sizes.fleetRounds })));
    if (sections.includes('link')) rows.push(...(await measureLink(options)));
    if (rows.length === 0) return;
    const sides = revision ? { here: 'here', base: revision.name } : { here: 'Muster', base: 'node:tls' };
    missedGoals += printRows(rows, sides, revision === undefined);
  } finally {
    revision?.remove();
  }
}

/** Storms of new hosts on a store, beside those without one. */
async function measureStoreStorms(): Promise<void> {
  const rows = await measureStores({ isQuick, rounds: sizes.rounds, agents: sizes.storeStorm });
  missedGoals += printRows(rows, { here: 'on it', base: 'without a store' }, true);
}

/** Changes of the host list on one server. */
async function measureListChanges(): Promise<void> {
  const figures = await measureLists({ ...sizes, isQuick, root: ROOT });
  printTable(
    ['a change of the host list', 'N', 'first', 'median', 'least', 'most', 'goal', ''],
    figures.map(({ what, agents, digits, first, values, goal }) => {
      const isMet = goal === undefined || meets(goal.judged, goal);
      if (!isMet) missedGoals++;
      return [
        what,
        agents.toLocaleString('en-US'),
        ...[first, median(values), Math.min(...values), Math.max(...values)].map(value => value?.toFixed(digits) ?? ''),
        ...(goal === undefined ? [] : [goalText(goal, goal.unit), isMet ? 'met' : 'missed']),
      ];
    }),
  );
}

/** The agent manager of CloudStack 4.22, on another machine. */
const CLOUDSTACK = { agents: 500, connectsPerSecond: 12, connectCpuMs: 137, rssMb: 376 } as const;

async function measureBesideCloudStack(): Promise<void> {
  const { agents, ...recorded } = CLOUDSTACK;
  const count = isQuick ? 20 : agents;
  const storms = await measureAsCloudStack(count, { ...sizes, isQuick, root: ROOT });
  const of = (figure: keyof typeof recorded) => median(storms.map(storm => storm[figure]));
  const rows = [
    {
      what: 'agents/s to Ready',
      here: of('connectsPerSecond'),
      there: recorded.connectsPerSecond,
      goal: { atLeast: 20 },
    },
    {
      what: 'server CPU for an agent, ms',
      here: of('connectCpuMs'),
      there: recorded.connectCpuMs,
      goal: { atLeast: 60 },
    },
    { what: 'server memory, MB', here: of('rssMb'), there: recorded.rssMb },
  ];
  printTable(
    [
      `${count} agents beside CloudStack 4.22`,
      'Muster',
      `CloudStack, ${agents} agents, recorded elsewhere`,
      'better by',
      'goal',
      '',
    ],
    rows.map(({ what, here, there, goal }) => {
      const by = what.startsWith('agents') ? here / there : there / here;
      const isMet = goal === undefined || meets(by, goal);
      if (!isMet) missedGoals++;
      const judged = goal === undefined ? [] : [goalText(goal), isMet ? 'met' : 'missed'];
      return [what, here.toFixed(1), `${there}`, ratio(by, 1), ...judged];
    }),
  );
}

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}${isQuick ? ', --quick' : ''}\n`);
let missedGoals = 0;
const has = (...names: readonly Section[]) => names.some(name => sections.includes(name));
if (has('codec')) measureCodecs();
if (has('connections')) await measureRates();
if (has('memory')) await measureMemory();
if (has('commands')) await measureCommandRates();
if (has('agents', 'idle', 'fleet', 'link')) await measureRows();
if (has('stores')) await measureStoreStorms();
if (has('lists')) await measureListChanges();
if (has('cloudstack')) await measureBesideCloudStack();
if (missedGoals > 0 && !isQuick) console.error(`${missedGoals} goals are missed.`);
if (missedGoals > 0 && isStrict) process.exitCode = 1;
