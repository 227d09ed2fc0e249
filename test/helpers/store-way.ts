import type { Store } from '../../src/mgmt/store/store.js';

/**
 * What lies between a caller and the store: it carries a call out, or not, and the caller hears of it, or not.
 * @param call the method's name
 */
export type StoreWay = <T>(call: string, carryOut: () => Promise<T>) => Promise<T>;

/** Any store, as somebody sees it over a way. */
export function storeOver(store: Store, way: StoreWay): Store {
  return new Proxy(store, {
    get: (target, name, receiver) => {
      const value = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => way(String(name), async () => value.apply(target, args));
    },
  });
}
