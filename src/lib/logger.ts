import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Writable } from 'node:stream';
import type { Logform, Logger } from 'winston';
import type { Clock } from './clock.js';
import { ConfigError, codeOf, reasonOf } from './errors.js';
import { LogSink, toStderr } from './log-sink.js';
import { VERSION } from './version.js';

/** The fields of a log line. A field that is undefined is left out. */
export type LogFields = Readonly<Record<string, string | number | bigint | boolean | readonly string[] | undefined>>;

/**
 * Where log lines go: one line for an event, with fields.
 * @example
 * log.info('Connected to the host', { host: '192.0.2.1' });
 */
export interface Log {
  /** Something failed, and an operator has to act. */
  error(message: string, fields?: LogFields): void;
  /** Something is wrong, and the program goes on. */
  warn(message: string, fields?: LogFields): void;
  /** Something that an operator would want to know, such as a start or a drain. */
  info(message: string, fields?: LogFields): void;
  /** Details, up to one line for a packet. */
  debug(message: string, fields?: LogFields): void;
  /** A log of which every line has these fields as well. */
  child(fields: LogFields): Log;
}

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export const LOG_FORMATS = ['text', 'json'] as const;

/** What is logged, how and where. */
export interface LogOptions {
  /** File key: `log.level`. @default 'info' */
  readonly level: (typeof LOG_LEVELS)[number];
  /** File key: `log.format`. @default 'text' */
  readonly format: (typeof LOG_FORMATS)[number];
  /** A path, or `stdout`. File key: `log.file`. @default 'stdout' */
  readonly file: string;
}

export const LOG_DEFAULTS: LogOptions = { level: 'info', format: 'text', file: 'stdout' };

/** A log that this process has opened. */
export interface OpenLog extends Log {
  /** Opens the file again, after logrotate has moved it. Never throws. */
  reopen(): void;
  /** Writes pending lines, for a second at most, and closes the file. */
  close(): Promise<void>;
}

/**
 * Opens a log to standard output or to a file, and writes its first line. Of its folder the last part alone is made: a mistyped
 * path fails. On a terminal, one line on standard error says which file it is. A log that cannot be written later is no end: its
 * lines go to standard error meanwhile.
 * @throws ConfigError when it cannot be opened or written
 */
export async function openLog(options: LogOptions, clock: Clock): Promise<OpenLog> {
  const { level, format, file } = options;
  const unusable = (reason: string) =>
    new ConfigError('log.file', file, `a file that can be written is needed, or stdout (${reason})`);
  let sink: LogSink;
  try {
    sink = new LogSink(file, clock);
  } catch (error) {
    throw unusable(
      codeOf(error) === 'ENOENT' && !existsSync(dirname(file))
        ? `there is no folder ${dirname(file)}`
        : reasonOf(error),
    );
  }
  // The sink has the bound of what may wait.
  const stream = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      sink.write(text);
      done();
    },
  });
  // Programs that log nothing do without it.
  const { default: winston } = await import('winston');
  const line = format === 'json' ? jsonLine : textLine;
  const logger = winston.createLogger({
    level,
    format: winston.format.printf(info => line(info, new Date(clock.wallTime()).toISOString())),
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  });
  logger.on('error', error => process.stderr.write(`log.file=${file}: ${error.message}\n`));
  const log = new FileLog(logger, {}, LOG_LEVELS.indexOf(level), sink, clock);
  log.info('Log opened', { version: VERSION, pid: process.pid });
  // winston's own streams begin to flow with the next turn.
  await clock.turn();
  const trouble = await sink.opened();
  if (trouble !== undefined) throw unusable(trouble);
  // Whoever starts the program by hand would see nothing, and not know whether it runs.
  if (file !== 'stdout' && process.stderr.isTTY)
    toStderr(`The log goes to ${resolve(file)} (process ${process.pid})\n`);
  return log;
}

/** A log that drops all lines. */
export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {}, child: () => silentLog };

/** Lines with the same fields. A server has one for each link. */
class WinstonLog implements Log {
  readonly #logger: Logger;
  readonly #bound: LogFields;
  readonly #most: number;

  /** @param most the index of the last level that is logged: winston would write the lines of others, and drop them then */
  constructor(logger: Logger, bound: LogFields, most: number) {
    this.#logger = logger;
    this.#bound = bound;
    this.#most = most;
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields);
  }

  child(fields: LogFields): Log {
    return new WinstonLog(this.#logger, { ...this.#bound, ...fields }, this.#most);
  }

  #write(level: (typeof LOG_LEVELS)[number], message: string, fields?: LogFields): void {
    if (LOG_LEVELS.indexOf(level) <= this.#most) this.#logger.log({ ...this.#bound, ...fields, level, message });
  }
}

class FileLog extends WinstonLog implements OpenLog {
  readonly #sink: LogSink;
  readonly #clock: Clock;

  constructor(logger: Logger, bound: LogFields, most: number, sink: LogSink, clock: Clock) {
    super(logger, bound, most);
    this.#sink = sink;
    this.#clock = clock;
  }

  reopen(): void {
    this.#sink.reopen();
  }

  async close(): Promise<void> {
    await this.#clock.turn();
    await this.#sink.close();
  }
}

function textLine(info: Logform.TransformableInfo, timestamp: string): string {
  let line = `${timestamp} ${info.level.toUpperCase().padEnd(5)} ${oneLine(String(info.message))}`;
  for (const key of Object.keys(info)) {
    const value = info[key];
    if (value !== undefined && key !== 'level' && key !== 'message') line += ` ${key}=${fieldText(value)}`;
  }
  return line;
}

function jsonLine(info: Logform.TransformableInfo, timestamp: string): string {
  return oneLine(
    JSON.stringify({ ...info, timestamp }, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
  );
}

function fieldText(value: unknown): string {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return oneLine(text === '' || /[\s"=]/.test(text) ? JSON.stringify(text) : text);
}

/** Most texts. */
const PRINTABLE = /^[ -~]*$/;

/**
 * Escapes line ends, control characters and format characters as JSON can: no text may make a second log line, or hide or
 * turn round what stands beside it.
 */
function oneLine(text: string): string {
  if (PRINTABLE.test(text)) return text;
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, c => {
    const escaped = JSON.stringify(c).slice(1, -1);
    if (escaped !== c) return escaped;
    return Array.from({ length: c.length }, (_, at) => `\\u${c.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');
  });
}
