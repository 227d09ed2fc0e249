import { systemClock } from './clock.js';
import { type CommandLine, type CommandUsage, parseCommandLine, usageLine } from './command-line.js';
import { ConfigError, EXIT_CODES, FatalError, reasonOf } from './errors.js';
import { VERSION } from './version.js';

/** A process of ours from its first line to its exit code. */
export interface Entry extends CommandUsage {
  /** One line: what the process is. */
  readonly summary: string;
  /** `key` and what it means, for `--help`. */
  readonly settings: readonly (readonly [key: string, meaning: string])[];
  /** @param die ends the process as if the error had not been caught */
  start(commandLine: CommandLine, die: (error: unknown) => void): Promise<Running>;
}

export interface Running {
  /** SIGTERM: an orderly end; SIGINT: at once. A second signal does not wait for either. */
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** SIGHUP: logs and certificates are opened anew. */
  reload(): void;
  /** What the process must leave behind even when it dies of a bug: synchronous, never throws. */
  abandon(): void;
}

/** Exits 0 after an orderly stop, 66 on a configuration error, 67 on another fatal one. */
export async function runEntry(entry: Entry): Promise<void> {
  let running: Running | undefined;
  const die = (error: unknown) => {
    process.stderr.write(`${describe(error)}\n`);
    running?.abandon();
    process.exit(error instanceof ConfigError ? EXIT_CODES.configuration : EXIT_CODES.fatal);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  let signalled = false;
  const onSignal = (signal: 'SIGTERM' | 'SIGINT') => {
    if (signalled || running === undefined) {
      running?.abandon();
      process.exit(EXIT_CODES.ok);
    }
    signalled = true;
    running.stop(signal).then(() => process.exit(EXIT_CODES.ok), die);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', () => running?.reload());

  try {
    const commandLine = parseCommandLine(process.argv.slice(2), entry);
    if (commandLine.help) {
      process.stdout.write(helpText(entry));
      return;
    }
    if (commandLine.version) {
      process.stdout.write(`muster ${VERSION}\n`);
      return;
    }
    running = await entry.start(commandLine, die);
    stayAlive();
  } catch (error) {
    die(error);
  }
}

/** Until a signal: a process that has nothing to do, such as an idle agent, must not end by itself, or it is started again. */
function stayAlive(): void {
  systemClock.after(DAY_MS, stayAlive);
}

const DAY_MS = 86_400_000;

/** One line for what an operator can mend; a stack for what only we can. */
function describe(error: unknown): string {
  if (error instanceof ConfigError || error instanceof FatalError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : reasonOf(error);
}

function helpText(entry: Entry): string {
  const width = Math.max(...entry.settings.map(([key]) => key.length));
  const settings = entry.settings.map(([key, meaning]) => `  ${key.padEnd(width)}  ${meaning}\n`);
  return `${entry.summary}\n\nUsage: ${usageLine(entry)}\n\nSettings, in FILE or as key=value (which beats the file):\n${settings.join('')}`;
}
