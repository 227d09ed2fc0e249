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

/** So many simple items are a step of a millisecond or two. */
const ITEMS_PER_STEP = 250;

/** `Array.map` in steps. */
export function* mapInSteps<T, R>(items: Iterable<T>, map: (item: T, index: number) => R): Interruptible<R[]> {
  const isStepFull = workCounter(ITEMS_PER_STEP);
  const results: R[] = [];
  for (const item of items) {
    results.push(map(item, results.length));
    if (isStepFull(1)) yield;
  }
  return results;
}

/** `Array.filter` in steps. */
export function* filterInSteps<T>(items: Iterable<T>, isWanted: (item: T) => boolean): Interruptible<T[]> {
  const isStepFull = workCounter(ITEMS_PER_STEP);
  const wanted: T[] = [];
  for (const item of items) {
    if (isWanted(item)) wanted.push(item);
    if (isStepFull(1)) yield;
  }
  return wanted;
}

/** A new array in order, sorted in steps: equal items keep their order. */
export function* sortInSteps<T>(items: readonly T[], compare: (one: T, other: T) => number): Interruptible<T[]> {
  const isStepFull = workCounter(ITEMS_PER_STEP);
  let runs: T[][] = [];
  for (let from = 0; from < items.length; from += ITEMS_PER_STEP) {
    runs.push(items.slice(from, from + ITEMS_PER_STEP).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(yield* mergeInSteps(runs[at] ?? [], runs[at + 1] ?? [], compare, isStepFull));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeInSteps<T>(
  one: readonly T[],
  other: readonly T[],
  compare: (one: T, other: T) => number,
  isStepFull: (work: number) => boolean,
): Interruptible<T[]> {
  const merged: T[] = [];
  let at = 0;
  for (const item of one) {
    for (let next = other[at]; at < other.length && compare(next as T, item) < 0; next = other[at]) {
      merged.push(next as T);
      at++;
      if (isStepFull(1)) yield;
    }
    merged.push(item);
    if (isStepFull(1)) yield;
  }
  for (; at < other.length; at++) {
    merged.push(other[at] as T);
    if (isStepFull(1)) yield;
  }
  return merged;
}
