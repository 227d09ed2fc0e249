import { openSync, readSync } from 'node:fs';
import { serveParent } from '../child.js';
import { collectGarbage } from '../collect-garbage.js';

// Loaded into a server or a fleet before its own program; that ends with the bench.

/** The longest times for which the event loop did not come to a timer that was due, in ms. */
export interface LoopStops {
  /** By the clock. */
  readonly longestMs: number;
  /** Less the time for which the main thread waited for a processor: what the server did in one piece. */
  readonly longestOwnMs: number;
}

const TIMER_MS = 2;
const NONE: LoopStops = { longestMs: 0, longestOwnMs: 0 };

const operations = {
  collect: collectGarbage,

  /** Watches the event loop from now on. To be asked once. */
  watchLoop(): void {
    let last = performance.now();
    let waited = waitedMs();
    setInterval(() => {
      const [lastBefore, waitedBefore] = [last, waited];
      last = performance.now();
      waited = waitedMs();
      const stopMs = last - lastBefore - TIMER_MS;
      const ownMs = stopMs - (waited - waitedBefore);
      stops = { longestMs: Math.max(stops.longestMs, stopMs), longestOwnMs: Math.max(stops.longestOwnMs, ownMs) };
    }, TIMER_MS);
  },

  /** @returns those since this was asked before */
  loopStops(): LoopStops {
    const seen = stops;
    stops = NONE;
    return seen;
  },
};

export type PreloadOperations = typeof operations;

let stops = NONE;
const schedule = openSync('/proc/self/schedstat', 'r');
const line = Buffer.alloc(128);

/** How long the main thread was ready to run and had no processor, since its start: the second of the kernel's figures. */
function waitedMs(): number {
  const length = readSync(schedule, line, 0, line.length, 0);
  return Number(line.toString('latin1', 0, length).split(' ')[1]) / 1e6;
}

serveParent(operations);
