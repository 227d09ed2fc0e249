import { setImmediate } from 'node:timers/promises';

/**
 * Time comes in through the door: everything that waits or measures takes a `Clock`.
 * This is the only file that touches timers and the machine's clocks.
 */
export interface Clock {
  /** Monotonic milliseconds since some fixed moment; never jumps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds since 1970 by the machine's clock: for what people read and for certificates, never for waiting. */
  wallTime(): number;
  /** Calls `callback` once, `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer;
  /** Resolves after one turn of the event loop, in which sockets and timers that are due are served. */
  turn(): Promise<void>;
}

export interface Timer {
  /** Idempotent; after it the callback does not run. */
  cancel(): void;
}

/** Node turns a longer delay into 1 ms; we wait in steps instead. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delayMs, callback) {
    const due = performance.now() + Math.max(0, delayMs);
    const arm = () => {
      const left = due - performance.now();
      return setTimeout(
        () => {
          if (left <= LONGEST_TIMEOUT_MS) callback();
          else timeout = arm();
        },
        Math.min(Math.max(0, left), LONGEST_TIMEOUT_MS),
      );
    };
    let timeout = arm();
    return { cancel: () => clearTimeout(timeout) };
  },
  turn: () => setImmediate(),
};

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
