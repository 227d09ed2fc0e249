import { parseArgs } from 'node:util';
import { oneOf, readArguments, wholeNumber } from '../scripts/programs/arguments.js';
import { type NamedCommit, namedCommit } from './revision.js';

/** What `npm run bench` measures, in the order in which it does. */
const SECTIONS = [
  'codec',
  'connections',
  'memory',
  'commands',
  'agents',
  'idle',
  'fleet',
  'stores',
  'lists',
  'link',
  'cloudstack',
] as const;
export type Section = (typeof SECTIONS)[number];
/** What can be measured beside another revision. */
const COMPARED = ['agents', 'idle', 'fleet', 'link'] as const satisfies readonly Section[];

const ROUNDS = 5;
/** Enrolment takes its time, and memory differs little from round to round. */
const FLEET_ROUNDS = 1;
const STORMS = [1_000, 3_000];
const IDLE = [1_000, 3_000, 10_000];
const STORE_STORM = 5_000;
const MOST_AGENTS = 50_000;

export interface BenchArguments {
  /** Shows only that everything runs. */
  readonly isQuick: boolean;
  /** A goal that is missed ends the process with 1. */
  readonly isStrict: boolean;
  /** Measured in the place of plain node:tls. */
  readonly compare: NamedCommit | undefined;
  readonly sections: readonly Section[];
  /** How often figures that differ from time to time are measured. */
  readonly rounds: number;
  /** How often fleets are. */
  readonly fleetRounds: number;
  /** How many agents a server has while CPU is measured, and while memory and changes of lists are; ascending. */
  readonly storms: readonly number[];
  readonly idle: readonly number[];
  /** How many new hosts come at once to a server whose store is measured. */
  readonly storeStorm: number;
}

const USAGE = `Measures Muster beside plain node:tls, node:net and JSON, or beside another revision of itself.

Usage: npm run bench [-- OPTIONS] [WHAT …]

  WHAT           of ${SECTIONS.join(', ')}; by default all
  --quick        shows only that everything runs
  --compare REV  builds another revision, and measures ${COMPARED.join(', ')} of both in turn
  --rounds N     how often what is compared is measured, and lists are changed (${ROUNDS}; fleet ${FLEET_ROUNDS})
  --agents N,…   how many agents a server has (${STORMS.join(',')}; idle ones, fleets and lists ${IDLE.join(',')};
                 stores, the largest of them: ${STORE_STORM})
  --strict       ends with 1 when a goal is missed
`;

/** The arguments of this process. Ends it when they cannot be used. @param root this checkout */
export function readBenchArguments(root: string): BenchArguments {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        strict: { type: 'boolean', default: false },
        compare: { type: 'string' },
        rounds: { type: 'string' },
        agents: { type: 'string' },
      },
    });
    const { quick: isQuick, strict: isStrict } = values;
    const compare = values.compare === undefined ? undefined : namedCommit(root, values.compare);
    const possible: readonly Section[] = compare === undefined ? SECTIONS : COMPARED;
    const wanted = positionals.map(name => oneOf('WHAT', name, possible));
    const agents = values.agents?.split(',').map(text => wholeNumber('--agents', text, 1, MOST_AGENTS));
    const rounds = values.rounds === undefined ? undefined : wholeNumber('--rounds', values.rounds, 1, 1_000);
    agents?.sort((one, other) => one - other);
    return {
      isQuick,
      isStrict,
      compare,
      sections: possible.filter(name => wanted.length === 0 || wanted.includes(name)),
      rounds: rounds ?? (isQuick ? 1 : ROUNDS),
      fleetRounds: rounds ?? FLEET_ROUNDS,
      storms: agents ?? (isQuick ? [20] : STORMS),
      storeStorm: agents?.at(-1) ?? (isQuick ? 20 : STORE_STORM),
      idle: agents ?? (isQuick ? [10, 20] : IDLE),
    };
  });
}
