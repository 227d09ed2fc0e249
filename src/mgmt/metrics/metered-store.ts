import type { Clock } from '../../lib/clock.js';
import type { Store } from '../store/store.js';
import { StoreError } from '../store/store-error.js';
import type { ServerMeters } from './server-metrics.js';

export interface MeteredStoreParts {
  readonly clock: Clock;
  readonly meters: Pick<ServerMeters, 'storeSeconds' | 'storeFailures'>;
}

/** The same store: how long each call takes is counted, and how it fails. */
export function meteredStore(store: Store, { clock, meters }: MeteredStoreParts): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function' || typeof name === 'symbol') return value;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        const from = clock.now();
        try {
          return await value.apply(target, args);
        } catch (error) {
          meters.storeFailures.add({ code: error instanceof StoreError ? error.code : 'other' });
          throw error;
        } finally {
          meters.storeSeconds.observe({ call: name }, (clock.now() - from) / 1_000);
        }
      };
    },
  });
}
