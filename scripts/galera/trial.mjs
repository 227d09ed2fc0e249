import { setTimeout as sleep } from 'node:timers/promises';

/** What is expected, measured and said. */
export class Trial {
  wrong = [];
  #rounds = [];
  #round;
  #startedAt = performance.now();

  begin(name) {
    this.#round = { name, measures: new Map() };
    this.#rounds.push(this.#round);
  }

  say(text) {
    const at = seconds(performance.now() - this.#startedAt).padStart(8);
    console.log(`${at}  ${this.#round.name}: ${text}`);
  }

  measure(name, value) {
    this.#round.measures.set(name, String(value));
  }

  expect(isSo, otherwise) {
    if (isSo) return;
    const line = `${this.#round ? `${this.#round.name}: ` : ''}${otherwise}`;
    this.wrong.push(line);
    console.error(`WRONG: ${line}`);
  }

  /** Waits until it is so. @returns how long that took in milliseconds; undefined: longer than `limitMs` */
  async within(limitMs, isSo, otherwise) {
    const from = performance.now();
    for (;;) {
      // Of what takes time to find out, when it was found.
      if (await isSo()) return performance.now() - from;
      if (performance.now() - from > limitMs) break;
      await sleep(10);
    }
    this.expect(false, `${otherwise} within ${seconds(limitMs)}`);
    return undefined;
  }

  /** Prints all that was measured. @returns whether nothing was wrong */
  summary() {
    const rounds = this.#rounds.filter(({ measures }) => measures.size > 0);
    const names = [...new Set(rounds.flatMap(({ measures }) => [...measures.keys()]))];
    const rows = [
      ['', ...rounds.map(({ name }) => name)],
      ...names.map(name => [name, ...rounds.map(({ measures }) => measures.get(name) ?? '')]),
    ];
    const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
    console.log('');
    for (const [name, ...values] of rows) {
      const cells = values.map((value, column) => value.padStart(widths[column + 1]));
      console.log([name.padEnd(widths[0]), ...cells].join('   '));
    }
    console.log('');
    for (const line of this.wrong) console.error(`WRONG: ${line}`);
    const isWell = this.wrong.length === 0;
    console.log(isWell ? 'All of it survived the loss of each node.' : `${this.wrong.length} errors.`);
    return isWell;
  }
}

export function seconds(ms) {
  return ms === undefined ? 'never' : `${(ms / 1_000).toFixed(1)} s`;
}
