import { systemClock } from './clock.js';
import { type CommandLine, type CommandUsage, parseCommandLine, usageLine } from './command-line.js';
import { ConfigError, EXIT_CODES, FatalError, reasonOf } from './errors.js';
import { VERSION } from './version.js';

/** A program: how it is called, and what it does. */
export interface Entry extends CommandUsage {
  /** What the program is, in one line. */
  readonly summary: string;
  /** Each key with its meaning, for `--help`. */
  readonly settings: readonly (readonly [key: string, meaning: string])[];
  /**
   * @param die ends the process with an error that comes later, with the exit code that belongs to it
   * @param stopping aborts at a signal that comes before the start has ended: what was started is to be undone
   */
  start(commandLine: CommandLine, die: (error: unknown) => void, stopping: AbortSignal): Promise<Running>;
}

/** A program that has started. */
export interface Running {
  /** Stops it: in order on SIGTERM, at once on SIGINT. A second signal exits without waiting for that. */
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** On SIGHUP: opens the logs again, and reads the certificates again. */
  reload(): void;
  /**
   * Releases what must not outlive the process, such as locks, when it ends without `stop`. Synchronous; never throws.
   */
  abandon(): void;
}

/** Runs a program until its exit: 0 after a stop, 66 on a configuration error, 67 on another fatal one. */
export async function runEntry(entry: Entry): Promise<void> {
  let running: Running | undefined;
  const die = (error: unknown) => {
    process.stderr.write(`${describe(error)}\n`);
    running?.abandon();
    process.exit(error instanceof ConfigError ? EXIT_CODES.configuration : EXIT_CODES.fatal);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const starting = new AbortController();
  let signalled = false;
  const onSignal = (signal: 'SIGTERM' | 'SIGINT') => {
    if (signalled) {
      running?.abandon();
      process.exit(EXIT_CODES.ok);
    }
    signalled = true;
    if (running === undefined) starting.abort(new Error(`${signal} came while it started`));
    else running.stop(signal).then(() => process.exit(EXIT_CODES.ok), die);
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
    running = await entry.start(commandLine, die, starting.signal);
    if (starting.signal.aborted) {
      await running.stop('SIGINT');
      process.exit(EXIT_CODES.ok);
    }
    stayAlive();
  } catch (error) {
    if (starting.signal.aborted) process.exit(EXIT_CODES.ok);
    die(error);
  }
}

/**
 * Keeps the process until a signal, also when it has nothing to do, as an idle agent: its supervisor would start it
 * again.
 */
function stayAlive(): void {
  systemClock.after(DAY_MS, stayAlive);
}

const DAY_MS = 86_400_000;

/** One line for an error that an operator can correct; the stack of any other one. */
function describe(error: unknown): string {
  if (error instanceof ConfigError || error instanceof FatalError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : reasonOf(error);
}

function helpText(entry: Entry): string {
  const width = Math.max(...entry.settings.map(([key]) => key.length));
  const settings = entry.settings.map(([key, meaning]) => `  ${key.padEnd(width)}  ${meaning}\n`);
  return `${entry.summary}\n\nUsage: ${usageLine(entry)}\n\nSettings, in FILE or as key=value (which beats the file):\n${settings.join('')}`;
}
