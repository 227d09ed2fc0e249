import { loadavg } from 'node:os';
import { type Gap, summaryOf } from './gaps.js';
import { begin } from './perform.js';
import type { Fault } from './plan.js';
import { machineText, secondsText } from './report.js';
import { timeText } from './run.js';
import type { World } from './world.js';

/** Of the store's first process. */
const DATABASE = { of: 'database', index: 0 } as const;

interface Row {
  readonly cause: string;
  /** What has begun before, and goes on. */
  readonly before?: Fault;
  /** What happens to the server that the agents are on. Undefined: nothing more. */
  readonly kind?: 'kill' | 'fin' | 'reset' | 'blackhole' | 'freeze' | 'drain';
  /** No agent may lose its Ready link by it. */
  readonly isHarmless?: true;
}

const ROWS: readonly Row[] = [
  { cause: 'kill -9', kind: 'kill' },
  { cause: 'FIN', kind: 'fin' },
  { cause: 'RST', kind: 'reset' },
  { cause: 'blackhole', kind: 'blackhole' },
  { cause: 'freeze', kind: 'freeze' },
  { cause: 'store away', before: { kind: 'freeze', target: DATABASE }, isHarmless: true },
  { cause: 'store away, then kill -9', before: { kind: 'freeze', target: DATABASE }, kind: 'kill' },
  { cause: 'drain', kind: 'drain', isHarmless: true },
];

/** What failover is measured for. */
export const CAUSES = ROWS.map(({ cause }) => cause);

/** No check brings agents back: each round happens to the server that they have come to in the one before. */
export const TABLE_SETTINGS = { 'indirect.agent.lb.algorithm': 'static', 'indirect.agent.lb.check.interval': 0 };
/** So long the store is away before anything else happens: servers have noticed it. */
const AWAY_MS = 5_000;
/** By then every agent has to be Ready, and servers have to be well again. */
const LIMIT_MS = 180_000;
const LOOK_MS = 500;
/** A link that is lost sooner than after 5 s counts as a failed dial, and three of them as a failed cycle. */
const REST_MS = 6_000;
/** What happens now may be noted so much earlier. */
const CLOCK_MS = 1;

/**
 * Measures, for each cause, for how long agents are without a Ready link of use.
 * @param causes of `CAUSES`
 * @returns a table as Markdown
 */
export async function failoverTable(world: World, causes: readonly string[], rounds: number): Promise<string> {
  const { say, agents, store } = world.options;
  const lines = ['| cause | times | median | p99 | longest |', '|---|---|---|---|---|'];
  for (const row of ROWS.filter(({ cause }) => causes.includes(cause))) {
    const gaps: Gap[] = [];
    for (let round = 0; round < rounds; round++) {
      const measured = await measure(world, row);
      if (measured === undefined) break;
      gaps.push(...measured);
      if (row.isHarmless) judgeHarmless(world, measured);
      await recover(world);
    }
    const [summary] = summaryOf(gaps);
    const figures = summary ? [summary.medianMs, summary.p99Ms, summary.maxMs].map(secondsText) : ['', '', 'not here'];
    lines.push(`| ${[row.cause, gaps.length, ...figures].join(' | ')} |`);
    say(`${timeText(world.now)}  ${lines.at(-1)}`);
  }
  const load = loadavg()[0]?.toFixed(1);
  const day = new Date().toISOString().slice(0, 10);
  return [...lines, '', `${agents} agents, ${store}, ${machineText()}, load ${load}, ${day}`].join('\n');
}

/** @returns a gap for each agent that is concerned, also of 0 ms; undefined: this machine or store does not have it */
async function measure(world: World, { cause, before, kind }: Row): Promise<readonly Gap[] | undefined> {
  const { ledger } = world;
  const endBefore = before && (await begun(world, before));
  if (before !== undefined && endBefore === undefined) return undefined;
  if (before !== undefined) await world.wait(AWAY_MS);
  const index = busiest(world);
  const address = world.hosts[index];
  const concerned = agentsOn(world, address);
  const from = world.now;
  const end = kind && (await begin(world, { kind, target: { of: 'server', index } }));
  if (kind !== undefined && end === undefined) return undefined;
  /** Also on the same server, once it takes them again. */
  const areWell = () => {
    const without = new Set(ledger.without);
    const felt = new Set(ledger.all.filter(gap => gap.from >= from - CLOCK_MS).map(({ agent }) => agent));
    return concerned.every(agent => !without.has(agent) && (felt.has(agent) || ledger.hosts.get(agent) !== address));
  };
  if (kind === undefined) await world.wait(AWAY_MS);
  else await world.comes(areWell, `all agents are Ready after ${cause}`, LIMIT_MS);
  const own = new Map<string, number>();
  for (const { agent, from: began, ms = world.now - began } of ledger.all)
    if (began >= from - CLOCK_MS) own.set(agent, (own.get(agent) ?? 0) + ms);
  await end?.();
  await endBefore?.();
  return concerned.map(agent => ({ agent, cause, from, ms: own.get(agent) ?? 0 }));
}

function judgeHarmless(world: World, gaps: readonly Gap[]): void {
  for (const { agent, cause, from, ms = 0 } of gaps)
    if (ms > 0)
      world.problem(`${agent} was without a Ready link for ${secondsText(ms)} by: ${cause}, at ${timeText(from)}`);
}

async function begun(world: World, fault: Fault): Promise<(() => Promise<void> | void) | undefined> {
  return world.store.databases.length === 0 ? undefined : begin(world, fault);
}

/** Until all servers and agents are well again, and links have lasted. */
async function recover(world: World): Promise<void> {
  const deadline = world.now + LIMIT_MS;
  for (;;) {
    await world.wait(LOOK_MS);
    if (world.areAllReady && world.servers.every(({ isListening }) => isListening)) {
      const servers = await world.operator.list('listManagementServers', 'managementserver').catch(() => []);
      if (
        servers.length > 0 &&
        servers.every(({ state, processstate }) => state === 'Up' && processstate === 'Running')
      ) {
        await world.wait(REST_MS);
        return;
      }
    }
    if (world.now > deadline) throw new Error('the servers and agents do not become well again');
  }
}

/** The number of the server that most agents are on. */
function busiest(world: World): number {
  const counts = world.hosts.map(host => agentsOn(world, host).length);
  return counts.indexOf(Math.max(...counts));
}

function agentsOn({ ledger }: World, address: string | undefined): readonly string[] {
  return [...ledger.hosts].filter(([, host]) => host === address).map(([agent]) => agent);
}
