import type { Log, LogFields } from '../../src/lib/logger.js';

/** A log to look into: `lines` are `level message`. */
export class RecordingLog implements Log {
  readonly lines: string[] = [];
  readonly fields: (LogFields | undefined)[] = [];

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

  child(): Log {
    return this;
  }

  count(start: string): number {
    return this.lines.filter(line => line.startsWith(start)).length;
  }

  /** The fields of the last line that starts so. */
  fieldsOf(start: string): LogFields | undefined {
    return this.fields[this.lines.findLastIndex(line => line.startsWith(start))];
  }

  #add(level: string, message: string, fields: LogFields | undefined): void {
    this.lines.push(`${level} ${message}`);
    this.fields.push(fields);
  }
}
