import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Planned } from './schedule.js';
import type { WorldRules } from './worlds.js';

/** A world that is to be run. */
export interface WorldJob {
  readonly seed: number;
  readonly rules: WorldRules;
  /** In the place of what the seed would have. */
  readonly faults?: readonly Planned[];
  /** Not the world of the seed: the one of `leaks.ts`. */
  readonly isForLeaks?: boolean;
  /** The transcript is wanted: all of it, or so many lines at most. */
  readonly lines?: 'all' | number;
}

/** What became of it. */
export interface WorldOutcome {
  readonly seed: number;
  readonly failure: string | undefined;
  /** It was ended from outside, since it took too long. */
  readonly isTimedOut: boolean;
  readonly simulatedMs: number;
  readonly faults: readonly Planned[];
  /** The transcript, if it was wanted. Times count from the beginning of the trouble, as those of faults do. */
  readonly table?: string;
}

export interface WorldPoolOptions {
  /** Processes. @default one for each core */
  readonly processes?: number;
  /** Where their code is. @default this build */
  readonly worker?: string;
  /** For how long one world may run, in milliseconds of real time: one that never yields cannot end itself. @default 120,000 */
  readonly limitMs?: number;
}

const WORKER = fileURLToPath(new URL('./seed-worker.js', import.meta.url));

/** Processes that run worlds: each one world at a time. */
export class WorldPool {
  readonly processes: number;
  readonly #worker: string;
  readonly #limitMs: number;
  readonly #all = new Set<ChildProcess>();
  readonly #idle: ChildProcess[] = [];
  readonly #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor({ processes = availableParallelism(), worker = WORKER, limitMs = 120_000 }: WorldPoolOptions = {}) {
    this.processes = processes;
    this.#worker = worker;
    this.#limitMs = limitMs;
  }

  /** Runs a world as soon as a process has time for it. @throws Error: the process has ended by itself, or by `close` */
  async run(job: WorldJob): Promise<WorldOutcome> {
    const process = await this.#free();
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#end(process);
        const failure = `it has run for ${this.#limitMs / 1_000} s of real time, and was ended`;
        settle(() => resolve({ seed: job.seed, failure, isTimedOut: true, simulatedMs: 0, faults: job.faults ?? [] }));
      }, this.#limitMs);
      const settle = (how: () => void) => {
        clearTimeout(limit);
        process.removeAllListeners();
        how();
        this.#waiting.shift()?.();
      };
      process.once('message', (outcome: WorldOutcome) => {
        this.#idle.push(process);
        settle(() => resolve(outcome));
      });
      const onEnd = (why: unknown) => {
        this.#end(process);
        settle(() => reject(new Error(`the process that ran the world of seed ${job.seed} has ended (${why})`)));
      };
      process.once('error', onEnd);
      process.once('exit', (code, signal) => onEnd(code ?? signal));
      process.send(job);
    });
  }

  /** Ends all processes, whatever they do. */
  close(): void {
    this.#isClosed = true;
    for (const process of this.#all) process.kill('SIGKILL');
  }

  async #free(): Promise<ChildProcess> {
    for (;;) {
      if (this.#isClosed) throw new Error('no more worlds are run');
      const idle = this.#idle.pop();
      if (idle !== undefined) return idle;
      if (this.#all.size < this.processes) {
        const started = fork(this.#worker, { execArgv: [] });
        this.#all.add(started);
        return started;
      }
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
  }

  #end(process: ChildProcess): void {
    this.#all.delete(process);
    process.kill('SIGKILL');
  }
}
