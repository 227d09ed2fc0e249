/**
 * The source of time: everything that waits or measures time takes a `Clock`, so that tests can use a simulated one.
 * Only this file uses Node's timers and the machine's clocks.
 */
export interface Clock {
  /** Monotonic milliseconds since a fixed moment. It does not jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds since 1970 by the machine's clock: for texts and certificates, never for waiting. */
  wallTime(): number;
  /** Calls `callback` once, `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer;
  /** Resolves after one turn of the event loop, in which sockets and timers that are due are served. */
  turn(): Promise<void>;
}

/** A call that is due at some time. */
export interface Timer {
  /** The callback will not be called. Idempotent. */
  cancel(): void;
}

/** The longest delay of Node's timers. A longer one is waited for in steps. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * The machine's own clocks and timers.
 * @example
 * const timer = systemClock.after(1_000, () => console.log('a second later'));
 * timer.cancel();
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delayMs, callback) {
    if (delayMs > LONGEST_TIMEOUT_MS) return afterLong(delayMs, callback);
    const timeout = setTimeout(callback, Math.max(0, delayMs));
    return { cancel: () => clearTimeout(timeout) };
  },
  turn: () => new Promise(resolve => void setImmediate(resolve)),
};

/**
 * Resolves after the next turn of the event loop. Other than `Clock.turn` it causes none: the process sleeps until something
 * happens, or for `longestMs`.
 */
export function nextTurn(longestMs: number): Promise<void> {
  return new Promise(resolve => {
    const turn = setImmediate(() => {
      timer.cancel();
      resolve();
    }).unref();
    const timer = systemClock.after(longestMs, () => {
      clearImmediate(turn);
      resolve();
    });
  });
}

function afterLong(delayMs: number, callback: () => void): Timer {
  const due = systemClock.now() + delayMs;
  let timer = systemClock.after(LONGEST_TIMEOUT_MS, () => {
    timer = systemClock.after(due - systemClock.now(), callback);
  });
  return { cancel: () => timer.cancel() };
}

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
