import { parseArgs } from 'node:util';
import { ConfigError } from '../lib/errors.js';
import { nearestKey } from '../lib/nearest-key.js';

/** What was asked for on the command line. */
export interface AdminArguments {
  /** Undefined with `--help` or `--version` alone. */
  readonly command: string | undefined;
  readonly params: ReadonlyMap<string, string>;
  /** Words that are no key=value: the folder of `doctor`. */
  readonly words: readonly string[];
  readonly output: 'table' | 'json';
  readonly config: string | undefined;
  /** Do not wait for jobs. */
  readonly async: boolean;
  readonly watch: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const OPTIONS = {
  output: { type: 'string', short: 'o', default: 'table' },
  config: { type: 'string' },
  async: { type: 'boolean', default: false },
  watch: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const;

/** @throws ConfigError */
export function parseAdminArguments(argv: readonly string[]): AdminArguments {
  const { values, positionals } = parse(argv);
  const { output, config, async, watch, help, version } = values;
  if (output !== 'table' && output !== 'json') throw new ConfigError('-o', output, 'allowed are table, json');
  const [command, ...rest] = positionals;
  const params = new Map<string, string>();
  const words: string[] = [];
  for (const argument of rest) {
    const at = argument.indexOf('=');
    if (at > 0) params.set(argument.slice(0, at), argument.slice(at + 1));
    else words.push(argument);
  }
  return { command, params, words, output, config, async, watch, help, version };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (cause) {
    const option = argv.find(argument => argument.startsWith('-') && !isKnown(argument)) ?? '';
    throw new ConfigError(
      'option',
      option,
      suggestion(
        option,
        Object.keys(OPTIONS).map(name => `--${name}`),
      ),
      { cause },
    );
  }
}

function isKnown(argument: string): boolean {
  const name = argument.replace(/^-+/, '').split('=')[0] ?? '';
  return Object.hasOwn(OPTIONS, name) || name === 'o' || name === 'h';
}

/** What is allowed in place of a misspelt word. */
export function suggestion(word: string, known: readonly string[]): string {
  const near = nearestKey(word, known);
  return near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
}
