import { type WorldOutcome, WorldPool, type WorldPoolOptions } from './world-pool.js';
import type { WorldRules } from './worlds.js';

export interface RunSeedsOptions extends WorldPoolOptions {
  readonly from: number;
  readonly count: number;
  readonly rules: WorldRules;
  onOutcome?(outcome: WorldOutcome): void;
}

/**
 * Runs the worlds of many seeds, on all cores. It ends with the first one that fails, or takes too long.
 * @returns what failed; undefined: nothing
 * @throws Error: a process has ended by itself
 */
export function runSeeds({
  from,
  count,
  rules,
  onOutcome,
  ...options
}: RunSeedsOptions): Promise<WorldOutcome | undefined> {
  const pool = new WorldPool(options);
  let next = from;
  return new Promise<WorldOutcome | undefined>((resolve, reject) => {
    const runOneAfterAnother = async () => {
      while (next < from + count) {
        const outcome = await pool.run({ seed: next++, rules });
        onOutcome?.(outcome);
        if (outcome.failure === undefined) continue;
        resolve(outcome);
        return;
      }
    };
    const all = Array.from({ length: Math.min(pool.processes, count) }, runOneAfterAnother);
    Promise.all(all).then(() => resolve(undefined), reject);
  }).finally(() => pool.close());
}
