import { delay, nextTurn, systemClock } from '../../src/lib/clock.js';
import { turnOfLoop } from '../../src/testing/fake-clock.js';

/** After so long it looks again, though nothing has happened in this process. */
const LOOK_MS = 5;
/** Between two questions to others. */
const ASK_MS = 20;

/** Waits until `holds`: for what files, sockets, threads and processes do in their own time. It looks after each turn of the event loop. */
export async function until(holds: () => boolean, what = String(holds)): Promise<void> {
  const end = systemClock.now() + 20_000;
  while (!holds()) {
    if (systemClock.now() > end) throw new Error(`it never came to this: ${what}`);
    if (!(await turnOfLoop()) && !holds()) await nextTurn(LOOK_MS);
  }
}

/** Asks again and again until `holds`: for what nobody tells this process of, such as files of another process. */
export async function eventually(holds: () => Promise<boolean>, what = String(holds)): Promise<void> {
  const end = systemClock.now() + 30_000;
  while (!(await holds())) {
    if (systemClock.now() > end) throw new Error(`it never came to this: ${what}`);
    await delay(systemClock, ASK_MS);
  }
}
