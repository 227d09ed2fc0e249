import { close, constants, fstatSync, mkdirSync, openSync, write } from 'node:fs';
import { dirname } from 'node:path';
import { isatty } from 'node:tty';
import { type Clock, delay } from './clock.js';
import { codeOf, reasonOf } from './errors.js';

/** Lines that wait for a slow disk or reader. What is more goes to standard error. */
const MAX_PENDING_CHARS = 1024 * 1024;
/** After a failure, the log is opened again for the first line that comes this much later. */
const OPEN_AGAIN_MS = 10_000;
/** How long `written` waits. */
const WRITTEN_LIMIT_MS = 1_000;

/**
 * Where the lines of a log go: a file, or standard output. A line never waits for another one's write, and no failure
 * is silent: the lines go to standard error then, until the log can be written again.
 */
export class LogSink {
  readonly #file: string;
  readonly #clock: Clock;
  /** Undefined after a failure, until it is opened again. */
  #target: Target | undefined;
  #openAgainAt = 0;
  #pending = '';
  #writing = '';
  /** Why lines go to standard error; undefined while they do not. */
  #trouble: string | undefined;
  #isOpened = false;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  /**
   * @param file a path, or `stdout`
   * @throws the system's error when it cannot be opened
   */
  constructor(file: string, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
    this.#target = openTarget(file);
  }

  /**
   * Waits for the first lines, as `written` does. What fails later is said on standard error.
   * @returns why they cannot be written; undefined when nothing is wrong
   */
  async opened(): Promise<string | undefined> {
    await this.written();
    this.#isOpened = true;
    return this.#trouble;
  }

  /** @param line with its line end */
  write(line: string): void {
    if (this.#pending.length + this.#writing.length + line.length > MAX_PENDING_CHARS) {
      this.#divert('it is not read as fast as it is written', line);
      return;
    }
    this.#pending += line;
    this.#next();
  }

  /** Opens the file again, after logrotate has moved it. Standard output stays as it is, and what is closed. */
  reopen(): void {
    const before = this.#target;
    if (before?.canReopen === false || this.#isClosed) return;
    try {
      this.#target = openTarget(this.#file);
    } catch (error) {
      this.#fail(error, '');
    }
    // One that is being written to is closed after that.
    if (this.#writing === '') before?.close();
    this.#next();
  }

  /** Waits until everything is written, for a second at most. */
  async written(): Promise<void> {
    if (this.#writing === '') return;
    const idle = new Promise<void>(resolve => {
      this.#onIdle = resolve;
    });
    const limit = new AbortController();
    await Promise.race([idle, delay(this.#clock, WRITTEN_LIMIT_MS, limit.signal)]);
    limit.abort();
  }

  /** Waits as `written` does, and closes the file. Lines that come behind that go to standard error. */
  async close(): Promise<void> {
    await this.written();
    const before = this.#target;
    if (before?.canReopen === false) return;
    // The descriptor may be another file's from now on.
    this.#target = undefined;
    this.#isClosed = true;
    if (this.#writing === '') before?.close();
  }

  #next(): void {
    if (this.#writing !== '') return;
    if (this.#pending === '') {
      this.#onIdle?.();
      return;
    }
    if (this.#target === undefined && !this.#isClosed && this.#clock.now() >= this.#openAgainAt) this.#openAgain();
    const target = this.#target;
    const text = this.#pending;
    this.#pending = '';
    if (target === undefined) {
      toStderr(text);
      return;
    }
    this.#writing = text;
    target.write(text, (error, rest) => {
      this.#writing = '';
      if (target !== this.#target) {
        target.close();
        toStderr(rest);
      } else if (error) {
        target.close();
        this.#fail(error, rest);
      } else if (this.#trouble !== undefined) {
        this.#trouble = undefined;
        toStderr(`log.file=${this.#file}: is written again\n`);
      }
      this.#next();
    });
  }

  #openAgain(): void {
    try {
      this.#target = openTarget(this.#file);
    } catch {
      this.#openAgainAt = this.#clock.now() + OPEN_AGAIN_MS;
    }
  }

  #fail(error: unknown, rest: string): void {
    this.#target = undefined;
    this.#openAgainAt = this.#clock.now() + OPEN_AGAIN_MS;
    this.#divert(reasonOf(error), rest);
  }

  #divert(trouble: string, text: string): void {
    const isNew = this.#trouble === undefined;
    this.#trouble = trouble;
    if (!this.#isOpened) return;
    if (isNew) toStderr(`log.file=${this.#file}: ${trouble}; the lines of the log go here meanwhile\n`);
    toStderr(text);
  }
}

/** Writes to standard error, unless its reader has stopped reading. */
export function toStderr(text: string): void {
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => {});
  if (process.stderr.writableLength > MAX_PENDING_CHARS) return;
  try {
    process.stderr.write(text);
  } catch {
    // There is nowhere left to say it.
  }
}

interface Target {
  readonly canReopen: boolean;
  /** @param done with the error, and what was not written because of it */
  write(text: string, done: (error: Error | undefined, rest: string) => void): void;
  close(): void;
}

function openTarget(file: string): Target {
  if (file !== 'stdout') {
    makeLastFolder(file);
    // O_NONBLOCK: a named pipe without a reader fails, and a full one does not block a thread for ever.
    const { O_APPEND, O_CREAT, O_WRONLY, O_NONBLOCK } = constants;
    const descriptor = openSync(file, O_APPEND | O_CREAT | O_WRONLY | O_NONBLOCK, 0o640);
    // What a network file system keeps back, it may fail to write at the end.
    const said = (error: Error | null) => error && toStderr(`log.file=${file}: ${reasonOf(error)}\n`);
    return { ...descriptorTarget(descriptor), canReopen: true, close: () => close(descriptor, said) };
  }
  const stat = fstatSync(1);
  const isStream = stat.isFIFO() || stat.isSocket() || isatty(1);
  return { ...(isStream ? stdoutTarget() : descriptorTarget(1)), canReopen: false, close() {} };
}

function descriptorTarget(descriptor: number): Pick<Target, 'write'> {
  const writeAll = (bytes: Buffer, done: (error: Error | undefined, rest: string) => void): void => {
    write(descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (error) done(error, bytes.toString());
      else if (written < bytes.length) writeAll(bytes.subarray(written), done);
      else done(undefined, '');
    });
  };
  return { write: (text, done) => writeAll(Buffer.from(text), done) };
}

/** A pipe, a socket or a terminal: what does not fit waits in Node, and blocks nothing. */
function stdoutTarget(): Pick<Target, 'write'> {
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {});
  return {
    write(text, done) {
      try {
        process.stdout.write(text, error => done(error ?? undefined, text));
      } catch (error) {
        done(error as Error, text);
      }
    },
  };
}

/** A mistyped path has more folders that are not there, and fails. */
function makeLastFolder(file: string): void {
  try {
    mkdirSync(dirname(file));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}
