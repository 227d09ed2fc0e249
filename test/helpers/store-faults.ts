import type { Store } from '../../src/mgmt/store/store.js';
import { StoreError } from '../../src/mgmt/store/store-error.js';

/** What goes wrong between one server and the store. */
export class StoreFaults {
  /** Every call fails before it does anything. */
  isAway = false;
  /** Called before each call, and may throw: then the store hears nothing of it. */
  before: ((call: string) => void) | undefined;
  /** Called after each call, and may throw: then it is carried out, and the caller does not know. */
  after: ((call: string) => void) | undefined;

  /** The store as the server sees it. */
  over(store: Store): Store {
    return new Proxy(store, {
      get: (target, name, receiver) => {
        const value = Reflect.get(target, name, receiver);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          const call = String(name);
          if (this.isAway) throw new StoreError('STORE_UNAVAILABLE', call);
          this.before?.(call);
          const result = await value.apply(target, args);
          this.after?.(call);
          return result;
        };
      },
    });
  }
}
