import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';

interface Round {
  readonly name: string;
  readonly measures: Map<string, string>;
}

/** Progress as it goes on, on stderr, and a table of what was measured in each round. */
export class Trial {
  readonly #rounds: Round[] = [];
  readonly #startedAt = performance.now();

  /** @param t of this round */
  begin(name: string, t: Test): TrialRound {
    const round = { name, measures: new Map<string, string>() };
    this.#rounds.push(round);
    return {
      say: text => say(`${seconds(performance.now() - this.#startedAt).padStart(8)}  ${name}: ${text}`),
      measure: (what, value) => void round.measures.set(what, String(value)),
      within: (limitMs, isSo, what) => within(t, limitMs, isSo, what),
    };
  }

  /** Rounds without measures are left out. */
  table(): string {
    const rounds = this.#rounds.filter(({ measures }) => measures.size > 0);
    const names = [...new Set(rounds.flatMap(({ measures }) => [...measures.keys()]))];
    const rows = [
      ['', ...rounds.map(({ name }) => name)],
      ...names.map(name => [name, ...rounds.map(({ measures }) => measures.get(name) ?? '')]),
    ];
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
    const line = (row: readonly string[]) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)));
    return rows.map(row => line(row).join('   ')).join('\n');
  }
}

export interface TrialRound {
  say(text: string): void;
  measure(what: string, value: string | number): void;
  /**
   * Waits until it is so, and fails the test when that takes longer than `limitMs`.
   * @returns how long it took, in milliseconds; undefined: longer
   */
  within(limitMs: number, isSo: () => boolean | Promise<boolean>, what: string): Promise<number | undefined>;
}

async function within(
  t: Test,
  limitMs: number,
  isSo: () => boolean | Promise<boolean>,
  what: string,
): Promise<number | undefined> {
  const from = performance.now();
  for (;;) {
    const holds = await isSo();
    // Measured when the answer is there: some questions take a while.
    const tookMs = performance.now() - from;
    if (holds) {
      t.pass(what);
      return tookMs;
    }
    if (tookMs > limitMs) {
      t.fail(`${what} within ${seconds(limitMs)}`);
      return undefined;
    }
    await sleep(10);
  }
}

/** stderr: tap shows it at once. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function seconds(ms: number | undefined): string {
  return ms === undefined ? 'never' : `${(ms / 1_000).toFixed(1)} s`;
}
