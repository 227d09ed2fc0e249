/** Between two lines, in seconds: on a terminal the one is written over the other. */
const [BETWEEN_ON_TERMINAL, BETWEEN] = [0.2, 10];

/** A line on stderr that says how far something is. */
export class ProgressLine {
  readonly #startedAt = performance.now();
  #toldAt = 0;
  #width = 0;

  /** Since the beginning. */
  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }

  /** Not more often than can be read. */
  tell(text: string): void {
    const isTerminal = process.stderr.isTTY;
    if (this.seconds - this.#toldAt < (isTerminal ? BETWEEN_ON_TERMINAL : BETWEEN)) return;
    this.#toldAt = this.seconds;
    process.stderr.write(isTerminal ? `\r${text.padEnd(this.#width)}` : `${text}\n`);
    this.#width = text.length;
  }

  /** Takes the line off a terminal. */
  end(): void {
    if (process.stderr.isTTY && this.#width > 0) process.stderr.write(`\r${' '.repeat(this.#width)}\r`);
  }
}

const WIDTH = 30;

/** A bar on stderr, with how much is done of how much, and what is said beside it. */
export class ProgressBar {
  readonly #count: number;
  readonly #line = new ProgressLine();

  constructor(count: number) {
    this.#count = count;
  }

  /** Since the beginning. */
  get seconds(): number {
    return this.#line.seconds;
  }

  tell(done: number, beside: string): void {
    const filled = Math.round((WIDTH * done) / this.#count);
    this.#line.tell(`[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${this.#count}  ${beside}`);
  }

  /** Takes the bar off a terminal. */
  end(): void {
    this.#line.end();
  }
}
