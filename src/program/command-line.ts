import { parseArgs } from 'node:util';
import { ConfigError } from '../lib/errors.js';

/** How a program is called: `PROGRAM [FILE] [key=value …]`. */
export interface CommandUsage {
  /** What its users call: `node dist/agent.js`, or `muster-agent` where it is installed. */
  readonly program: string;
  /** The FILE that is read when none is given. */
  readonly defaultFile: string;
}

/** The arguments of a program. */
export interface CommandLine {
  /** Undefined when no FILE is given. */
  readonly file: string | undefined;
  /** The FILE that is read then. */
  readonly defaultFile: string;
  /** When a key is given twice, the last value counts, as in a file. */
  readonly settings: ReadonlyMap<string, string>;
  readonly help: boolean;
  readonly version: boolean;
}

/**
 * Reads the arguments. One with a `=` is a setting, unless it starts like a path: with `/`, `./` or `../`.
 * @param argv the arguments behind the script
 * @throws ConfigError
 */
export function parseCommandLine(argv: readonly string[], usage: CommandUsage): CommandLine {
  const wrong = (argument: string, reason: string) =>
    new ConfigError('argument', argument, `${reason}; usage: ${usageLine(usage)}`);
  const settings = new Map<string, string>();
  let file: string | undefined;
  let help = false;
  let version = false;
  // Not strict: those errors do not say which argument is wrong.
  const { tokens } = parseArgs({
    args: [...argv],
    options: { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    const argument = argv[token.index] ?? '';
    if (token.kind === 'option') {
      if (token.name === 'help' && token.value === undefined) help = true;
      else if (token.name === 'version' && token.value === undefined) version = true;
      else throw wrong(argument, 'no such option; settings are given as key=value, without hyphens');
    } else if (token.kind === 'positional') {
      const separator = /^\.{0,2}\//.test(argument) ? -1 : argument.indexOf('=');
      if (separator === 0) throw wrong(argument, 'a setting needs a key before its =');
      if (separator > 0) {
        settings.set(argument.slice(0, separator), argument.slice(separator + 1));
        continue;
      }
      if (argument === '') throw wrong(argument, 'an empty argument is neither a FILE nor key=value');
      if (file !== undefined) throw wrong(argument, `a second FILE after ${file}`);
      file = argument;
    }
  }
  return { file, defaultFile: usage.defaultFile, settings, help, version };
}

/** The usage in one line, for `--help` and for errors. */
export function usageLine({ program, defaultFile }: CommandUsage): string {
  return `${program} [FILE, default ${defaultFile}] [key=value …] [--help] [--version]`;
}
