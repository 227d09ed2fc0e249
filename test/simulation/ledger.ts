/** What was carried out at the agents, counted apart from their journals: it outlives every process. */
export class Ledger {
  readonly #begun = new Map<string, number>();
  readonly #ended = new Set<string>();
  readonly #fail: (why: string) => void;

  constructor(fail: (why: string) => void) {
    this.#fail = fail;
  }

  began(token: string, where: string): void {
    const times = (this.#begun.get(token) ?? 0) + 1;
    this.#begun.set(token, times);
    if (times > 1) this.#fail(`the command ${token} was carried out ${times} times, the last time by ${where}`);
  }

  ended(token: string): void {
    this.#ended.add(token);
  }

  hasBegun(token: string): boolean {
    return this.#begun.has(token);
  }

  hasEnded(token: string): boolean {
    return this.#ended.has(token);
  }
}
