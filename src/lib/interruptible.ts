import type { Clock } from './clock.js';

/** A long computation that can be interrupted between any two of its steps, each of which takes a few milliseconds. */
export type Interruptible<T> = Generator<void, T, void>;

/** Carries out a computation without interruption. */
export function runAtOnce<T>(computation: Interruptible<T>): T {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
  }
}

/**
 * Carries out a computation with a turn of the event loop after each step, so that sockets wait for one step at most.
 * With a worker thread all rows would have to be copied, for a computation of 0.1 s with 100,000 agents.
 */
export async function runInTurns<T>(computation: Interruptible<T>, clock: Pick<Clock, 'turn'>): Promise<T> {
  for (;;) {
    const step = computation.next();
    if (step.done) return step.value;
    await clock.turn();
  }
}

/**
 * Counts units of work, and returns true when a step has done enough of them. It counts, and does not measure time, so
 * that the steps are the same on every machine.
 */
export function workCounter(workPerStep: number): (work: number) => boolean {
  let done = 0;
  return work => {
    done += work;
    if (done < workPerStep) return false;
    done = 0;
    return true;
  };
}
