import { systemClock } from '../lib/clock.js';
import { ConfigError, EXIT_CODES, FatalError, reasonOf } from '../lib/errors.js';
import { toStderr } from '../lib/log-sink.js';
import { calledAs } from '../lib/text/called-as.js';
import { wrapWords } from '../lib/text/wrap-words.js';
import { VERSION } from '../lib/version.js';
import { type CommandLine, type CommandUsage, parseCommandLine, usageLine } from './command-line.js';
import { hideSecrets } from './process-title.js';

/** A program: the file that it reads, and what it does. */
export interface Entry extends Pick<CommandUsage, 'defaultFile'> {
  /** Loads the rest, once signals are heard: a SIGHUP that comes while a thousand modules are read ends nothing. */
  load(): Promise<Program>;
}

/** What a program does. */
export interface Program {
  /** What the program is, in one line. */
  readonly summary: string;
  /** Each key with its meaning, for `--help`. */
  readonly settings: readonly (readonly [key: string, meaning: string])[];
  /**
   * @param die ends the process with an error that comes later, with the exit code that belongs to it
   * @param stopping aborts at a signal that comes before the start has ended: what was started is to be undone
   * @returns `done`: there was one thing to do, and the process ends with 0
   */
  start(commandLine: CommandLine, die: (error: unknown) => void, stopping: AbortSignal): Promise<Running | 'done'>;
}

/** A program that has started. */
export interface Running {
  /** Stops it: in order on SIGTERM, at once on SIGINT. A second signal ends the process without waiting for that. */
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** On SIGHUP: opens the logs again, and reads the certificates again. */
  reload(): void;
  /**
   * Releases what must not outlive the process, such as locks, when it ends without `stop`. Synchronous; never throws.
   */
  abandon(): void;
  /** What the process ends with after `stop`. @default 0 */
  exitCode?(): number;
}

/** Runs a program until its exit: 0 after a stop, 66 on a configuration error, 67 on another fatal one. */
export async function runEntry(entry: Entry): Promise<void> {
  const usage = { ...entry, program: calledAs(process.argv[1]) };
  const hidden = hideSecrets(process.argv, title => {
    process.title = title;
  });
  let running: Running | undefined;
  const die = (error: unknown) => {
    toStderr(`${describe(error)}\n`);
    running?.abandon();
    exit(error instanceof ConfigError ? EXIT_CODES.configuration : EXIT_CODES.fatal);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const starting = new AbortController();
  let signalled = false;
  const onSignal = (signal: 'SIGTERM' | 'SIGINT') => {
    if (signalled) {
      running?.abandon();
      exitAtOnce();
    }
    signalled = true;
    if (running === undefined) starting.abort(new Error(`${signal} came while it started`));
    else {
      const { exitCode = () => EXIT_CODES.ok } = running;
      running.stop(signal).then(() => exit(exitCode()), die);
    }
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', () => {
    try {
      running?.reload();
    } catch (error) {
      toStderr(`SIGHUP: ${describe(error)}\n`);
    }
  });
  // The reader of a pipe may end before this process does.
  process.stdout.on('error', () => {});

  try {
    const commandLine = parseCommandLine(process.argv.slice(2), usage);
    for (const key of hidden)
      toStderr(`${key}: a secret on the command line is in the history of the shell: put it into a file\n`);
    if (commandLine.help) {
      process.stdout.write(helpText(usage, await entry.load(), process.stdout.columns));
      return;
    }
    if (commandLine.version) {
      process.stdout.write(`muster ${VERSION}\n`);
      return;
    }
    const program = await entry.load();
    const started = await program.start(commandLine, die, starting.signal);
    if (started === 'done') exit(EXIT_CODES.ok);
    running = started;
    if (starting.signal.aborted) {
      await running.stop('SIGINT');
      exit(EXIT_CODES.ok);
    }
    stayAlive();
  } catch (error) {
    if (starting.signal.aborted) exit(EXIT_CODES.ok);
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

/** While Node waits at its exit, as `exitAtOnce` says, a signal ends the process. */
function exit(code: number): never {
  process.removeAllListeners('SIGTERM').removeAllListeners('SIGINT');
  process.exit(code);
}

/**
 * Node waits at its exit for calls of the system in its thread pool, such as a name lookup, which may take a minute.
 */
function exitAtOnce(): never {
  const isHeldUp = process.getActiveResourcesInfo().some(name => /^(GetAddrInfo|GetNameInfo|FSReq)/.test(name));
  if (isHeldUp) process.kill(process.pid, 'SIGKILL');
  process.exit(EXIT_CODES.ok);
}

/** One line for an error that an operator can correct; the stack of any other one. */
function describe(error: unknown): string {
  if (error instanceof ConfigError || error instanceof FatalError) return error.message;
  return error instanceof Error && typeof error.stack === 'string' ? error.stack : reasonOf(error);
}

function helpText(usage: CommandUsage, program: Program, columns = DEFAULT_COLUMNS): string {
  const keyWidth = Math.max(...program.settings.map(([key]) => key.length));
  const settings = program.settings.flatMap(([key, meaning]) =>
    wrapWords(meaning, Math.max(MIN_MEANING, columns - keyWidth - 4)).map(
      (line, index) => `  ${(index === 0 ? key : '').padEnd(keyWidth)}  ${line}`,
    ),
  );
  return [
    ...wrapWords(program.summary, columns),
    '',
    ...wrapWords(`Usage: ${usageLine(usage)}`, columns),
    '',
    'Settings, in FILE or as key=value (which beats the file):',
    ...settings,
    '',
  ].join('\n');
}

const DEFAULT_COLUMNS = 80;
/** Meanings are not made narrower than this, in characters. */
const MIN_MEANING = 24;
