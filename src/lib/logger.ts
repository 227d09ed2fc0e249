import winston from 'winston';

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
  /** Opens the file again, after logrotate has moved it. */
  reopen(): void;
  /** Writes pending lines, and closes the file. */
  close(): Promise<void>;
}

/** Opens a log to standard output or to a file. */
export function openLog(options: LogOptions): OpenLog {
  const open = () =>
    options.file === 'stdout'
      ? new winston.transports.Stream({ stream: process.stdout })
      : new winston.transports.File({ filename: options.file });
  let transport: winston.transport = open();
  const logger = winston.createLogger({
    level: options.level,
    format: winston.format.combine(
      winston.format.timestamp(),
      winston.format(info => asPlain(info) as winston.Logform.TransformableInfo)(),
      options.format === 'json' ? winston.format.json() : winston.format.printf(textLine),
    ),
    transports: [transport],
  });
  // The reader of standard output may end before this process does.
  if (options.file === 'stdout' && process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {});
  const complain = (error: Error) => process.stderr.write(`log.file=${options.file}: ${error.message}\n`);
  logger.on('error', complain);
  return {
    ...wrap(logger, {}),
    reopen() {
      if (options.file === 'stdout') return;
      const old = transport;
      transport = open();
      logger.add(transport);
      logger.remove(old);
    },
    close: () =>
      new Promise(resolve => {
        if (options.file === 'stdout') {
          // Lines may be pending. The callback of an empty write comes after theirs.
          process.stdout.write('', () => resolve());
          return;
        }
        transport.once('finish', () => resolve());
        logger.end();
      }),
  };
}

/** A log that drops all lines. */
export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {}, child: () => silentLog };

function wrap(logger: winston.Logger, bound: LogFields): Log {
  const at = (level: string) => (message: string, fields?: LogFields) => {
    logger.log({ ...bound, ...fields, level, message });
  };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: fields => wrap(logger, { ...bound, ...fields }),
  };
}

/** JSON has neither bigint nor undefined. */
function asPlain(info: Record<string | symbol, unknown>): Record<string | symbol, unknown> {
  for (const key of Object.keys(info)) {
    if (info[key] === undefined) delete info[key];
    else if (typeof info[key] === 'bigint') info[key] = String(info[key]);
  }
  return info;
}

function textLine({ timestamp, level, message, ...fields }: winston.Logform.TransformableInfo): string {
  let line = `${timestamp} ${level.toUpperCase().padEnd(5)} ${oneLine(String(message))}`;
  for (const [key, value] of Object.entries(fields)) line += ` ${key}=${fieldText(value)}`;
  return line;
}

function fieldText(value: unknown): string {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return text === '' || /[\s"=]/.test(text) ? JSON.stringify(text) : oneLine(text);
}

/** Escapes line ends and control characters: text of a peer must not make a second log line. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are meant
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, c => JSON.stringify(c).slice(1, -1));
}
