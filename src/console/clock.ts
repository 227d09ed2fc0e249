// The browser's clocks and timers: only this file of the console uses them.

/** Milliseconds since 1970 by the browser's clock. */
export const wallTime = (): number => Date.now();

/** @returns cancels it */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

/** @returns ends it */
export function every(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms);
  return () => clearInterval(timer);
}

/** Milliseconds since the page began; never back. */
export const elapsed = (): number => performance.now();

/** Lets the browser draw, and handle what has come meanwhile. */
export const turn = (): Promise<void> => new Promise(resolve => after(0, resolve));
