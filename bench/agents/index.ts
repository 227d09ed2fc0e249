import { fileURLToPath } from 'node:url';
import { printTable } from '../table.js';
import { newAuthority } from './authority.js';
import { type Certificates, measureFloor, measureMuster, openLoad, type Sample, sampleSizes } from './measure.js';

export interface AgentsOptions {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** How many agents a server has. */
  readonly agents: readonly number[];
}

interface Row {
  readonly name: string;
  readonly of: keyof Sample;
  readonly digits: number;
  /** What the ratio to plain node:tls is to be. */
  readonly goal: { readonly atMost: number } | { readonly atLeast: number };
}

const ROWS: readonly Row[] = [
  { name: 'server CPU for an agent to Ready, ms', of: 'connectCpuMs', digits: 2, goal: { atMost: 1.8 } },
  { name: 'server CPU for a 300-byte ping, ms', of: 'pingCpuMs', digits: 3, goal: { atMost: 2.5 } },
  { name: 'agents/s to Ready', of: 'connectsPerSecond', digits: 0, goal: { atLeast: 0.75 } },
];
const CERTIFICATES: readonly Certificates[] = ['none', 'own'];
const PINGS = 10_000;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Pair {
  readonly muster: Readonly<Record<Certificates, Sample>>;
  readonly floor: Readonly<Record<Certificates, Sample>>;
}

/** A management server with agents beside a plain node:tls server with as many connections, which take turns. */
export async function measureAgents({ isQuick, rounds, agents }: AgentsOptions): Promise<void> {
  const authority = await newAuthority();
  const sizes = await sampleSizes({ root: ROOT, authority });
  const [musterLoad, floorLoad] = [openLoad(), openLoad()];
  const pairs = new Map<number, Pair[]>(agents.map(count => [count, []]));
  for (let round = 0; round < rounds; round++) {
    for (const count of agents) {
      const options = { root: ROOT, agents: count, authority, pings: isQuick ? 100 : PINGS };
      const muster = () => measureMuster(musterLoad, options);
      const floor = () => measureFloor(floorLoad, options, sizes);
      const [first, second] = round % 2 === 0 ? [await muster(), await floor()] : [await floor(), await muster()];
      pairs.get(count)?.push(round % 2 === 0 ? { muster: first, floor: second } : { muster: second, floor: first });
    }
  }
  musterLoad.stop();
  floorLoad.stop();
  printTable(
    ['agents', 'N', 'certificates', 'Muster', 'node:tls', 'ratio', 'from', 'to', 'goal', ''],
    ROWS.flatMap(row =>
      agents.flatMap(count =>
        CERTIFICATES.map(certificates => cellsOf(row, count, certificates, pairs.get(count) ?? [])),
      ),
    ),
  );
}

function cellsOf(
  { name, of, digits, goal }: Row,
  agents: number,
  certificates: Certificates,
  pairs: readonly Pair[],
): readonly string[] {
  const muster = pairs.map(pair => pair.muster[certificates][of]);
  const floor = pairs.map(pair => pair.floor[certificates][of]);
  const ratios = muster.map((value, index) => value / (floor[index] ?? Number.NaN));
  const ratio = median(ratios);
  const isMet = 'atMost' in goal ? ratio <= goal.atMost : ratio >= goal.atLeast;
  return [
    name,
    `${agents}`,
    certificates,
    median(muster).toFixed(digits),
    median(floor).toFixed(digits),
    `${ratio.toFixed(2)} ×`,
    Math.min(...ratios).toFixed(2),
    Math.max(...ratios).toFixed(2),
    'atMost' in goal ? `≤ ${goal.atMost} ×` : `≥ ${goal.atLeast} ×`,
    isMet ? 'met' : 'missed',
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
