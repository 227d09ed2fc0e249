import { parseArgs } from 'node:util';
import { ConfigError } from './errors.js';

/** How a process of ours is called: `node dist/NAME.js [FILE] [key=value …]`. */
export interface CommandUsage {
  /** As in `dist/NAME.js`. */
  readonly name: string;
  /** The FILE that is read when none is given. */
  readonly defaultFile: string;
}

export interface CommandLine {
  /** As given; undefined when the default is meant. */
  readonly file: string | undefined;
  /** Of a key that is given twice the last one counts, as in the file. */
  readonly settings: ReadonlyMap<string, string>;
  readonly help: boolean;
  readonly version: boolean;
}

/**
 * An argument with a `=` is a setting, unless it starts as a path does: `/`, `./` or `../`.
 * @param argv without node and the script
 * @throws ConfigError
 */
export function parseCommandLine(argv: readonly string[], usage: CommandUsage): CommandLine {
  const wrong = (argument: string, reason: string) =>
    new ConfigError('argument', argument, `${reason}; usage: ${usageLine(usage)}`);
  const settings = new Map<string, string>();
  let file: string | undefined;
  let help = false;
  let version = false;
  // Not strict: its errors do not say which argument was wrong.
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
  return { file, settings, help, version };
}

/** One line for `--help` and for errors. */
export function usageLine({ name, defaultFile }: CommandUsage): string {
  return `node dist/${name}.js [FILE, default ${defaultFile}] [key=value …] [--help] [--version]`;
}
