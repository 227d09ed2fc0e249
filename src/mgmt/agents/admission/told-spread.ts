import { isOtherSpread } from './spread.js';

/** What one agent was told about the spread, and whether it is to be told another. */
export class ToldSpread {
  readonly #source: SpreadSource;
  #told: number | undefined;

  constructor(source: SpreadSource) {
    this.#source = source;
  }

  /** For Ready. @returns milliseconds */
  tell(): number {
    this.#told = this.#source.spreadMs();
    return this.#told;
  }

  /** For the answer to a ping. @returns milliseconds; undefined when it knows, or was never told any */
  tellIfOther(): number | undefined {
    if (this.#told === undefined) return undefined;
    const now = this.#source.spreadMs();
    if (!isOtherSpread(now, this.#told)) return undefined;
    this.#told = now;
    return now;
  }
}

export interface SpreadSource {
  /** Over how many milliseconds the agents spread their first dials when this server is lost. */
  spreadMs(): number;
}
