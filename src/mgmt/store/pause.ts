import { type Clock, delay } from '../../lib/clock.js';
import { StoreError } from './store-error.js';

/**
 * Waits between two calls to the store, for a caller who waits as well.
 * @param parts.stopping aborted when the server stops: the wait ends then
 * @throws StoreError STORE_CLOSED: the server stops
 */
export async function pause(
  { clock, stopping }: { readonly clock: Clock; readonly stopping: AbortSignal },
  ms: number,
): Promise<void> {
  await delay(clock, ms, stopping);
  if (stopping.aborted) throw new StoreError('STORE_CLOSED', 'pause');
}
