import { parseArgs } from 'node:util';

/** What `npm run bench` measures, in the order in which it does. */
export const SECTIONS = ['codec', 'connections', 'memory', 'commands', 'agents'] as const;
export type Section = (typeof SECTIONS)[number];

export interface BenchArguments {
  /** Shows only that everything runs. */
  readonly isQuick: boolean;
  readonly sections: readonly Section[];
  /** How many rounds agents are measured in. */
  readonly rounds: number;
  /** How many agents a server has in them. */
  readonly agents: readonly number[];
}

/** @param args of the command line @throws Error, for people */
export function readArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      agents: { type: 'string', default: '1000,3000' },
    },
  });
  for (const name of positionals) {
    if (!isSection(name)) throw new Error(`${name}: there are ${SECTIONS.join(', ')}`);
  }
  const sections = SECTIONS.filter(name => positionals.length === 0 || positionals.includes(name));
  return {
    isQuick: values.quick,
    sections,
    rounds: values.quick ? 1 : count('rounds', values.rounds),
    agents: values.quick ? [20] : values.agents.split(',').map(text => count('agents', text)),
  };
}

function isSection(name: string): name is Section {
  return SECTIONS.some(section => section === name);
}

function count(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option}=${text}: a whole number of at least 1`);
  return value;
}
