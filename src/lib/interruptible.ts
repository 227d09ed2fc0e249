import type { Clock } from './clock.js';

/** A long computation that can be interrupted between any two of its steps, each of which takes a few milliseconds. */
export type Interruptible<T> = Generator<void, T, void>;

/** Carries it out without an interruption. */
export function runAtOnce<T>(computation: Interruptible<T>): T {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
  }
}

/**
 * Carries it out with a turn of the event loop after each step, so that no socket waits longer than one step. A worker
 * thread would need copies of all rows, for what takes 0.1 s at 100,000 agents.
 */
export async function runInTurns<T>(computation: Interruptible<T>, clock: Pick<Clock, 'turn'>): Promise<T> {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
    await clock.turn();
  }
}

/** Counts work, and says when one step has done enough. By count and not by time: the same steps on every machine. */
export function workCounter(workPerStep: number): (work: number) => boolean {
  let done = 0;
  return work => {
    done += work;
    if (done < workPerStep) return false;
    done = 0;
    return true;
  };
}
