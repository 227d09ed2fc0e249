import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../lib/clock.js';
import { systemRandom } from '../../../lib/random.js';
import type { Store } from '../store.js';
import { openSqliteStore } from './sqlite-store.js';
import { encodeError, type FromWorker, type ToWorker, type WorkerInput } from './thread-messages.js';

/** The worker thread: opens the store and carries out the calls that the main thread sends. */

if (parentPort === null) throw new Error('this file is started as a worker thread');
const port = parentPort;
const send = (message: FromWorker) => port.postMessage(message);

try {
  // Only the main thread can have another clock, and other random numbers.
  const { path, givenUp, expected } = workerData as WorkerInput;
  const lastGivenUp = new Int32Array(givenUp);
  const parts = { clock: systemClock, random: systemRandom };
  const { store, upgrade, file } = await openSqliteStore(path, parts, expected);
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'ping') send({ kind: 'pong' });
    else if (message.id > Atomics.load(lastGivenUp, 0)) void answer(store, message);
  });
  send({ kind: 'opened', operations: Object.keys(store) as (keyof Store)[], upgrade, file });
} catch (error) {
  send({ kind: 'failed', error: encodeError(error) });
}

async function answer(store: Store, { id, operation, args }: ToWorker & { readonly kind: 'call' }): Promise<void> {
  try {
    // The main thread's types have checked the arguments.
    const method = store[operation] as (...args: readonly unknown[]) => Promise<unknown>;
    send({ kind: 'done', id, result: await method(...args) });
  } catch (error) {
    send({ kind: 'refused', id, error: encodeError(error) });
  }
  // Nothing is left to do, so the thread ends.
  if (operation === 'close') port.close();
}
