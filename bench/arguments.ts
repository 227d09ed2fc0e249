import { parseArgs } from 'node:util';

/** What `npm run bench` measures, in the order in which it does. */
const SECTIONS = ['codec', 'connections', 'memory', 'commands', 'agents', 'idle', 'link', 'cloudstack'] as const;
export type Section = (typeof SECTIONS)[number];
/** What can be measured beside another revision. */
const COMPARED = ['agents', 'idle', 'link'] as const satisfies readonly Section[];

export interface BenchArguments {
  /** Shows only that everything runs. */
  readonly isQuick: boolean;
  /** A goal that is missed ends the process with 1. */
  readonly isStrict: boolean;
  /** Measured in the place of plain node:tls. */
  readonly compare: string | undefined;
  readonly sections: readonly Section[];
  /** How often figures that are compared with another side's are measured. */
  readonly rounds: number;
  /** How many agents a server has while CPU is measured, and while memory is; ascending. */
  readonly storms: readonly number[];
  readonly idle: readonly number[];
}

/** @param args of the command line @throws Error, for people */
export function readArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      compare: { type: 'string' },
      rounds: { type: 'string' },
      agents: { type: 'string' },
    },
  });
  const { quick: isQuick, strict: isStrict, compare } = values;
  const possible: readonly Section[] = compare === undefined ? SECTIONS : COMPARED;
  for (const name of positionals) {
    if (!possible.some(section => section === name)) throw new Error(`${name}: there are ${possible.join(', ')}`);
  }
  const agents = values.agents?.split(',').map(text => numberIn('agents', text));
  agents?.sort((one, other) => one - other);
  return {
    isQuick,
    isStrict,
    compare,
    sections: possible.filter(name => positionals.length === 0 || positionals.includes(name)),
    rounds: values.rounds === undefined ? (isQuick ? 1 : 5) : numberIn('rounds', values.rounds),
    storms: agents ?? (isQuick ? [20] : [1_000, 3_000]),
    idle: agents ?? (isQuick ? [10, 20] : [1_000, 3_000, 10_000]),
  };
}

function numberIn(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option} ${text}: a whole number of at least 1`);
  return value;
}
