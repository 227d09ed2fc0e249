import { barText, ProgressLine } from '../../src/program/progress-line.js';

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
    this.#line.tell(`${barText(done, this.#count)}  ${beside}`);
  }

  /** Takes the bar off a terminal. */
  end(): void {
    this.#line.end();
  }
}
