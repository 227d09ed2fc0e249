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
