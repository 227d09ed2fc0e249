/**
 * What was carried out at the agents, counted apart from their journals: it outlives every process. A command has a key,
 * and is carried out at most once by each machine: a clone does not know what the other machine has done.
 */
export class Ledger {
  readonly #begun = new Map<string, Map<string, number>>();
  readonly #ended = new Set<string>();
  readonly #fail: (why: string) => void;

  constructor(fail: (why: string) => void) {
    this.#fail = fail;
  }

  began(key: string, machine: string): void {
    const machines = this.#begun.get(key) ?? new Map<string, number>();
    this.#begun.set(key, machines);
    const times = (machines.get(machine) ?? 0) + 1;
    machines.set(machine, times);
    if (times > 1) this.#fail(`the command ${key} was carried out ${times} times by ${machine}`);
  }

  ended(key: string): void {
    this.#ended.add(key);
  }

  hasBegun(key: string): boolean {
    return this.#begun.has(key);
  }

  hasEnded(key: string): boolean {
    return this.#ended.has(key);
  }
}
