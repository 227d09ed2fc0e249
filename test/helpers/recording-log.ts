import type { Log, LogFields } from '../../src/lib/logger.js';

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that a test can read. Its children write to the same lines. */
export class RecordingLog implements Log {
  readonly entries: LogLine[];
  readonly #bound: LogFields;

  constructor(entries: LogLine[] = [], bound: LogFields = {}) {
    this.entries = entries;
    this.#bound = bound;
  }

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields);
  }

  child(fields: LogFields): RecordingLog {
    return new RecordingLog(this.entries, { ...this.#bound, ...fields });
  }

  /** The lines as `level message`. */
  get lines(): string[] {
    return this.entries.map(({ level, message }) => `${level} ${message}`);
  }

  count(start: string): number {
    return this.lines.filter(line => line.startsWith(start)).length;
  }

  /** The fields of the last line that starts so. */
  fieldsOf(start: string): LogFields | undefined {
    return this.entries.findLast(({ level, message }) => `${level} ${message}`.startsWith(start))?.fields;
  }

  #add(level: LogLine['level'], message: string, fields?: LogFields): void {
    this.entries.push({ level, message, fields: { ...this.#bound, ...fields } });
  }
}
