import type { Store } from '../../src/mgmt/store/store.js';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { storeOver } from './store-way.js';

/** What goes wrong between one server and the store. */
export class StoreFaults {
  /** Every call fails before it does anything. */
  isAway = false;
  /** Called before each call, which waits for what it returns. It may throw: then the store hears nothing of the call. */
  before: ((call: string) => unknown) | undefined;
  /** The same after each call. When it throws, the call is carried out, and the caller does not know. */
  after: ((call: string) => unknown) | undefined;

  /** The store as the server sees it. */
  over(store: Store): Store {
    return storeOver(store, async (call, carryOut) => {
      if (this.isAway) throw new StoreError('STORE_UNAVAILABLE', call);
      await this.before?.(call);
      const result = await carryOut();
      await this.after?.(call);
      return result;
    });
  }
}

/** A hook for `before` or `after`: the first calls of this name fail. */
export function fails(name: string, times = 1, code: StoreError['code'] = 'STORE_BUSY'): (call: string) => void {
  let left = times;
  return call => {
    if (call === name && left-- > 0) throw new StoreError(code, call);
  };
}
