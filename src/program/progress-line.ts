import { type Clock, systemClock } from '../lib/clock.js';

/** Where the line is written. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Between two lines: on a terminal the one is written over the other. */
const [BETWEEN_ON_TERMINAL_MS, BETWEEN_MS] = [200, 10_000];

/** A line on standard error that says how far something is. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #toldAt: number;
  #width = 0;

  constructor(stream: ProgressStream = process.stderr, clock: Clock = systemClock) {
    this.#stream = stream;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#toldAt = this.#startedAt;
  }

  /** Since the beginning. */
  get seconds(): number {
    return (this.#clock.now() - this.#startedAt) / 1_000;
  }

  /** Not more often than can be read. */
  tell(text: string): void {
    const isTerminal = this.#stream.isTTY === true;
    const now = this.#clock.now();
    if (now - this.#toldAt < (isTerminal ? BETWEEN_ON_TERMINAL_MS : BETWEEN_MS)) return;
    this.#toldAt = now;
    this.#stream.write(isTerminal ? `\r${text.padEnd(this.#width)}` : `${text}\n`);
    this.#width = text.length;
  }

  /** Takes the line off a terminal. */
  end(): void {
    if (this.#stream.isTTY !== true || this.#width === 0) return;
    this.#stream.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  }
}

/** How much is done of how much. */
export function barText(done: number, count: number, width = 30): string {
  const filled = count === 0 ? 0 : Math.round((width * Math.min(done, count)) / count);
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${done}/${count}`;
}
