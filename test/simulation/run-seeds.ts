import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { WorldRules } from './worlds.js';

/** What became of the world of one seed. */
export interface SeedOutcome {
  readonly seed: number;
  readonly failure: string | undefined;
  readonly simulatedMs: number;
  readonly happened: number;
}

export interface RunSeedsOptions {
  readonly from: number;
  readonly count: number;
  readonly rules: WorldRules;
  /** Processes. @default one for each core */
  readonly processes?: number;
  /** Where its code is. @default this build */
  readonly worker?: string;
  onOutcome?(outcome: SeedOutcome): void;
}

const WORKER = fileURLToPath(new URL('./seed-worker.js', import.meta.url));

/**
 * Runs the worlds of many seeds, on all cores. It ends with the first one that fails.
 * @returns what failed; undefined: nothing
 * @throws Error: a process has ended by itself
 */
export function runSeeds(options: RunSeedsOptions): Promise<SeedOutcome | undefined> {
  const { from, count, rules, processes = availableParallelism(), worker = WORKER } = options;
  return new Promise((resolve, reject) => {
    let next = from;
    let open = 0;
    let isOver = false;
    const workers = Array.from({ length: Math.min(processes, count) }, () =>
      fork(worker, [JSON.stringify(rules)], { execArgv: [] }),
    );
    const end = (settle: () => void) => {
      if (isOver) return;
      isOver = true;
      for (const one of workers) one.kill('SIGKILL');
      settle();
    };
    for (const one of workers) {
      const give = () => {
        if (next < from + count) {
          open++;
          one.send(next++);
        } else if (open === 0) end(() => resolve(undefined));
      };
      one.on('message', (outcome: SeedOutcome) => {
        open--;
        if (isOver) return;
        options.onOutcome?.(outcome);
        if (outcome.failure !== undefined) end(() => resolve(outcome));
        else give();
      });
      one.on('error', error => end(() => reject(error)));
      one.on('exit', (code, signal) =>
        end(() => reject(new Error(`a process of the simulation has ended (${code ?? signal})`))),
      );
      give();
    }
  });
}
