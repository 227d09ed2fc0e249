import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Clock, Timer } from '../../lib/clock.js';
import type { LOG_LEVELS, Log } from '../../lib/logger.js';
import { ProgressLine } from '../../program/progress-line.js';
import { answerTo, type Commanded } from './commands.js';

export interface OperatorParts {
  readonly clock: Clock;
  /** Where commands come from. */
  readonly input: NodeJS.ReadStream;
  /** Where the line is shown, on a terminal. */
  readonly screen: NodeJS.WriteStream;
}

/** What an operator sees and commands. */
export interface Operated {
  readonly commanded: Commanded;
  /** How the fleet is, in a line of so many characters. */
  status(columns: number): string;
}

/** Between two looks at the status. */
const LOOK_MS = 250;
/** For what an operator types behind the status. */
const TYPED_COLUMNS = 24;

/**
 * The operator's end of a fleet: a line that shows how it is, on a terminal, and commands, a line each, from a terminal, a pipe
 * or a file.
 */
export class Operator {
  readonly #parts: OperatorParts;
  /** The status is the prompt behind which an operator types. */
  readonly #hasPrompt: boolean;
  readonly #progress: ProgressLine | undefined;
  #operated: Operated | undefined;
  #lines: Interface | undefined;
  #timer: Timer | undefined;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    const { input, screen } = parts;
    this.#hasPrompt = isTerminal(input) && isTerminal(screen) && isInForeground();
    this.#progress = !this.#hasPrompt && isTerminal(screen) ? new ProgressLine(screen, parts.clock) : undefined;
  }

  /** Whether a line shows how the fleet is. */
  get isShown(): boolean {
    return this.#hasPrompt || this.#progress !== undefined;
  }

  start(operated: Operated): void {
    const { input, screen } = this.#parts;
    this.#operated = operated;
    // A terminal that is another process's: to read from it would stop this one.
    if (!isTerminal(input) || this.#hasPrompt) {
      this.#lines = createInterface({ input, ...(this.#hasPrompt && { output: screen, terminal: true }) });
      this.#lines.on('line', line => this.#say(answerTo(line, operated.commanded)));
      // While a prompt is shown, Ctrl-C is a key.
      this.#lines.on('SIGINT', () => void process.kill(process.pid, 'SIGINT'));
      input.on('error', () => {});
    }
    this.#show();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#hasPrompt) this.#clear();
    this.#progress?.end();
    this.#lines?.close();
    this.#lines = undefined;
  }

  /** A log whose lines go to the same terminal: each takes the status off it first. */
  beside(log: Log): Log {
    if (!this.isShown || !isTerminal(process.stdout)) return log;
    const cleared =
      (level: (typeof LOG_LEVELS)[number]): Log['info'] =>
      (message, fields) => {
        this.#clear();
        log[level](message, fields);
        if (this.#timer !== undefined) this.#showLater();
      };
    return {
      error: cleared('error'),
      warn: cleared('warn'),
      info: cleared('info'),
      debug: cleared('debug'),
      child: fields => this.beside(log.child(fields)),
    };
  }

  #say(text: string | undefined): void {
    const { screen } = this.#parts;
    this.#clear();
    if (text !== undefined) screen.write(`${text}\n`);
    if (this.isShown) this.#show();
  }

  #show(): void {
    const { screen } = this.#parts;
    if (!this.isShown || this.#operated === undefined) return;
    const { status } = this.#operated;
    const columns = screen.columns ?? 80;
    if (this.#hasPrompt) {
      this.#lines?.setPrompt(`${status(Math.max(20, columns - TYPED_COLUMNS))} > `);
      this.#lines?.prompt(true);
    } else this.#progress?.tell(status(columns - 1));
    this.#showLater();
  }

  #showLater(): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(LOOK_MS, () => this.#show());
  }

  #clear(): void {
    if (this.#hasPrompt) this.#parts.screen.write('\r\x1b[K');
    else this.#progress?.end();
  }
}

function isTerminal(stream: { readonly isTTY?: boolean }): stream is ReadStream & WriteStream {
  return stream.isTTY === true;
}

/** Whether the terminal is this process's, on Linux; elsewhere nobody says, and it counts as that. */
function isInForeground(): boolean {
  try {
    // pid (name) state ppid pgrp session tty_nr tpgid …: the name may have blanks and brackets.
    const [, , group, , , foreground] = readFileSync('/proc/self/stat', 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return group === foreground;
  } catch {
    return true;
  }
}
