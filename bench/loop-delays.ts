import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';

/** A part of the time, in ms as `performance.now` tells it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The event loop during some work. */
export interface Watched {
  /** How long the work took. */
  readonly ms: number;
  /** When it came to a timer of `TIMER_MS`, from before the work to behind it. Ascending. */
  readonly turns: readonly number[];
  /** Collections of garbage in the main thread, in their order; what V8 does in threads of its own beside the program is none. */
  readonly collections: readonly Span[];
}

/** How late the event loop came to its timer, in ms. */
export interface LoopDelays {
  /** Of each turn, less what was collection of garbage. */
  readonly own: readonly number[];
  /** How long each collection took. */
  readonly collections: readonly number[];
}

const TIMER_MS = 1;
/** Until a turn has come behind the work, and the collections of its last moment are told. */
const SETTLE_MS = 5;

/** Does some work, and watches the event loop meanwhile. */
export async function watchLoop(work: () => Promise<unknown>): Promise<Watched> {
  const turns: number[] = [];
  const collections: Span[] = [];
  const note = (entries: readonly PerformanceEntry[]) => {
    for (const { startTime, duration } of entries) collections.push({ from: startTime, to: startTime + duration });
  };
  const observer = new PerformanceObserver(list => note(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const timer = setInterval(() => turns.push(performance.now()), TIMER_MS);
  try {
    await settled();
    const from = performance.now();
    await work();
    const ms = performance.now() - from;
    await settled();
    return { ms, turns, collections };
  } finally {
    clearInterval(timer);
    observer.disconnect();
  }
}

/** What was late, and what was collected; what is partly before the first turn or behind the last one counts with its other part. */
export function delaysOf({ turns, collections }: Pick<Watched, 'turns' | 'collections'>): LoopDelays {
  const [first = 0, last = 0] = [turns[0], turns.at(-1)];
  const inside = collections
    .map(({ from, to }) => ({ from: Math.max(from, first), to: Math.min(to, last) }))
    .filter(({ from, to }) => to > from);
  let next = 0;
  const own = turns.slice(1).map((turn, index) => {
    const before = turns[index] ?? turn;
    let collected = 0;
    for (let span = inside[next]; span !== undefined && span.from < turn; span = inside[next]) {
      collected += Math.min(span.to, turn) - Math.max(span.from, before);
      // The rest of it belongs to the next turn.
      if (span.to > turn) break;
      next++;
    }
    return Math.max(0, turn - before - collected - TIMER_MS);
  });
  return { own, collections: inside.map(({ from, to }) => to - from) };
}

function settled(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, SETTLE_MS));
}
