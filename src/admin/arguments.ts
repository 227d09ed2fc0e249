import { parseArgs } from 'node:util';
import { reasonOf } from '../lib/errors.js';
import { nearestKey } from '../lib/text/nearest-key.js';
import { UsageError } from './usage-error.js';

/** What was asked for on the command line. */
export interface AdminArguments {
  /** Undefined with `--help` or `--version` alone. */
  readonly command: string | undefined;
  /** Names in lower case, as in the API. When one is given twice the last value counts. */
  readonly params: ReadonlyMap<string, string>;
  /** Arguments that are no key=value, such as the folder of `doctor`. */
  readonly words: readonly string[];
  readonly output: 'table' | 'json';
  readonly config: string | undefined;
  /** Another server than that of the key pair's file. */
  readonly endpoint: string | undefined;
  /** Do not wait for jobs. */
  readonly async: boolean;
  readonly watch: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const OPTIONS = {
  output: { type: 'string', short: 'o', default: 'table' },
  config: { type: 'string' },
  endpoint: { type: 'string' },
  async: { type: 'boolean', default: false },
  watch: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const;
export const OPTION_NAMES = Object.keys(OPTIONS).map(name => `--${name}`);

/** @throws UsageError */
export function parseAdminArguments(argv: readonly string[]): AdminArguments {
  const { values, positionals } = parse(argv);
  const { output, config, endpoint, async, watch, help, version } = values;
  if (output !== 'table' && output !== 'json') throw new UsageError(`-o ${output}: allowed are table, json`);
  const [command, ...rest] = positionals;
  const params = new Map<string, string>();
  const words: string[] = [];
  for (const argument of rest) {
    const at = argument.indexOf('=');
    if (at > 0) params.set(argument.slice(0, at).toLowerCase(), argument.slice(at + 1));
    else words.push(argument);
  }
  return { command, params, words, output, config, endpoint, async, watch, help, version };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    const unknown = argv.find(argument => argument.startsWith('-') && !isKnown(argument));
    // Of an option that is known, Node's message says what is wrong.
    if (unknown === undefined) throw new UsageError(reasonOf(cause).split('\n')[0], { cause });
    throw new UsageError(`${unknown} is no option: ${suggestion(unknown, OPTION_NAMES)}`, { cause });
  }
}

function isKnown(argument: string): boolean {
  if (!argument.startsWith('--')) return /^-[oh]/.test(argument);
  return Object.hasOwn(OPTIONS, argument.slice(2).split('=')[0] ?? '');
}

/** More names than this say nothing in a message. */
const MOST_NAMED = 20;

/** For the end of a message about an unknown word: the nearest known one, else all of them, or those of many with the same end. */
export function suggestion(word: string, known: readonly string[]): string {
  const near = nearestKey(word, known);
  if (near !== undefined) return `did you mean ${near}?`;
  if (known.length === 0) return 'there are none';
  if (known.length <= MOST_NAMED) return `known are ${known.join(', ')}`;
  const [end = word] = /[A-Z][a-z]*$/.exec(word) ?? [];
  const alike = end === '' ? [] : known.filter(one => one.endsWith(end));
  return alike.length === 0 ? '--help has those that are known' : `those with ${end} are ${alike.join(', ')}`;
}
