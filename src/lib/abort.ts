import { setMaxListeners } from 'node:events';
import type { Clock } from './clock.js';

/**
 * Waits for the work, or for the signal.
 * @returns the result of the work
 * @throws the error of the work, or the signal's reason as soon as it aborts; the work's result is ignored then
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/**
 * Waits for the work for `limitMs`. Then its signal aborts, and its result is ignored.
 * @param late what the result is then; it may throw
 * @throws the error of the work, or of `late`
 */
export async function withinLimit<T>(
  clock: Pick<Clock, 'after'>,
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: () => T | Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = clock.after(limitMs, () => limit.abort());
  try {
    return await untilAborted(work(limit.signal), limit.signal);
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    return late();
  } finally {
    timer.cancel();
  }
}

/**
 * Does the work with a signal that aborts as soon as one of these does. Nothing of it is left in them, which may live for
 * long: `AbortSignal.any` leaves an entry in each.
 * @throws the error of the work
 */
export async function withAnyOf<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const any = new AbortController();
  const abort = () => any.abort(signals.find(({ aborted }) => aborted)?.reason);
  for (const signal of signals) signal.addEventListener('abort', abort, { once: true });
  if (signals.some(({ aborted }) => aborted)) abort();
  try {
    return await work(any.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', abort);
  }
}

/** An AbortController whose signal any number of others may wait for: Node warns of a leak from the 11th on. */
export function sharedAbortController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
