import type { Log, LogFields } from '../../src/lib/logger.js';

export interface Line {
  /** Milliseconds since the beginning. */
  readonly at: number;
  readonly who: string;
  readonly what: string;
}

/** Who does something, and how what it does begins. */
export type LineStart = Pick<Line, 'who' | 'what'>;

/** Who did what when. The same seed gives the same lines. */
export class Transcript {
  readonly lines: Line[] = [];
  readonly #now: () => number;
  readonly #awaited = new Map<() => void, LineStart>();

  constructor(now: () => number) {
    this.#now = now;
  }

  add(who: string, what: string): void {
    this.lines.push({ at: this.#now(), who, what });
    for (const [onLine, awaited] of this.#awaited) {
      if (awaited.who !== who || !what.startsWith(awaited.what)) continue;
      this.#awaited.delete(onLine);
      onLine();
    }
  }

  /** Calls back once, in the moment in which somebody does this. */
  once(line: LineStart, onLine: () => void): void {
    this.#awaited.set(onLine, line);
  }

  /** The log of one process. Details are left out. */
  logOf(who: string, bound: LogFields = {}): Log {
    const line = (level: string) => (message: string, fields?: LogFields) =>
      this.add(who, `${level} ${message}${textOf({ ...bound, ...fields })}`);
    return {
      error: line('error'),
      warn: line('warn'),
      info: line('info'),
      debug() {},
      child: fields => this.logOf(who, { ...bound, ...fields }),
    };
  }

  /**
   * As a table.
   * @param last only so many lines @param from only from this line on @param since times count from this moment
   */
  table({
    last,
    from = 0,
    since = 0,
  }: {
    readonly last?: number | undefined;
    readonly from?: number;
    readonly since?: number;
  } = {}): string {
    const lines = last === undefined ? this.lines.slice(from) : this.lines.slice(-last);
    const width = Math.max(0, ...lines.map(({ who }) => who.length));
    return lines
      .map(({ at, who, what }) => `${((at - since) / 1000).toFixed(3).padStart(9)}  ${who.padEnd(width)}  ${what}`)
      .join('\n');
  }
}

function textOf(fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return known.length === 0 ? '' : ` (${known.map(([name, value]) => `${name}=${String(value)}`).join(', ')})`;
}
