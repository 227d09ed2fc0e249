import { systemClock } from '../../src/lib/clock.js';

/** Lets the event loop turn until `holds`: for what files and in-memory streams do in their own time. */
export async function until(holds: () => boolean, what = String(holds)): Promise<void> {
  const end = systemClock.now() + 20_000;
  while (!holds()) {
    if (systemClock.now() > end) throw new Error(`it never came to this: ${what}`);
    await new Promise<void>(resolve => setImmediate(resolve));
  }
}
