// Plays attacks against a management server on this machine, with 100 honest agents beside it, and measures what they feel.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readyLink, silentLog, startAgent } from '#dist/agent/index.js';
import { ATTACKS, type AttackName } from './attack/attacks.js';
import { Operator } from './attack/operator.js';
import { Fleet, Server } from './attack/processes.js';
import { oneOf, readArguments } from './programs/arguments.js';

const NAMES = Object.keys(ATTACKS) as AttackName[];
const USAGE = `Plays attacks against a management server on this machine, with 100 honest agents beside it.

Usage: npm run attack [-- [--short] [--only NAME,…]]

  --short        less than a minute, as many attacks as fit into it, and only a lost link or a server that dies is a failure
  --only NAME,…  of ${NAMES.join(', ')}
`;
const AGENTS = 100;
const ATTACK_MS = 10_000;
const SHORT_ATTACK_MS = 1_000;
/** The short form begins no further attack after this. */
const SHORT_MS = 45_000;
/** How often memory and pings are looked at. */
const LOOK_MS = 250;
/** Pings that an attack has held up are reported by the next ones. */
const LAST_PINGS_MS = 1_200;
/** What an attack has left behind must be gone by then. */
const SETTLE_MS = 10_000;
const SHORT_SETTLE_MS = 1_000;
/** A new agent that is not Ready by then is given up. */
const NEW_AGENT_MS = 10_000;
const SHORT_NEW_AGENT_MS = 3_000;
const LIMITS = { pingMs: 1_000, newAgentMs: 5_000, apiMs: 5_000, memoryMb: 512, descriptors: 8, logMb: 5 };
const MB = 1_024 * 1_024;

interface Result {
  readonly name: AttackName;
  readonly what: string;
  readonly linksLost: number;
  readonly pingMs: number;
  readonly newAgentMs: number;
  readonly apiMs: number;
  readonly memoryMb: number;
  /** More descriptors than before, when it was over. */
  readonly left: number;
  readonly logMb: number;
  readonly failures: readonly string[];
}

const { isShort, names } = readArguments(USAGE, () => {
  const { values } = parseArgs({ options: { short: { type: 'boolean', default: false }, only: { type: 'string' } } });
  return {
    isShort: values.short,
    names: values.only?.split(',').map(text => oneOf('--only', text, NAMES)) ?? NAMES,
  };
});

const folder = mkdtempSync(join(tmpdir(), 'muster-attack-'));
const [serverFolder = '', fleetFolder = ''] = ['server', 'fleet'].map(name => {
  mkdirSync(join(folder, name));
  return join(folder, name);
});
let attacker: ChildProcess | undefined;
const server = new Server(serverFolder);
let fleet: Fleet | undefined;

/** Leaves nothing behind. */
function cleanUp(): void {
  attacker?.kill('SIGKILL');
  fleet?.kill();
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const { port = 0 } = await server.says('Listening for agents');
const { port: apiPort = 0 } = await server.says('Listening for operators');
const operator = new Operator(serverFolder, apiPort);
const honest = new Fleet(fleetFolder, port, AGENTS);
fleet = honest;
await honest.ready();

let agentsMade = 0;

/** Milliseconds in which a new agent becomes Ready. */
async function newAgent(): Promise<number> {
  const home = join(folder, `agent-${++agentsMade}`);
  mkdirSync(home);
  const startedAt = performance.now();
  const overrides = { host: '127.0.0.1', port: String(port) };
  const running = await startAgent({ file: join(home, 'agent.properties'), overrides, log: silentLog });
  const tookMs = () => performance.now() - startedAt;
  const mostMs = isShort ? SHORT_NEW_AGENT_MS : NEW_AGENT_MS;
  while (readyLink(running.state) === undefined && tookMs() < mostMs) await sleep(10);
  const took = tookMs();
  await running.stop();
  return took;
}

/** Repeats `act` until the attack is over; it is done once at least. */
async function during(isOver: () => boolean, act: () => Promise<void>): Promise<void> {
  do await act();
  while (!isOver());
}

async function play(name: AttackName): Promise<Result> {
  const durationMs = isShort ? SHORT_ATTACK_MS : ATTACK_MS;
  const before = { descriptors: server.descriptors, linksLost: honest.linksLost, logBytes: server.logBytes };
  operator.forget();
  const pings: number[] = [];
  const newAgents: number[] = [];
  let memory = 0;
  let isOver = false;

  const child = fork(fileURLToPath(new URL('attack/attacker.js', import.meta.url)), [
    name,
    ...[port, apiPort, durationMs].map(String),
  ]);
  attacker = child;
  const done = once(child, 'message').then(([what]) => String(what));
  const ended = once(child, 'exit').then(() => {
    isOver = true;
  });
  await Promise.all([
    ended,
    during(
      () => isOver,
      async () => {
        if (server.isAlive) memory = Math.max(memory, server.memory);
        pings.push(...(await operator.pings()).values());
        await sleep(LOOK_MS);
      },
    ),
    during(
      () => isOver,
      async () => {
        newAgents.push(await newAgent());
        await sleep(LOOK_MS);
      },
    ),
  ]);
  await sleep(LAST_PINGS_MS);
  pings.push(...(await operator.pings()).values());
  const left = await leftOf(before.descriptors);
  const measured = {
    linksLost: honest.linksLost - before.linksLost,
    pingMs: percentile(pings, 0.99),
    newAgentMs: Math.max(...newAgents),
    apiMs: operator.failed > 0 ? Number.POSITIVE_INFINITY : operator.slowestMs,
    memoryMb: memory / MB,
    left,
    logMb: (server.logBytes - before.logBytes) / MB,
  };
  return { name, what: await done, ...measured, failures: failuresOf(measured) };
}

/** How many descriptors more than `before` are open, once it is no more than allowed, or time is up. */
async function leftOf(before: number): Promise<number> {
  const deadline = performance.now() + (isShort ? SHORT_SETTLE_MS : SETTLE_MS);
  while (server.isAlive && server.descriptors - before > LIMITS.descriptors && performance.now() < deadline) {
    await sleep(LOOK_MS);
  }
  return server.isAlive ? server.descriptors - before : 0;
}

function failuresOf(measured: Omit<Result, 'name' | 'what' | 'failures'>): string[] {
  const failures = [
    ...(server.isAlive ? [] : ['the server has died']),
    ...(measured.linksLost > 0 ? [`${measured.linksLost} links lost`] : []),
  ];
  if (isShort) return failures;
  const bounds = [
    ['pings', measured.pingMs, LIMITS.pingMs],
    ['a new agent', measured.newAgentMs, LIMITS.newAgentMs],
    ['the API', measured.apiMs, LIMITS.apiMs],
    ['memory', measured.memoryMb, LIMITS.memoryMb],
    ['descriptors', measured.left, LIMITS.descriptors],
    ['the log', measured.logMb, LIMITS.logMb],
  ] as const;
  for (const [what, value, most] of bounds)
    if (!(value <= most)) failures.push(`${what}: ${Math.round(value)}, at most ${most}`);
  return failures;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.POSITIVE_INFINITY;
}

/** The heads of the table's columns, and how wide they are. */
const COLUMNS = [
  ['attack', 15],
  ['links lost', 10],
  ['ping p99 ms', 11],
  ['new agent ms', 12],
  ['API ms', 6],
  ['memory MB', 9],
  ['left', 4],
  ['log MB', 6],
  ['what', 0],
] as const;

function print(cells: readonly string[]): void {
  console.log(cells.map((cell, column) => cell.padEnd(COLUMNS[column]?.[1] ?? 0)).join('  '));
}

/** For docs/security.md. */
function markdownOf(results: readonly Result[]): string {
  const rows = results.map(({ name, pingMs, newAgentMs, apiMs, memoryMb }) => {
    const cells = [pingMs, newAgentMs, apiMs, memoryMb].map(value => Math.round(value).toLocaleString('en-US'));
    return `| ${[ATTACKS[name].what, ...cells].join(' | ')} |`;
  });
  return ['| attack | pings | new agent | API | memory MB |', '|---|---|---|---|---|', ...rows].join('\n');
}

function cellsOf({ name, what, linksLost, pingMs, newAgentMs, apiMs, memoryMb, left, logMb }: Result): string[] {
  const numbers = [linksLost, pingMs, newAgentMs, apiMs, memoryMb, left].map(value => String(Math.round(value)));
  return [name, ...numbers, logMb.toFixed(1), `${ATTACKS[name].what}: ${what}`];
}

print(COLUMNS.map(([head]) => head));
const results: Result[] = [];
for (const name of names) {
  if (!server.isAlive || (isShort && performance.now() > SHORT_MS)) break;
  const result = await play(name);
  results.push(result);
  print(cellsOf(result));
}
if (!isShort) console.log(`\n${markdownOf(results)}\n`);
const skipped = names.slice(results.length);
if (skipped.length > 0) console.log(`Not played: ${skipped.join(', ')}`);
const failures = results.flatMap(({ name, failures }) => failures.map(failure => `${name}: ${failure}`));
for (const failure of failures) console.log(`FAILED  ${failure}`);
await honest.stop();
await server.stop();
process.exit(failures.length > 0 ? 1 : 0);
