/** A long computation that can be left for a moment between any two of its steps, each of which takes a few ms. */
export type Steps<T> = Generator<void, T, void>;

/** All in one go. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * A pause after each step, in which sockets are served: `setImmediate` of `node:timers/promises` does, with which nothing
 * waits longer than one step. No worker thread, for what takes 0.1 s at 100,000 agents is not worth a second heap and
 * copies of all rows, and the same steps can be run by a test without either.
 */
export async function inSlices<T>(steps: Steps<T>, pause: () => Promise<unknown>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await pause();
  }
}

/** Counts work, and says when it was enough for one step. By count and not by time: the same steps on every machine. */
export function stepCounter(workPerStep: number): (work: number) => boolean {
  let done = 0;
  return work => {
    done += work;
    if (done < workPerStep) return false;
    done = 0;
    return true;
  };
}
